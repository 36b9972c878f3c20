import { inject, injectable } from 'inversify';
import { isAbortError, isAgentError } from '../../domain/error/agent-error.js';
import { imageNotAvailable, imagePullTimeout } from '../../domain/error/errors.js';
import type { ImageRequest, RegistryCredentials } from '../../domain/kernel/kernel-spec.js';
import { AgentSettings } from '../agent-settings.js';
import { inTurn } from '../concurrency/in-turn.js';
import { Semaphore } from '../concurrency/semaphore.js';
import { waitFor } from '../concurrency/wait-for.js';
import { Clock } from '../ports/clock.port.js';
import { ContainerEngine, type TransferProgress } from '../ports/container-engine.port.js';

type OnProgress = (progress: TransferProgress) => void;

interface Pull {
  readonly credentials: RegistryCredentials | undefined;
  readonly result: Promise<void>;
  readonly abort: AbortController;
  /** Those who wait for it. */
  readonly observers: Set<OnProgress>;
  /** The newest word about each layer, for those who come later. */
  readonly layers: Map<string, TransferProgress>;
}

/** Longest time of a pull without a configured limit: nothing awaited goes without a deadline. */
const LONGEST_PULL_MS = 24 * 3_600_000;
/** The engine's own deadline is the second net. */
const MARGIN_MS = 5_000;
const MAX_AT_ONCE = 8;

/** Pulls under way. Whoever wants the same image shares one; it goes on as long as somebody waits for it. */
@injectable()
export class SharedPulls {
  readonly #pulls = new Map<string, Pull>();
  readonly #turns = new Semaphore(MAX_AT_ONCE);

  constructor(
    @inject(ContainerEngine) private readonly engine: ContainerEngine,
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(Clock) private readonly clock: Clock,
  ) {}

  has(canonical: string): boolean {
    return this.#pulls.has(canonical);
  }

  /** How long a pull may take, in milliseconds. */
  get limitMs(): number {
    return this.settings.timeouts.pullMs ?? LONGEST_PULL_MS;
  }

  /** Firing `signal` ends this wait, and the pull if nobody else waits. */
  async pull(request: ImageRequest, onProgress: OnProgress, signal: AbortSignal): Promise<void> {
    for (;;) {
      const pull = this.#pulls.get(request.canonical) ?? this.#begin(request);
      try {
        await this.#attend(request.canonical, pull, onProgress, signal);
        return;
      } catch (error) {
        signal.throwIfAborted();
        // What another's credentials are refused, one's own may be given.
        const isRefused = isAgentError(error) && error.name === 'ImageNotAvailable';
        if (!isRefused || isSame(pull.credentials, request.credentials)) throw error;
      }
    }
  }

  async #attend(canonical: string, pull: Pull, onProgress: OnProgress, signal: AbortSignal): Promise<void> {
    // Two waiters may bring the same function.
    const observer: OnProgress = (progress) => onProgress(progress);
    pull.observers.add(observer);
    for (const progress of pull.layers.values()) observer(progress);
    try {
      await waitFor(pull.result, signal);
    } finally {
      pull.observers.delete(observer);
      if (pull.observers.size === 0) this.#drop(canonical, pull);
    }
  }

  #begin(request: ImageRequest): Pull {
    const abort = new AbortController();
    const layers = new Map<string, TransferProgress>();
    const observers = new Set<OnProgress>();
    const onProgress: OnProgress = (progress) => {
      layers.set(progress.layer, progress);
      for (const observer of observers) observer(progress);
    };
    const result = inTurn(this.#turns, abort.signal, () => this.#pull(request, onProgress, abort.signal));
    const pull = { credentials: request.credentials, result, abort, observers, layers };
    this.#pulls.set(request.canonical, pull);
    const end = () => this.#drop(request.canonical, pull);
    result.then(end, end);
    return pull;
  }

  #drop(canonical: string, pull: Pull): void {
    if (this.#pulls.get(canonical) === pull) this.#pulls.delete(canonical);
    pull.abort.abort();
  }

  async #pull({ canonical, credentials }: ImageRequest, onProgress: OnProgress, signal: AbortSignal): Promise<void> {
    using deadline = this.clock.deadline(this.limitMs, signal);
    try {
      await this.engine.pullImage(
        canonical,
        { onProgress, ...(credentials ? { credentials } : {}) },
        { signal: deadline.signal, timeoutMs: this.limitMs + MARGIN_MS },
      );
    } catch (error) {
      if (deadline.expired) {
        throw imagePullTimeout(`image ${canonical} was not pulled within ${this.limitMs / 1000} s`, {
          hint: 'raise [api] pull-timeout, or pull the image beforehand',
          cause: error,
        });
      }
      if (isAgentError(error) || isAbortError(error)) throw error;
      throw imageNotAvailable(`image ${canonical} could not be pulled`, { field: 'image', cause: error });
    }
  }
}

function isSame(one: RegistryCredentials | undefined, other: RegistryCredentials | undefined): boolean {
  return one?.username === other?.username && one?.password === other?.password;
}
