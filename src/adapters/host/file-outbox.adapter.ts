import { appendFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../application/ports/clock.port.js';
import type { IdGenerator } from '../../application/ports/id-generator.port.js';
import type { Logger } from '../../application/ports/logger.port.js';
import type { Outbox, OutboxBacklog, OutboxEntry, PutEvent } from '../../application/ports/outbox.port.js';
import type { Telemetry } from '../../application/ports/telemetry.port.js';
import { messageOf } from '../../domain/error/agent-error.js';
import { storageFailure } from '../../domain/error/errors.js';
import { type AgentEvent, kernelOf } from '../../domain/event/agent-event.js';
import { EndedKernels } from '../../domain/event/ended-kernels.js';
import { HARMFUL_TWICE, LAST_WORDS, PRECIOUS } from '../../domain/event/event-care.js';
import type { KernelId } from '../../domain/kernel/kernel-id.js';
import { hostDisk, type OutboxDisk, type OutboxFile } from './outbox-disk.js';
import { doneLine, endedLine, entryLine, HEADER, readOutbox } from './outbox-document.js';

export interface FileOutboxOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly ids: IdGenerator;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  /** Entries kept at most. */
  readonly limit?: number;
  /** In tests: another disk. */
  readonly disk?: OutboxDisk;
}

interface Writing {
  readonly text: string;
  readonly sync: boolean;
  /** When patience with the disk ends, of the monotonic clock. */
  readonly untilMs: number;
  readonly done: () => void;
}

interface Kept {
  readonly entry: OutboxEntry;
  readonly bytes: number;
}

/** Hours of an agent under load without its Manager. */
const LIMIT = 10_000;
/** A disk that is slower than this holds up nobody. */
const PATIENCE_MS = 500;
const REPAIR_MS = 1_000;
/** What was delivered is cleared away when it makes up most of a file of this size. */
const COMPACT_BYTES = 512 * 1024;
/** Of a kernel whose end is remembered. */
const ENDED_BYTES = 40;

/**
 * The outbox as an append-only file. What is announced at the same time is written at once; only the last words of
 * kernels and sessions wait for the disk's own cache as well, since all else can be found out again after a power cut.
 *
 * Everything is in memory too: the file is read at start and never again, and rewritten when that helps: when it is
 * mostly of the past, or when a write failed.
 */
export class FileOutbox implements Outbox, AsyncDisposable {
  readonly #options: FileOutboxOptions;
  readonly #disk: OutboxDisk;
  readonly #entries = new Map<string, Kept>();
  readonly #ended: EndedKernels;
  /** Kernels whose end is among the entries. */
  readonly #endsWaiting = new Set<KernelId>();
  /** Random, so that a life whose last words a power cut took back gives its ids to nobody. */
  readonly #life: string;
  readonly #stop = new AbortController();
  readonly #closed = new AbortController();
  readonly #queue: Writing[] = [];
  /** What somebody waits for, the oldest first. */
  readonly #awaited = new Set<Writing>();
  #isWatched = false;
  #count = 0;
  /** Of the entries, as lines. */
  #liveBytes = 0;
  #fileBytes = 0;
  /** Only the writer touches it. Undefined after a failure, until all of it is written anew. */
  #file: OutboxFile | undefined;
  #writing: Promise<void> | undefined;
  #repairing: Promise<void> = Promise.resolve();
  #retryAtMs = 0;

  private constructor(options: FileOutboxOptions, entries: readonly OutboxEntry[], ended: EndedKernels) {
    this.#options = options;
    this.#disk = options.disk ?? hostDisk;
    this.#ended = ended;
    this.#life = options.ids.hex(6);
    for (const entry of entries) this.#add(entry, entryLine(entry));
  }

  /** @throws StorageError when the file can be neither read nor made. */
  static async open(options: FileOutboxOptions): Promise<FileOutbox> {
    const { path, logger } = options;
    try {
      const document = readOutbox((await (options.disk ?? hostDisk).read(path)) ?? Buffer.alloc(0));
      const ended = new EndedKernels(document.ended);
      for (const event of document.told) ended.admit(event, () => false);
      if (document.broken.length > 0) await setAside(options, document.broken);
      if (document.torn) logger.info('an event that was being stored when the agent died is not complete');
      const outbox = new FileOutbox(options, document.entries, ended);
      await outbox.#rewrite();
      return outbox;
    } catch (cause) {
      throw storageFailure(`cannot open the outbox ${path}: ${messageOf(cause)}`, {
        ...{ cause, retryable: true },
        hint: 'check free space and permissions of the state folder',
      });
    }
  }

  waiting(): readonly OutboxEntry[] {
    return [...this.#entries.values()].map(({ entry }) => entry);
  }

  backlog(): OutboxBacklog {
    const [oldest] = this.#entries.values();
    return { entries: this.#entries.size, oldestAtMs: oldest?.entry.atMs };
  }

  put(event: AgentEvent): PutEvent | undefined {
    if (!this.#ended.admit(event, (id) => this.#endsWaiting.has(id)) || this.#isOnItsWay(event)) return undefined;
    const entry = { id: `${this.#life}-${++this.#count}`, atMs: this.#options.clock.now(), event };
    const line = entryLine(entry);
    this.#add(entry, line);
    const stored = this.#write(line, LAST_WORDS.has(event.name));
    return { entry, stored, givenUp: this.#giveUp() };
  }

  async remove(ids: readonly string[]): Promise<void> {
    const known = ids.filter((id) => this.#drop(id));
    if (known.length > 0) await this.#write(doneLine(known), false);
  }

  /** Waits for what is being written, and tries once more what the disk did not take. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#repairing;
    await this.#write('', false);
    this.#closed.abort();
    // What still hangs keeps its file: the descriptor must not become another file's meanwhile.
    if (this.#writing === undefined) await this.#file?.close().catch(() => undefined);
  }

  #add(entry: OutboxEntry, line: string): void {
    const bytes = Buffer.byteLength(line);
    this.#entries.set(entry.id, { entry, bytes });
    this.#liveBytes += bytes;
    const end = endOf(entry.event);
    if (end !== undefined) this.#endsWaiting.add(end);
  }

  #drop(id: string): boolean {
    const kept = this.#entries.get(id);
    if (kept === undefined) return false;
    this.#entries.delete(id);
    this.#liveBytes -= kept.bytes;
    const end = endOf(kept.entry.event);
    if (end !== undefined) this.#endsWaiting.delete(end);
    return true;
  }

  /** An earlier life said it, and nobody has heard it yet. */
  #isOnItsWay(event: AgentEvent): boolean {
    if (!HARMFUL_TWICE.has(event.name)) return false;
    return [...this.#entries.values()].some(({ entry }) => isDeepStrictEqual(entry.event, event));
  }

  #giveUp(): readonly OutboxEntry[] {
    if (this.#entries.size <= (this.#options.limit ?? LIMIT)) return [];
    const victim = this.#leastMissed();
    if (victim === undefined) return [];
    void this.remove([victim.id]);
    this.#options.telemetry.count('backendai_agent_events_dropped', { event_type: victim.event.name });
    this.#options.logger.error('too many events wait for the Manager; one was given up', { event: victim.event.name });
    return [victim];
  }

  /** The oldest that can be missed, or else the oldest. */
  #leastMissed(): OutboxEntry | undefined {
    let oldest: OutboxEntry | undefined;
    for (const { entry } of this.#entries.values()) {
      if (!PRECIOUS.has(entry.event.name)) return entry;
      oldest ??= entry;
    }
    return oldest;
  }

  /** Resolves when it is written, the disk did not take it, or it took too long: a disk that hangs must not hang the agent. */
  #write(text: string, sync: boolean): Promise<void> {
    return new Promise((resolve) => {
      const writing = { text, sync, untilMs: this.#options.clock.monotonic() + PATIENCE_MS, done: resolve };
      this.#queue.push(writing);
      this.#awaited.add(writing);
      this.#writing ??= this.#drain();
      if (!this.#isWatched) void this.#watch();
    });
  }

  /** One timer for all that is awaited, not one for each. */
  async #watch(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closed;
    this.#isWatched = true;
    for (let [oldest] = this.#awaited; oldest !== undefined && !signal.aborted; [oldest] = this.#awaited) {
      const leftMs = oldest.untilMs - clock.monotonic();
      if (leftMs <= 0) this.#settle(oldest);
      else await clock.sleep(leftMs, signal).catch(() => undefined);
    }
    this.#isWatched = false;
  }

  #settle(writing: Writing): void {
    this.#awaited.delete(writing);
    writing.done();
  }

  /** Everything that is queued at one time in one write. */
  async #drain(): Promise<void> {
    // What is announced in the same turn belongs together.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0);
      try {
        await this.#append(
          batch.map(({ text }) => text).join(''),
          batch.some(({ sync }) => sync),
        );
      } catch (error) {
        this.#fail(error);
      }
      for (const writing of batch) this.#settle(writing);
    }
    // In the same turn as the last look at the queue: what comes now starts the next drain.
    this.#writing = undefined;
  }

  async #append(text: string, sync: boolean): Promise<void> {
    if (this.#file === undefined) {
      if (this.#options.clock.monotonic() >= this.#retryAtMs) await this.#recover();
      return;
    }
    await this.#file.append(text);
    this.#fileBytes += Buffer.byteLength(text);
    const needed = this.#liveBytes + this.#ended.size * ENDED_BYTES;
    if (this.#fileBytes > COMPACT_BYTES && this.#fileBytes > 2 * needed) await this.#rewrite();
    else if (sync) await this.#file.sync();
  }

  #fail(error: unknown): void {
    const { clock, logger, telemetry } = this.#options;
    const file = this.#file;
    this.#file = undefined;
    this.#retryAtMs = clock.monotonic() + REPAIR_MS;
    if (file === undefined) {
      logger.debug(`events still cannot be stored: ${messageOf(error)}`);
      return;
    }
    void file.close().catch(() => undefined);
    telemetry.gauge('backendai_agent_outbox_unstored', 1);
    logger.error(
      `events cannot be stored: ${messageOf(error)}; they are kept in memory, sent, and stored as soon as that works`,
      { path: this.#options.path, hint: 'check free space and permissions of the state folder' },
    );
    this.#repairing = this.#repair();
  }

  async #repair(): Promise<void> {
    const { signal } = this.#stop;
    while (this.#file === undefined) {
      await this.#options.clock.sleep(REPAIR_MS, signal).catch(() => undefined);
      this.#retryAtMs = 0;
      await this.#write('', false);
      if (signal.aborted) return;
    }
  }

  async #recover(): Promise<void> {
    await this.#rewrite();
    this.#options.telemetry.gauge('backendai_agent_outbox_unstored', 0);
    this.#options.logger.info('events are stored again', { entries: this.#entries.size });
  }

  /** Everything that is in memory at this moment, in place of the file. */
  async #rewrite(): Promise<void> {
    const ended = this.#ended.ids();
    const lines = this.waiting().map(entryLine);
    const content = [HEADER, ...(ended.length > 0 ? [endedLine(ended)] : []), ...lines].join('');
    await this.#disk.replace(this.#options.path, content);
    const before = this.#file;
    this.#file = await this.#disk.openForAppend(this.#options.path);
    this.#fileBytes = Buffer.byteLength(content);
    await before?.close().catch(() => undefined);
  }
}

function endOf(event: AgentEvent): KernelId | undefined {
  return event.name === 'kernel_terminated' ? kernelOf(event) : undefined;
}

/** A broken record is no use here, but may be to a person. */
async function setAside({ path, logger }: FileOutboxOptions, broken: readonly Buffer[]): Promise<void> {
  const to = `${path}.broken`;
  logger.error('stored events were broken and set aside', { events: broken.length, path: to });
  const content = Buffer.concat(broken.flatMap((bytes) => [bytes, Buffer.from('\n')]));
  await appendFile(to, content, { mode: 0o600 }).catch((error: unknown) => {
    logger.warn(`they could not be set aside: ${messageOf(error)}`, { path: to });
  });
}
