import { setTimeout as sleep } from 'node:timers/promises';
import { decode, encode } from '@msgpack/msgpack';
import { Dealer } from 'zeromq';
import { describe, expect, it } from 'vitest';
import { plausibleUseCases, RUN } from '../../../test/support/plausible-use-cases.js';
import { RawPeer, startScripted } from '../../../test/support/rpc-peer.js';
import { CREATED, KERNEL, SESSION } from '../../../test/support/scripted-use-cases.js';
import type { UseCases } from '../../application/use-cases.js';

const MIB = 1024 * 1024;

/** Code runs until the test says so. */
function gated() {
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const script: Partial<UseCases> = {
    execute: async ({ runId }) => {
      await gate;
      return { ...RUN, runId: runId ?? '' };
    },
  };
  return { script, open };
}

describe('a busy server', () => {
  it('holds 1,000 calls in flight, answers pings meanwhile, and then every call', async () => {
    const { script, open } = gated();
    await using scripted = await startScripted(script);
    using peer = new RawPeer(scripted.endpoint);
    for (let i = 0; i < 1_000; i += 1) await peer.send('execute_code', [KERNEL, 'x', `run-${i}`]);
    while (scripted.server.counters.inFlight < 1_000) await sleep(5);
    expect((await peer.call('ping', ['alive'])).result).toBe('alive');
    open();
    const seen = new Set<unknown>();
    for (let i = 0; i < 1_000; i += 1) seen.add(((await peer.receive()).result as { runId: string }).runId);
    expect(seen.size).toBe(1_000);
    expect(scripted.server.counters).toMatchObject({ answered: 1_001, inFlight: 0, dropped: 0 });
  });

  it('serves a second Manager while the first has all it may have', async () => {
    const { script, open } = gated();
    await using scripted = await startScripted({ ...script, interrupt: () => Promise.resolve() });
    using greedy = new RawPeer(scripted.endpoint);
    using other = new RawPeer(scripted.endpoint);
    for (let i = 0; i < 1_100; i += 1) await greedy.send('execute_code', [KERNEL, 'x']);
    while (scripted.server.counters.received < 1_100) await sleep(5);
    expect(await other.call('interrupt_kernel', [KERNEL])).toMatchObject({ result: { status: 'finished' } });
    for (let i = 0; i < 76; i += 1) expect((await greedy.receive()).failure[0]).toBe('ServerOverloadedError');
    // The same ids on two connections are different calls.
    await other.cancel('execute_code', 0);
    open();
    for (let i = 0; i < 1_024; i += 1) expect((await greedy.receive()).type).toBe(2);
    expect(scripted.server.counters).toMatchObject({ inFlight: 0, cancelled: 0, dropped: 0 });
  });

  it('takes an upload of 50 MB, and two at once', { timeout: 60_000 }, async () => {
    const sizes: number[] = [];
    await using scripted = await startScripted({
      files: {
        ...plausibleUseCases().files!,
        upload: (_, path, data) => {
          if (data.some((byte) => byte !== path.charCodeAt(0))) throw new Error('not what was sent');
          sizes.push(data.length);
          return Promise.resolve();
        },
      },
    });
    using peer = new RawPeer(scripted.endpoint);
    for (const name of ['a', 'b']) await peer.send('upload_file', [KERNEL, name, Buffer.alloc(50_000_000, name)]);
    expect([(await peer.receive()).type, (await peer.receive()).type]).toEqual([2, 2]);
    expect(sizes).toEqual([50_000_000, 50_000_000]);
    await peer.send('upload_file', [KERNEL, 'a', Buffer.alloc(65 * MIB)]);
    expect((await peer.receive()).failure[1]).toContain('larger than');
    expect((await peer.call('ping', ['x'])).result).toBe('x');
  });

  it('begins the calls of one batch in their order', async () => {
    const order: string[] = [];
    await using scripted = await startScripted({
      createKernel: ({ kernelId }) => {
        order.push(`create ${kernelId}`);
        return Promise.resolve(CREATED);
      },
      execute: ({ kernelId }) => {
        order.push(`execute ${kernelId}`);
        return Promise.resolve(RUN);
      },
      destroyKernel: ({ kernelId }) => {
        order.push(`destroy ${kernelId}`);
        return Promise.resolve();
      },
    });
    using peer = new RawPeer(scripted.endpoint);
    await peer.call('ping', ['connected']);
    const ids = Array.from({ length: 100 }, (_, i) => `11111111-1111-4111-8111-${String(i).padStart(12, '0')}`);
    for (const id of ids) {
      await peer.send('create_kernel', [{ kernel_id: id, image: 'python:3.12' }]);
      await peer.send('execute', [SESSION, id, 3, 'r', 'query', 'x', {}, 2]);
      await peer.send('destroy_kernel', [id, SESSION]);
    }
    for (let i = 0; i < 300; i += 1) expect((await peer.receive()).type).toBe(2);
    expect(order).toEqual(ids.flatMap((id) => [`create ${id}`, `execute ${id}`, `destroy ${id}`]));
  });

  it('does not begin what was cancelled while the agent was away', async () => {
    const begun: string[] = [];
    const script: Partial<UseCases> = {
      destroyKernel: ({ kernelId }) => {
        begun.push(kernelId);
        return Promise.resolve();
      },
    };
    const before = await startScripted(script);
    const { endpoint: address } = before;
    using peer = new RawPeer(address);
    await peer.call('ping', ['connected']);
    await before[Symbol.asyncDispose]();
    await sleep(100);
    for (let i = 0; i < 100; i += 1) {
      const seq = await peer.send('destroy_kernel', [KERNEL, SESSION]);
      await peer.cancel('destroy_kernel', seq);
    }
    await using scripted = await startScripted(script, { address });
    expect((await peer.call('ping', ['back'])).result).toBe('back');
    while (scripted.server.counters.inFlight > 0) await sleep(5);
    // A CANCEL that is still on its way is no fault: nearly all of them came together with their calls.
    expect(begun.length).toBeLessThan(10);
    expect(scripted.server.counters).toMatchObject({ inFlight: 0 });
    expect(scripted.server.counters.cancelled).toBeGreaterThan(90);
  });
});

describe('a peer that does not read', () => {
  it(
    'loses results instead of taking memory, and is told so; another is served at once',
    { timeout: 60_000 },
    async () => {
      const size = MIB / 4;
      await using scripted = await startScripted(
        { files: { ...plausibleUseCases().files!, downloadFile: () => Promise.resolve(Buffer.alloc(size, 7)) } },
        { limits: { maxPeerWaitingBytes: 8 * MIB } },
      );
      using other = new RawPeer(scripted.endpoint);
      const slow = new Dealer({ linger: 0, receiveHighWaterMark: 1, receiveTimeout: 3_000 });
      slow.connect(scripted.endpoint);
      const asked = 800;
      for (let seq = 0; seq < asked; seq += 1) {
        await slow.send([
          'UPPER',
          encode({ type: 1, meth: 'download_single', okey: new Uint8Array(), seq, zip: false }),
          encode({ meta: new Uint8Array(), body: encode({ args: [KERNEL, 'a'], kwargs: {} }) }),
        ]);
        if (seq % 100 === 0) expect((await other.call('ping', [seq])).result).toBe(seq);
      }
      while (scripted.server.counters.received < asked + 8) await sleep(5);
      while (scripted.server.counters.inFlight > 0) await sleep(5);
      const { dropped } = scripted.server.counters;
      // What is left: 64 in the socket, 32 of ours, and what the kernel's buffers on both ends hold.
      expect(dropped).toBeGreaterThan(asked / 2);
      expect(scripted.logger.lines.filter(({ message }) => message.includes('does not read'))).toHaveLength(1);
      expect((await other.call('ping', ['still'])).result).toBe('still');

      const seen = new Map<unknown, number>();
      for (let read = 0; read < asked; read += 1) {
        const [, header, body] = (await slow.receive()) as [Buffer, Buffer, Buffer];
        const { type } = decode(header) as { type: unknown };
        seen.set(type, (seen.get(type) ?? 0) + 1);
        if (type === 2) expect(body.length).toBeGreaterThan(size);
        else expect(body.toString()).toContain('ServerOverloadedError');
      }
      expect([...seen]).toEqual([
        [2, asked - dropped],
        [3, dropped],
      ]);
      await slow.send([
        'UPPER',
        encode({ type: 1, meth: 'ping', okey: new Uint8Array(), seq: asked, zip: false }),
        encode({ meta: new Uint8Array(), body: encode({ args: ['back'], kwargs: {} }) }),
      ]);
      const [, header] = (await slow.receive()) as [Buffer, Buffer];
      expect(decode(header)).toMatchObject({ type: 2, meth: 'ping', seq: asked });
      slow.close();
    },
  );

  it('that leaves with calls in flight leaves nothing behind', async () => {
    const { script, open } = gated();
    await using scripted = await startScripted(script);
    const leaving = new RawPeer(scripted.endpoint);
    for (let i = 0; i < 50; i += 1) await leaving.send('execute_code', [KERNEL, 'x']);
    while (scripted.server.counters.inFlight < 50) await sleep(5);
    leaving[Symbol.dispose]();
    await sleep(100);
    open();
    while (scripted.server.counters.inFlight > 0) await sleep(5);
    using peer = new RawPeer(scripted.endpoint);
    expect((await peer.call('ping', ['x'])).result).toBe('x');
    expect(scripted.server.counters.dropped).toBe(50);
    expect(scripted.logger.lines.filter(({ level }) => level === 'warn')).toEqual([]);
  });
});

it('answers hundreds of calls when it closes', async () => {
  const { script } = gated();
  const scripted = await startScripted(script);
  using peer = new RawPeer(scripted.endpoint);
  for (let i = 0; i < 500; i += 1) await peer.send('execute_code', [KERNEL, 'x']);
  while (scripted.server.counters.inFlight < 500) await sleep(5);
  const closed = scripted.server[Symbol.asyncDispose]();
  for (let i = 0; i < 500; i += 1) expect((await peer.receive()).failure[0]).toBe('ServerShuttingDownError');
  await closed;
});
