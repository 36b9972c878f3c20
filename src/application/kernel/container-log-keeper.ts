import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { stateStoreFailure } from '../../domain/error/errors.js';
import type { Kernel } from '../../domain/kernel/kernel.js';
import { AgentSettings } from '../agent-settings.js';
import { Semaphore } from '../concurrency/semaphore.js';
import { waitFor } from '../concurrency/wait-for.js';
import { Clock } from '../ports/clock.port.js';
import { ContainerEngine } from '../ports/container-engine.port.js';
import { EventBus } from '../ports/event-bus.port.js';
import { LogChunkCodec } from '../ports/log-chunk-codec.port.js';
import { Logger } from '../ports/logger.port.js';
import { StateStore } from '../ports/state-store.port.js';
import type { LiveKernel } from './live-kernel.js';
import { pieces } from './pieces.js';

/** The end of a kernel waits no longer for its log to be read, and to be stored. */
const READ_MS = 10_000;
const STORE_MS = 2_000;
/** Logs that are in memory at the same time. */
const READERS = 4;
const TTL_SECONDS = 3_600;
const APPEND_BYTES = 1024 * 1024;
const LEAST_CHUNK_BYTES = 4 * 1024;
/** Of logs that wait for the store to come back, in all. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 10_000;
const GIVE_UP_MS = 600_000;

/**
 * Keeps the log of a container that ended for the Manager (state.md §7), between the end of the container and its removal.
 * A store that is away holds up no kernel: the log is stored, and told, as soon as the store is back.
 */
@injectable()
export class ContainerLogKeeper implements Disposable {
  readonly #turns = new Semaphore(READERS);
  /** Ends of kernels are repeated when something can't be removed; their logs need not be. */
  readonly #kept = new WeakSet<LiveKernel>();
  readonly #stop = new AbortController();
  #waitingBytes = 0;

  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(ContainerEngine) private readonly engine: ContainerEngine,
    @inject(StateStore) private readonly state: StateStore,
    @inject(LogChunkCodec) private readonly codec: LogChunkCodec,
    @inject(EventBus) private readonly events: EventBus,
    @inject(Clock) private readonly clock: Clock,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** Of a kernel that ends, not of one that is restarted. Never rejects. */
  async keep(live: LiveKernel): Promise<void> {
    const { kernel } = live;
    const { containerId } = kernel;
    const isWanted = this.state.isShared && kernel.state === 'TERMINATING' && !kernel.endsSilently;
    if (!isWanted || containerId === null || this.#kept.has(live)) return;
    try {
      const chunks = await this.#read(containerId);
      this.#kept.add(live);
      using deadline = this.clock.deadline(STORE_MS);
      await waitFor(this.#tell(kernel, containerId, chunks), deadline.signal);
    } catch (error) {
      this.logger.warn(`the log of a container is late or lost: ${messageOf(error)}`, { kernel_id: kernel.id });
    }
  }

  /** What waits for the store is given up. */
  [Symbol.dispose](): void {
    this.#stop.abort(new Error('the agent is stopping'));
  }

  async #read(containerId: string): Promise<readonly string[]> {
    using deadline = this.clock.deadline(READ_MS);
    const turn = await this.#turns.acquire(deadline.signal);
    return await this.#chunks(containerId, deadline.signal).finally(() => turn[Symbol.dispose]());
  }

  async #chunks(containerId: string, signal: AbortSignal): Promise<readonly string[]> {
    const { logChunkBytes, logMaxLengthBytes } = this.settings.container;
    const chunkBytes = Math.min(Math.max(logChunkBytes, LEAST_CHUNK_BYTES), APPEND_BYTES);
    const chunks: string[] = [];
    let bytes = 0;
    for await (const piece of pieces(this.engine.containerLogs(containerId, {}, { signal }), chunkBytes)) {
      chunks.push(await this.codec.encode(piece));
      bytes += piece.length;
      // The engine keeps about this much; whatever it does, ours has a bound.
      if (bytes > 2 * logMaxLengthBytes) break;
    }
    return chunks;
  }

  async #tell(kernel: Kernel, containerId: string, chunks: readonly string[]): Promise<void> {
    try {
      await this.#store(containerId, chunks);
      const body = { kernel_id: kernel.id, container_id: containerId };
      await this.events.announce({ name: 'do_sync_kernel_logs', body });
    } catch (error) {
      this.logger.warn(`the log of a container is lost: ${messageOf(error)}`, { kernel_id: kernel.id });
    }
  }

  /** Tries until it is stored, the time is over or the agent stops. */
  async #store(containerId: string, chunks: readonly string[]): Promise<void> {
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (this.#waitingBytes + bytes > MAX_WAITING_BYTES)
      throw stateStoreFailure('too many logs wait for the state store');
    this.#waitingBytes += bytes;
    try {
      const giveUpAtMs = this.clock.monotonic() + GIVE_UP_MS;
      for (let delayMs = FIRST_RETRY_MS; ; delayMs = Math.min(2 * delayMs, MAX_RETRY_MS)) {
        try {
          await this.#write(containerId, chunks);
          return;
        } catch (error) {
          if (this.clock.monotonic() >= giveUpAtMs) throw error;
          await this.clock.sleep(delayMs, this.#stop.signal);
        }
      }
    } finally {
      this.#waitingBytes -= bytes;
    }
  }

  /** From the beginning: an earlier attempt, or an earlier life of the agent, may have written some of it. */
  async #write(containerId: string, chunks: readonly string[]): Promise<void> {
    const key = `containerlog.${containerId}`;
    await this.state.delete('container_log', [key]);
    for (const batch of batches(chunks)) await this.state.append('container_log', key, batch, TTL_SECONDS);
    const stored = await this.state.lengthOf('container_log', key);
    if (stored !== chunks.length) throw stateStoreFailure(`${stored} of ${chunks.length} pieces of a log were stored`);
  }
}

/** No command is so large that it would hold up others, or run into its deadline. */
function* batches(chunks: readonly string[]): Iterable<readonly string[]> {
  let batch: string[] = [];
  let bytes = 0;
  for (const chunk of chunks) {
    if (batch.length > 0 && bytes + chunk.length > APPEND_BYTES) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(chunk);
    bytes += chunk.length;
  }
  if (batch.length > 0) yield batch;
}
