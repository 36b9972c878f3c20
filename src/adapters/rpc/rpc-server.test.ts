import { setTimeout as sleep } from 'node:timers/promises';
import { decode, encode } from '@msgpack/msgpack';
import { curveKeyPair, Dealer } from 'zeromq';
import { describe, expect, it } from 'vitest';
import { RawPeer, startScripted } from '../../../test/support/rpc-peer.js';
import { KERNEL, SESSION } from '../../../test/support/scripted-use-cases.js';
import type { UseCases } from '../../application/use-cases.js';
import type { ExecutionResult } from '../../domain/execution/execution.js';

const FINISHED: ExecutionResult = { runId: 'r', status: 'finished', exitCode: 0, options: null, console: [] };

/** Runs code that is a number for so many milliseconds. */
const sleeping: Partial<UseCases> = {
  execute: async ({ code }, signal) => {
    await sleep(Number(code), undefined, { signal });
    return { ...FINISHED, runId: code };
  },
};

describe('a live server', () => {
  it('answers the connection probe and calls', async () => {
    await using scripted = await startScripted({});
    using peer = new RawPeer(scripted.endpoint);
    await peer.socket.send(['PING', '', 'x']);
    expect((await peer.socket.receive()).map(String)).toEqual(['PONG', '', 'x']);
    expect(await peer.call('ping', ['hello'])).toMatchObject({ type: 2, method: 'ping', seq: 0, result: 'hello' });
  });

  it('echoes the ordering key with its own type', async () => {
    await using scripted = await startScripted({});
    using peer = new RawPeer(scripted.endpoint);
    for (const okey of ['', 'key', new Uint8Array(), Uint8Array.of(1)]) {
      const header = { type: 1, meth: 'ping', okey, seq: 3, zip: false };
      const body = encode({ args: [1], kwargs: {} });
      await peer.socket.send(['UPPER', encode(header), encode({ meta: new Uint8Array(), body })]);
      const [, head] = await peer.socket.receive();
      expect(Buffer.from(head!)).toEqual(Buffer.from(encode({ ...header, type: 2 })));
    }
  });

  it('sends replies as they are ready, also two with one id', async () => {
    await using scripted = await startScripted(sleeping);
    using peer = new RawPeer(scripted.endpoint);
    for (const code of ['120', '5', '60']) await peer.send('execute_code', [KERNEL, code]);
    const order = [await peer.receive(), await peer.receive(), await peer.receive()];
    expect(order.map(({ result }) => (result as { runId: string }).runId)).toEqual(['5', '60', '120']);

    const body = encode({ args: [KERNEL, '5'], kwargs: {} });
    await peer.sendBody('execute_code', body, 77);
    await peer.sendBody('execute_code', body, 77);
    expect([(await peer.receive()).seq, (await peer.receive()).seq]).toEqual([77, 77]);
    expect(scripted.server.counters).toMatchObject({ answered: 5, inFlight: 0 });
  });

  it('sends nothing for a call that was cancelled, and goes on', async () => {
    await using scripted = await startScripted(sleeping);
    using peer = new RawPeer(scripted.endpoint);
    const seq = await peer.send('execute_code', [KERNEL, '60000']);
    await sleep(30);
    await peer.cancel('execute_code', seq);
    await peer.cancel('execute_code', 4_000);
    expect((await peer.call('ping', ['still here'])).result).toBe('still here');
    await sleep(20);
    expect(scripted.server.counters).toMatchObject({ cancelled: 1, inFlight: 0, answered: 1 });
  });

  it('does not begin what was cancelled in the same burst', async () => {
    await using scripted = await startScripted({});
    using peer = new RawPeer(scripted.endpoint);
    await peer.call('ping', ['connected']);
    const seq = await peer.send('destroy_kernel', [KERNEL, SESSION]);
    await peer.cancel('destroy_kernel', seq);
    await sleep(50);
    expect(scripted.server.counters).toMatchObject({ cancelled: 1, inFlight: 0 });
    expect(scripted.telemetry.counted.filter(({ labels }) => labels['method'] === 'destroy_kernel')).toEqual([]);
  });

  it('refuses more than it can hold, but never a ping', async () => {
    const limits = { maxCalls: 3, maxHeldBytes: 10_000, maxBodyBytes: 8_000 };
    await using scripted = await startScripted(sleeping, { limits });
    using peer = new RawPeer(scripted.endpoint);
    for (let i = 0; i < 4; i += 1) await peer.send('execute_code', [KERNEL, '300']);
    expect(await peer.receive()).toMatchObject({
      type: 3,
      seq: 3,
      failure: ['ServerOverloadedError', expect.any(String), expect.any(String)],
    });
    expect((await peer.call('ping', ['x'])).result).toBe('x');
    for (let i = 0; i < 3; i += 1) expect((await peer.receive()).type).toBe(2);

    await peer.send('execute_code', [KERNEL, 'x'.repeat(9_000)]);
    expect((await peer.receive()).failure[1]).toContain('larger than the 8000 allowed');
    await peer.send('execute_code', [KERNEL, '300', 'r'.repeat(200), 'query', { pad: 'x'.repeat(6_000) }]);
    await peer.send('execute_code', [KERNEL, '300', 'r'.repeat(200), 'query', { pad: 'x'.repeat(6_000) }]);
    expect((await peer.receive()).failure[0]).toBe('ServerOverloadedError');
    expect((await peer.receive()).type).toBe(2);
  });

  it('turns an answer that cannot be told into a failure', async () => {
    await using scripted = await startScripted({
      execute: () => Promise.resolve({ ...FINISHED, options: { when: new Date() } }),
    });
    using peer = new RawPeer(scripted.endpoint);
    expect((await peer.call('execute_code', [KERNEL, 'x'])).failure[0]).toBe('EncodeError');
  });

  it('says when its address is taken', async () => {
    await using first = await startScripted({});
    await expect(startScripted({}, { address: first.endpoint })).rejects.toMatchObject({
      name: 'AddressInUseError',
      field: 'agent.rpc-listen-addr',
      hint: expect.stringContaining('another agent'),
    });
  });

  it('warns about a door without a lock', async () => {
    await using open = await startScripted({}, { address: 'tcp://0.0.0.0:0' });
    expect(open.logger.lines).toContainEqual(expect.objectContaining({ level: 'warn' }));
    await using closed = await startScripted({});
    expect(closed.logger.lines).toEqual([]);
  });
});

describe('closing', () => {
  it('lets a short call end and answers a long one, within a second', async () => {
    const scripted = await startScripted({
      execute: async ({ code }) => {
        // Deaf to its signal, as a use case never should be.
        await sleep(Number(code));
        return FINISHED;
      },
    });
    using peer = new RawPeer(scripted.endpoint);
    await peer.send('execute_code', [KERNEL, '100']);
    await peer.send('execute_code', [KERNEL, '3000']);
    await sleep(30);
    const begun = performance.now();
    await Promise.all([scripted.server[Symbol.asyncDispose](), scripted.server[Symbol.asyncDispose]()]);
    expect(performance.now() - begun).toBeLessThan(1_000);
    expect(await peer.receive()).toMatchObject({ type: 2, seq: 0 });
    expect(await peer.receive()).toMatchObject({
      type: 3,
      seq: 1,
      failure: ['ServerShuttingDownError', expect.any(String), expect.any(String)],
    });
  });

  it('takes no new call any more, but answers it', async () => {
    const scripted = await startScripted(sleeping);
    using peer = new RawPeer(scripted.endpoint);
    await peer.send('execute_code', [KERNEL, '200']);
    await sleep(30);
    const closed = scripted.server[Symbol.asyncDispose]();
    await peer.send('execute_code', [KERNEL, '1']);
    expect(await peer.receive()).toMatchObject({
      seq: 1,
      failure: ['ServerShuttingDownError', expect.any(String), expect.any(String)],
    });
    expect(await peer.receive()).toMatchObject({ type: 2, seq: 0 });
    await closed;
  });

  it('works without ever having started, and leaves its port free', async () => {
    const scripted = await startScripted({});
    const { endpoint } = scripted;
    await scripted.server[Symbol.asyncDispose]();
    await sleep(150);
    await using again = await startScripted({}, { address: endpoint });
    expect(again.endpoint).toBe(endpoint);
  });
});

describe('authentication', () => {
  const agent = curveKeyPair();
  const manager = curveKeyPair();
  const curve = { ...agent, managerPublicKey: manager.publicKey };
  const silent = async (socket: Dealer): Promise<boolean> => {
    socket.receiveTimeout = 400;
    socket.sendTimeout = 400;
    try {
      await socket.send(['PING', '', '']);
      await socket.receive();
      return false;
    } catch {
      return true;
    } finally {
      socket.close();
    }
  };
  const dealer = (endpoint: string, options: object): Dealer => {
    const socket = new Dealer({ linger: 0, ...options });
    socket.connect(endpoint);
    return socket;
  };

  it('admits the Manager and nobody else', async () => {
    await using scripted = await startScripted({}, { curve });
    const keys = (pair: { publicKey: string; secretKey: string }, serverKey = agent.publicKey) => ({
      curvePublicKey: pair.publicKey,
      curveSecretKey: pair.secretKey,
      curveServerKey: serverKey,
    });
    expect(await silent(dealer(scripted.endpoint, keys(curveKeyPair())))).toBe(true);
    expect(scripted.server.counters.refusedPeers).toBe(1);
    expect(await silent(dealer(scripted.endpoint, {}))).toBe(true);
    expect(await silent(dealer(scripted.endpoint, keys(manager, curveKeyPair().publicKey)))).toBe(true);
    expect(await silent(dealer(scripted.endpoint, keys(manager)))).toBe(false);
    expect(scripted.server.counters.refusedPeers).toBe(1);
    expect(scripted.telemetry.counted.map(({ name }) => name)).toContain('backendai_rpc_refused_connections');
    expect(scripted.logger.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', message: 'refused an RPC connection' }),
    );
    expect(JSON.stringify(scripted.logger.lines)).not.toContain(agent.secretKey);
  });

  it('keeps the authenticators of two servers in one process apart', async () => {
    await using first = await startScripted({}, { curve });
    const other = curveKeyPair();
    await using second = await startScripted({}, { curve: { ...agent, managerPublicKey: other.publicKey } });
    const keys = { curvePublicKey: other.publicKey, curveSecretKey: other.secretKey, curveServerKey: agent.publicKey };
    expect(await silent(dealer(first.endpoint, keys))).toBe(true);
    expect(await silent(dealer(second.endpoint, keys))).toBe(false);
  });

  it('refuses keys that are none', async () => {
    await expect(startScripted({}, { curve: { ...curve, managerPublicKey: 'x' } })).rejects.toMatchObject({
      name: 'ConfigurationError',
      field: 'agent.rpc-auth-manager-public-key',
    });
  });
});

describe('garbage', () => {
  /** A small generator with a seed, so that a failure can be had again. */
  function random(seed: number): (below: number) => number {
    let state = seed;
    return (below) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
  }

  it('of 20,000 mutated messages does not stop it from answering pings', { timeout: 60_000 }, async () => {
    const seed = Date.now() % 2 ** 32;
    const below = random(seed);
    await using scripted = await startScripted({});
    using noise = new RawPeer(scripted.endpoint);
    using probe = new RawPeer(scripted.endpoint);
    const envelope = encode({ args: [KERNEL, SESSION, 'x', {}], kwargs: { agent_id: 'i-test' } });
    const templates = ['ping', 'get_status', 'execute', 'create_kernels', 'nonsense'].map((meth, seq) => [
      Buffer.from('UPPER'),
      Buffer.from(encode({ type: 1, meth, okey: new Uint8Array(), seq, zip: false })),
      Buffer.from(encode({ meta: new Uint8Array(), body: envelope })),
    ]);
    templates.push([Buffer.from('PING'), Buffer.alloc(0), Buffer.alloc(0)]);

    const drained = (async () => {
      let replies = 0;
      for await (const frames of noise.socket) {
        replies += 1;
        // Whatever is answered must be readable, or it would end the Manager's receive loop.
        if (frames[0]?.toString() === 'UPPER') decode(frames[1]!);
      }
      return replies;
    })();
    for (let i = 0; i < 20_000; i += 1) {
      const frames = templates[below(templates.length)]!.map((frame) => Buffer.from(frame));
      for (let n = below(4); n > 0; n -= 1) {
        const target = below(frames.length);
        const frame = frames[target]!;
        const action = below(6);
        if (action === 0) frames.splice(target, 1);
        else if (action === 1) frames.splice(target, 0, Buffer.from([below(256), below(256)]));
        else if (action === 2) frames[target] = frame.subarray(0, below(frame.length + 1));
        else if (frame.length > 0) frame[below(frame.length)] = below(256);
        if (frames.length === 0) frames.push(Buffer.alloc(0));
      }
      await noise.socket.send(frames);
      if (i % 1_000 === 0) expect((await probe.call('ping', [i])).result, `seed ${seed}`).toBe(i);
    }
    expect((await probe.call('ping', ['end'])).result, `seed ${seed}`).toBe('end');
    const unfinished = (): boolean => {
      const { received, inFlight } = scripted.server.counters;
      return received < 20_021 || inFlight > 0;
    };
    while (unfinished()) await sleep(10);
    await sleep(50);
    const { received, ignored, rejected, inFlight } = scripted.server.counters;
    expect({ received, inFlight }).toEqual({ received: 20_021, inFlight: 0 });
    expect(ignored).toBeGreaterThan(100);
    expect(rejected).toBeGreaterThan(100);
    noise.socket.close();
    expect(await drained).toBeGreaterThan(1_000);
    expect(scripted.logger.lines.filter(({ message }) => message.includes('could not be handled'))).toEqual([]);
  });
});
