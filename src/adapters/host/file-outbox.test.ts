import fc from 'fast-check';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { creating, lifeOf, preparing, putAll, terminated } from '../../../test/support/event-sender.js';
import { silentTelemetry } from '../../../test/support/fake-node.js';
import { ManualClock, settle } from '../../../test/support/manual-clock.js';
import { MemoryLogger } from '../../../test/support/memory-logger.js';
import { realClock } from '../../../test/support/real-clock.js';
import type { Clock } from '../../application/ports/clock.port.js';
import type { AgentEvent } from '../../domain/event/agent-event.js';
import { FileOutbox } from './file-outbox.adapter.js';
import type { OutboxDisk } from './outbox-disk.js';
import { readOutbox } from './outbox-document.js';
import { SystemIdGenerator } from './system-id-generator.adapter.js';

let folder: string;
let path: string;
let logger: MemoryLogger;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'outbox-'));
  path = join(folder, 'state', 'outbox');
  logger = new MemoryLogger();
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = (options: { disk?: OutboxDisk; limit?: number; clock?: Clock } = {}) =>
  FileOutbox.open({
    ...{ path, clock: realClock, ids: new SystemIdGenerator(), logger, telemetry: silentTelemetry, ...options },
  });
const eventsOf = (outbox: FileOutbox) => outbox.waiting().map(({ event }) => event);
const messages = (level: string) => logger.lines.filter((line) => line.level === level).map(({ message }) => message);

describe('FileOutbox', () => {
  it('cuts a torn tail, wherever it was torn, and tells of nothing broken', async () => {
    const events = [...lifeOf(1), ...lifeOf(2)];
    await using first = await open();
    await putAll(first, events);
    const whole = readFileSync(path);
    const ends = [...whole.keys()].filter((at) => whole[at] === 10);
    for (let length = 0; length <= whole.length; length++) {
      const { entries, broken } = readOutbox(whole.subarray(0, length));
      // The first line is the header.
      const complete = Math.max(0, ends.filter((at) => at < length).length - 1);
      expect(entries.map(({ event }) => event)).toEqual(events.slice(0, complete));
      expect(broken).toEqual([]);
    }
    writeFileSync(path, whole.subarray(0, whole.length - 7));
    await using second = await open();
    expect(eventsOf(second)).toEqual(events.slice(0, -1));
    expect(messages('error')).toEqual([]);
    // What was announced only half was not told to anybody.
    expect(second.put(terminated(2))).toBeDefined();
  });

  it('sets a broken entry aside, tells it, and keeps the others', async () => {
    const events = [preparing(1), preparing(2), preparing(3)];
    await using first = await open();
    await putAll(first, events);
    const whole = readFileSync(path);
    whole[whole.indexOf('000000000002')] = 0x58;
    writeFileSync(path, whole);
    await using second = await open();
    expect(eventsOf(second)).toEqual([preparing(1), preparing(3)]);
    expect(messages('error')).toEqual(['stored events were broken and set aside']);
    expect(readFileSync(`${path}.broken`, 'utf8')).toContain('X00000000002');
    // The file itself is whole again.
    await using third = await open();
    expect(eventsOf(third)).toEqual([preparing(1), preparing(3)]);
    expect(messages('error')).toHaveLength(1);
  });

  it('takes any bytes for what they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.uint8Array({ maxLength: 50 }), (head, tail) => {
        const document = readOutbox(Buffer.concat([head, Buffer.from('\n'), tail]));
        expect(document.entries).toEqual([]);
      }),
    );
  });

  it('keeps events in memory while the disk is full, says so, and writes them as soon as it can', async () => {
    const disk = new FaultyDisk();
    const clock = new ManualClock();
    const outbox = await open({ disk, clock });
    await putAll(outbox, [preparing(1)]);
    disk.isFull = true;
    await putAll(outbox, [creating(1), preparing(2)]);
    await putAll(outbox, [terminated(1)]);
    expect(eventsOf(outbox)).toHaveLength(4);
    expect(messages('error')).toEqual([expect.stringContaining('no space left')]);
    await clock.advance(5_000);
    expect(readOutbox(disk.content).entries.map(({ event }) => event)).toEqual([preparing(1)]);
    disk.isFull = false;
    await clock.advance(2_000);
    await settle();
    expect(messages('info')).toEqual(['events are stored again']);
    await putAll(outbox, [terminated(2)]);
    expect(readOutbox(disk.content).entries.map(({ event }) => event)).toEqual(eventsOf(outbox));
    expect(readOutbox(disk.content).broken).toEqual([]);
    await outbox[Symbol.asyncDispose]();
  });

  it('waits for a disk that hangs half a second, not longer', async () => {
    const disk = new FaultyDisk();
    const clock = new ManualClock();
    const outbox = await open({ disk, clock });
    const resume = disk.hang();
    const stored: number[] = [];
    const put = (number: number) => void outbox.put(terminated(number))?.stored.then(() => stored.push(number));
    put(1);
    await clock.advance(300);
    put(2);
    await clock.advance(199);
    expect(stored).toEqual([]);
    await clock.advance(2);
    expect(stored).toEqual([1]);
    await clock.advance(297);
    expect(stored).toEqual([1]);
    await clock.advance(2);
    expect(stored).toEqual([1, 2]);
    resume();
    await outbox[Symbol.asyncDispose]();
    expect(readOutbox(disk.content).entries).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });

  it('waits for the disk’s cache only with the last words of a kernel', async () => {
    const disk = new FaultyDisk();
    await using outbox = await open({ disk });
    await putAll(outbox, [preparing(1), creating(1)]);
    expect(disk.syncs).toBe(0);
    await putAll(
      outbox,
      Array.from({ length: 50 }, (_, n) => terminated(n + 1)),
    );
    expect(disk.syncs).toBe(1);
  });

  it('gives up the oldest that can be missed when there are too many', async () => {
    await using outbox = await open({ limit: 3 });
    await putAll(outbox, [terminated(1), preparing(2), preparing(3)]);
    const put = outbox.put(terminated(4));
    expect(put?.givenUp.map(({ event }) => event)).toEqual([preparing(2)]);
    await putAll(outbox, [terminated(5), terminated(6)]);
    expect(eventsOf(outbox)).toEqual([terminated(4), terminated(5), terminated(6)]);
    expect(messages('error')).toHaveLength(3);
  });

  it('clears away what was delivered', async () => {
    await using outbox = await open();
    for (let n = 0; n < 4_000; n++) {
      const put = outbox.put(preparing(n));
      await put?.stored;
      await outbox.remove([put!.entry.id]);
    }
    expect(statSync(path).size).toBeLessThan(700_000);
    await using later = await open();
    expect(later.waiting()).toEqual([]);
    expect(statSync(path).size).toBeLessThan(100);
  });

  it('loses nothing that is put while it clears away', async () => {
    await using outbox = await open();
    const kept: AgentEvent[] = [];
    const work: Promise<void>[] = [];
    for (let n = 0; n < 6_000; n++) {
      const put = outbox.put(preparing(n));
      work.push(put!.stored);
      if (n % 100 === 0) kept.push(preparing(n));
      else work.push(outbox.remove([put!.entry.id]));
      if (n % 50 === 0) await Promise.all(work.splice(0));
    }
    await Promise.all(work);
    await using later = await open();
    expect(eventsOf(later)).toEqual(kept);
  });

  it('says what is wrong when the file can be neither read nor made', async () => {
    writeFileSync(join(folder, 'state'), 'a file where a folder should be');
    await expect(open()).rejects.toMatchObject({
      name: 'StorageError',
      message: expect.stringContaining(path) as string,
    });
  });
});

/** A disk of one file in memory. */
class FaultyDisk implements OutboxDisk {
  content = Buffer.alloc(0);
  isFull = false;
  syncs = 0;
  #hanging: Promise<void> | undefined;

  hang(): () => void {
    const { promise, resolve } = deferred();
    this.#hanging = promise;
    return resolve;
  }

  read = () => Promise.resolve(this.content);

  replace = async (_path: string, content: string) => {
    await this.#work();
    this.content = Buffer.from(content);
  };

  openForAppend = () =>
    Promise.resolve({
      append: async (text: string) => {
        // Some of it fits.
        const part = this.isFull ? text.slice(0, text.length / 3) : text;
        this.content = Buffer.concat([this.content, Buffer.from(part)]);
        await this.#work();
      },
      sync: () => {
        this.syncs++;
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    });

  async #work(): Promise<void> {
    await this.#hanging;
    if (this.isFull) throw new Error('ENOSPC: no space left on device');
  }
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((end) => (resolve = end));
  return { promise, resolve };
}
