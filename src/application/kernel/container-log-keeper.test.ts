import 'reflect-metadata';
import { Readable } from 'node:stream';
import { inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { settle } from '../../../test/support/manual-clock.js';
import { type MeasuredKernel, StateBench } from '../../../test/support/state-bench.js';
import { ZlibLogChunkCodec } from '../../adapters/host/zlib-log-chunk-codec.adapter.js';
import type { AgentSettings } from '../agent-settings.js';
import type { ContainerEngine } from '../ports/container-engine.port.js';
import { ContainerLogKeeper } from './container-log-keeper.js';
import { pieces } from './pieces.js';

const KIB = 1024;
const container = { logChunkBytes: 64 * KIB, logMaxLengthBytes: 1024 * KIB } as AgentSettings['container'];

let bench: StateBench;
let kernel: MeasuredKernel;
let keeper: ContainerLogKeeper;
/** What the engine gives for the log; `hangs` = nothing for ever. */
let log: readonly Uint8Array[] | Error | 'hangs';
let reads: number;
let appended: string[];

beforeEach(() => {
  bench = new StateBench({ container });
  kernel = bench.addKernel(1, { state: 'TERMINATING' });
  log = [Buffer.from('hello\n')];
  reads = 0;
  appended = [];
  const append = bench.state.append.bind(bench.state);
  Object.assign(bench.state, {
    append: async (...args: Parameters<typeof append>) => {
      await append(...args);
      appended.push(...(args[2] as string[]));
    },
  });
  const containerLogs = async function* (_: string, __: unknown, { signal }: { signal: AbortSignal }) {
    reads += 1;
    if (log instanceof Error) throw log;
    if (log === 'hangs') {
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
      return;
    }
    yield* log;
  };
  const engine = { containerLogs } as unknown as ContainerEngine;
  const { settings, state, events, clock, logger } = bench;
  keeper = new ContainerLogKeeper(settings, engine, state, new ZlibLogChunkCodec(), events, clock, logger);
});

/** Lets things happen that take real time: compression is done by other threads. */
async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 5_000;
  while (performance.now() < end && !(await isTrue())) await settle();
  expect(await isTrue()).toBe(true);
}

/** As a Manager puts the pieces together. */
const joined = (): Buffer =>
  Buffer.concat(
    appended.map((chunk) => {
      const { compress_type, content } = JSON.parse(chunk) as { compress_type: string; content: string };
      expect(compress_type).toBe('zlib');
      return inflateSync(Buffer.from(content, 'base64'));
    }),
  );
const told = () => bench.told.map(({ name }) => name);

describe('ContainerLogKeeper', () => {
  it('stores the log in pieces, for an hour, and then tells the Manager', async () => {
    log = [Buffer.alloc(100 * KIB, 'a'), Buffer.alloc(60 * KIB, 'b')];
    await keeper.keep(kernel);
    expect(appended).toHaveLength(3);
    expect(joined()).toEqual(Buffer.concat(log as Buffer[]));
    expect(bench.told).toEqual([
      { name: 'do_sync_kernel_logs', body: { kernel_id: kernel.kernel.id, container_id: 'c1' } },
    ]);
    expect(await bench.state.lengthOf('container_log', 'containerlog.c1')).toBe(3);
    await bench.clock.advance(3_600_000);
    expect(await bench.state.lengthOf('container_log', 'containerlog.c1')).toBe(0);
  });

  it('writes a piece as it is documented', async () => {
    await keeper.keep(kernel);
    expect(appended).toEqual(['{"compress_type":"zlib","content":"eJzLSM3JyecCAAhLAh8="}']);
  });

  it('takes the place of what an earlier attempt left behind', async () => {
    await bench.state.append('container_log', 'containerlog.c1', ['half', 'of', 'it'], 3_600);
    await keeper.keep(kernel);
    expect(await bench.state.lengthOf('container_log', 'containerlog.c1')).toBe(1);
  });

  it('tells also of an empty log, and does it once if the end of the kernel is repeated', async () => {
    log = [];
    await keeper.keep(kernel);
    await keeper.keep(kernel);
    expect(told()).toEqual(['do_sync_kernel_logs']);
    expect(reads).toBe(1);
  });

  it.each<[string, () => unknown]>([
    ['that is restarted', () => (kernel = bench.addKernel(2, { state: 'RESTARTING' }))],
    ['that has no container', () => (kernel.kernel.containerId = null)],
    ['whose end is not told', () => (kernel.kernel.endsSilently = true)],
    ['of an agent on its own', () => Object.assign(bench.state, { isShared: false })],
  ])('does nothing for a kernel %s', async (_, change) => {
    change();
    await keeper.keep(kernel);
    expect([reads, told()]).toEqual([0, []]);
  });

  it('does not hold up the end of a kernel for long, whatever the engine does', async () => {
    log = new Error('no such container');
    await keeper.keep(kernel);
    log = 'hangs';
    let isDone = false;
    void keeper.keep(kernel).then(() => (isDone = true));
    await bench.clock.advance(9_999);
    expect(isDone).toBe(false);
    await bench.clock.advance(1);
    await until(() => isDone);
    expect(told()).toEqual([]);
    log = [Buffer.from('now it answers')];
    await keeper.keep(kernel);
    expect(told()).toEqual(['do_sync_kernel_logs']);
  });

  it('stores the log when the store is back, without holding up the kernel until then', async () => {
    bench.isAway = true;
    let isDone = false;
    void keeper.keep(kernel).then(() => (isDone = true));
    await until(() => bench.clock.pending > 1);
    await bench.clock.advance(2_000);
    await until(() => isDone);
    await bench.clock.advance(60_000);
    expect(told()).toEqual([]);
    bench.isAway = false;
    await bench.clock.advance(10_000);
    await until(() => told().length > 0);
    expect(joined().toString()).toBe('hello\n');
    expect(bench.clock.pending).toBe(0);
  });

  it('gives a log up after ten minutes, and when the agent stops', async () => {
    bench.isAway = true;
    void keeper.keep(kernel);
    await until(() => bench.clock.pending > 1);
    await bench.clock.advance(620_000);
    expect(bench.clock.pending).toBe(0);
    void keeper.keep(bench.addKernel(2, { state: 'TERMINATING' }));
    await until(() => bench.clock.pending > 1);
    keeper[Symbol.dispose]();
    await until(() => bench.clock.pending === 0);
    bench.isAway = false;
    await bench.clock.advance(60_000);
    expect(told()).toEqual([]);
    expect(bench.logger.lines.filter(({ message }) => message.includes('is lost'))).toHaveLength(2);
  });

  it('reads no more than twice of what the engine should keep', async () => {
    log = Array.from({ length: 100 }, () => Buffer.alloc(64 * KIB, 'x'));
    await keeper.keep(kernel);
    expect(joined().length).toBe(33 * 64 * KIB);
  });

  it('writes nothing in place of a log that could only be read in part', async () => {
    log = (function* () {
      yield Buffer.alloc(200 * KIB);
      throw new Error('the connection is lost');
    })() as unknown as readonly Uint8Array[];
    await keeper.keep(kernel);
    expect([appended, told()]).toEqual([[], []]);
  });
});

describe('pieces', () => {
  it('are the same bytes, all of one length but for the last', async () => {
    const stream = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(stream, fc.integer({ min: 1, max: 50 }), async (chunks, size) => {
        const cut: Uint8Array[] = [];
        for await (const piece of pieces(Readable.from(chunks), size)) cut.push(piece);
        expect(Buffer.concat(cut)).toEqual(Buffer.concat(chunks));
        expect(cut.slice(0, -1).every(({ length }) => length === size)).toBe(true);
        expect(cut.every(({ length }) => length > 0 && length <= size)).toBe(true);
      }),
    );
  });
});
