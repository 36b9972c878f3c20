import { monitorEventLoopDelay } from 'node:perf_hooks';
import { encode } from '@msgpack/msgpack';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { context } from 'zeromq';
import { MemoryLogger } from '../../../test/support/memory-logger.js';
import { ScriptedRunnerPeer } from '../../../test/support/scripted-runner-peer.js';
import type { RunRecord } from '../../application/ports/kernel-runner.port.js';
import { MAX_STREAM_PAYLOAD } from './stream-decoder.js';
import { ZeroMqKernelRunner } from './zeromq-kernel-runner.js';

const STATUS = encode({ started_at: 12.5 });
const service = { name: 'jupyter', port: 8080, ports: [8080], protocol: 'http', options: {} };

describe('ZeroMqKernelRunner and a faulty peer', () => {
  let peer: ScriptedRunnerPeer;
  let runner: ZeroMqKernelRunner;
  let records: RunRecord[];
  let logger: MemoryLogger;
  const signal = AbortSignal.timeout(60_000);

  beforeEach(async () => {
    peer = await ScriptedRunnerPeer.listen();
    logger = new MemoryLogger();
    runner = new ZeroMqKernelRunner(peer.address, context, logger, 20 * 2 ** 20);
    records = [];
    runner.onRecord((record) => records.push(record));
  });

  afterEach(async () => {
    await runner[Symbol.asyncDispose]();
    await peer[Symbol.asyncDispose]();
  });

  async function until(condition: () => boolean): Promise<void> {
    for (let tries = 0; !condition(); tries += 1) {
      if (tries > 1000) throw new Error(`not reached; heard ${records.length} records`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  const answerStatus = () => {
    peer.onOp = (op) => void (op === 'status' && peer.say('status', STATUS));
  };

  it('times out on silence and stays usable', async () => {
    await expect(runner.status({ signal, timeoutMs: 50 })).rejects.toMatchObject({ name: 'TimeoutError' });
    answerStatus();
    expect(await runner.status({ signal })).toEqual({ startedAt: 12.5 });
  });

  it('gives up with the caller', async () => {
    const patience = new AbortController();
    const call = runner.status({ signal: patience.signal });
    patience.abort();
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('skips garbage, counts it, logs little of it, and goes on (W5)', async () => {
    const garbage: (string | Uint8Array)[][] = [
      ['stdout'],
      ['stdout', 'a', 'b'],
      ['', ''],
      ['no-such-kind', 'x'],
      [Buffer.from([0xff, 0xfe]), ''],
      [Buffer.alloc(100_000), Buffer.alloc(10)],
    ];
    for (const frames of garbage) await peer.say(...frames);
    await peer.say('stdout', 'still here');
    await until(() => records.length === 1);
    expect(records).toEqual([{ kind: 'stdout', text: 'still here' }]);
    expect(runner.malformed).toBe(garbage.length);
    expect(logger.lines.map((line) => line.fields['skipped_so_far'])).toEqual([1, 2, 4]);
  });

  it('ignores replies that nobody asked for', async () => {
    await peer.say('status', Buffer.from([0xc1]));
    await peer.say('service-result', '{');
    await peer.say('completion', Buffer.from([0xff]));
    await peer.say('model-service-status', 'x');
    await peer.say('stdout', 'after all that');
    await until(() => records.length === 1);
    answerStatus();
    expect(await runner.status({ signal })).toEqual({ startedAt: 12.5 });
    expect(runner.malformed).toBe(0);
  });

  it.each([
    ['status', Buffer.from([0xc1]), () => runner.status({ signal })],
    ['status', Buffer.from(encode({ started_at: 'yesterday' })), () => runner.status({ signal })],
    ['service-result', '{', () => runner.startService(service, { signal })],
    ['service-result', '{"status": "maybe"}', () => runner.startService(service, { signal })],
    ['apps-result', '{"status": "done", "data": [{}]}', () => runner.apps({ signal })],
    ['completion', '{"suggestions": "none"}', () => runner.complete({ code: '' }, { signal })],
  ] as const)('says that a %s is malformed', async (kind, payload, call) => {
    peer.onOp = () => void peer.say(kind, payload);
    await expect(call()).rejects.toMatchObject({
      name: 'KernelRunnerError',
      message: `the kernel runner sent a malformed '${kind}'`,
    });
  });

  it('sends what the protocol wants for services, completions and notifications', async () => {
    peer.onOp = (op) => {
      if (op === 'start-service') void peer.say('service-result', '{"status": "failed", "error": "busy"}');
      if (op === 'complete') void peer.say('completion', '{"suggestions": ["print"]}');
    };
    expect(await runner.startService(service, { signal })).toEqual({ status: 'failed', error: 'busy' });
    expect(await runner.complete({ code: 'pri' }, { signal })).toEqual(['print']);
    await runner.shutdownService('jupyter');
    await runner.notify('oom', {});
    await until(() => peer.received.length === 4);
    expect(peer.received[0]?.[0]).toBe('start-service');
    expect(JSON.parse(peer.received[0]![1]!)).toEqual(service);
    expect(peer.received.slice(1)).toEqual([
      ['complete', '{"code":"pri"}'],
      ['shutdown-service', '"jupyter"'],
      ['event', '{"type":"oom","data":{}}'],
    ]);
  });

  it('decodes streams across messages, each for itself, and forgets a torn character at the end of a run', async () => {
    const check = Buffer.from('✓');
    await peer.say('stdout', check.subarray(0, 2));
    await peer.say('stderr', check.subarray(0, 1));
    await peer.say('stdout', check.subarray(2));
    await peer.say('clean-finished', '{}');
    await peer.say('stderr', check.subarray(1));
    await peer.say('stdout', check.subarray(0, 2));
    await peer.say('finished', Buffer.from([0xff]));
    await peer.say('stdout', Buffer.from([0xff, 0x41]));
    await peer.say('stdout', '\uFEFFmark');
    await until(() => records.length === 6);
    expect(records).toEqual([
      { kind: 'stdout', text: '✓' },
      { kind: 'clean-finished', text: '{}' },
      { kind: 'stderr', text: '✓' },
      { kind: 'finished', text: '\uFFFD' },
      { kind: 'stdout', text: '\uFFFDA' },
      { kind: 'stdout', text: '\uFEFFmark' },
    ]);
  });

  it('cuts a stream message at 10 MiB', async () => {
    await peer.say('stdout', Buffer.alloc(MAX_STREAM_PAYLOAD + 5, 'a'));
    await peer.say('finished', '{}');
    await until(() => records.length === 2);
    expect(records[0]?.text.length).toBe(10 * 1024 * 1024);
  });

  it('does not swallow a message that would fill the memory, and goes on after it', async () => {
    await peer.say('media', Buffer.alloc(21 * 2 ** 20));
    await until(() => logger.lines.length === 1);
    expect(logger.lines[0]?.message).toContain('made anew');
    await peer.say('stdout', 'after');
    await until(() => records.length === 2);
    expect(records[0]?.text).toContain('output was lost');
    expect(records[1]).toEqual({ kind: 'stdout', text: 'after' });
  });

  it('sends many operations at once in order (EBUSY never shows)', async () => {
    const texts = Array.from({ length: 500 }, (_, index) => `line ${index}`);
    await Promise.all(texts.map((text) => runner.send('input', text)));
    await until(() => peer.received.length === texts.length);
    expect(peer.received.map(([, payload]) => payload)).toEqual(texts);
  });

  it('lets the process breathe under a flood of frames, and answers status meanwhile', async () => {
    answerStatus();
    const frames = 20_000;
    const payload = 'x'.repeat(1000);
    const flood = (async () => {
      for (let sent = 0; sent < frames; sent += 1) await peer.say('stdout', payload);
    })();
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    await runner.status({ signal, timeoutMs: 10_000 });
    await flood;
    await until(() => records.length === frames);
    delay.disable();
    expect(delay.max / 1e6).toBeLessThan(250);
  });

  it('finds a runner again that went away', async () => {
    answerStatus();
    await runner.status({ signal });
    await peer.restart();
    await expect
      .poll(async () => (await runner.status({ signal, timeoutMs: 200 }).catch(() => undefined))?.startedAt, {
        timeout: 5000,
      })
      .toBe(12.5);
    await expect
      .poll(
        async () => {
          await peer.say('stdout', 'back');
          return records.at(-1)?.text;
        },
        { timeout: 5000 },
      )
      .toBe('back');
  });

  it('drops records while nobody listens', async () => {
    runner.onRecord(undefined);
    await peer.say('stdout', 'unheard');
    answerStatus();
    await runner.status({ signal });
    runner.onRecord((record) => records.push(record));
    await peer.say('stdout', 'heard');
    await until(() => records.length > 0);
    expect(records).toEqual([{ kind: 'stdout', text: 'heard' }]);
  });

  it('closes within 100 ms, ends everything that waits, and may be closed twice', async () => {
    const waiting = Promise.allSettled([
      runner.status({ signal }),
      runner.status({ signal }),
      runner.apps({ signal }),
      runner.startService(service, { signal }),
    ]);
    const started = performance.now();
    await runner[Symbol.asyncDispose]();
    expect(performance.now() - started).toBeLessThan(100);
    for (const end of await waiting) expect(end).toMatchObject({ status: 'rejected', reason: { status: 502 } });
    await runner[Symbol.asyncDispose]();
    await expect(runner.send('code', '1')).rejects.toThrow('closed');
    await expect(runner.status({ signal })).rejects.toThrow('closed');
  });

  it('survives a listener that throws', async () => {
    let calls = 0;
    runner.onRecord(() => {
      calls += 1;
      throw new Error('listener');
    });
    await peer.say('stdout', 'one');
    await peer.say('stdout', 'two');
    await until(() => calls === 2);
    expect(logger.lines.map((line) => line.level)).toEqual(['error', 'error']);
  });
});
