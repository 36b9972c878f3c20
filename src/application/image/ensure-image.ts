import { inject, injectable } from 'inversify';
import { isAbortError, isAgentError } from '../../domain/error/agent-error.js';
import { imageArchitectureMismatch, imageNotAvailable, imagePullTimeout } from '../../domain/error/errors.js';
import { normaliseArchitecture } from '../../domain/image/architecture.js';
import { decidePull } from '../../domain/image/pull-decision.js';
import type { ImageRequest } from '../../domain/kernel/kernel-spec.js';
import { AgentSettings } from '../agent-settings.js';
import { waitFor } from '../concurrency/wait-for.js';
import type { Call } from '../ports/call.js';
import { Clock } from '../ports/clock.port.js';
import { ContainerEngine, type ImageDetails, type PullProgress } from '../ports/container-engine.port.js';

export interface PullObserver {
  /** A pull was found necessary and begins. */
  readonly onPull: () => Promise<void>;
  readonly onProgress: (progress: PullProgress) => void;
}

/** Longest time of a pull without a configured limit: nothing awaited goes without a deadline. */
const LONGEST_PULL_MS = 24 * 3_600_000;

/** Makes sure that an image is here and fits this machine (lifecycle.md §1.6). */
@injectable()
export class EnsureImage {
  /** Pulls under way by image name: kernels that want the same image wait for one pull. */
  readonly #pulls = new Map<string, { readonly pull: Promise<void>; readonly owner: AbortSignal }>();

  constructor(
    @inject(ContainerEngine) private readonly engine: ContainerEngine,
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(Clock) private readonly clock: Clock,
  ) {}

  async execute(request: ImageRequest, observer: PullObserver, call: Call): Promise<ImageDetails> {
    this.#checkArchitecture(request.canonical, request.architecture);
    const local = await this.engine.inspectImage(request.canonical, call);
    const decision = decidePull(request, local?.id);
    if (decision === 'missing') {
      throw imageNotAvailable(`image ${request.canonical} is not on this machine and may not be pulled`, {
        field: 'image',
        allowed: 'an image that `docker images` shows',
      });
    }
    let details = local;
    if (decision === 'pull') {
      await observer.onPull();
      await this.#pullOnce(request, observer, call);
      details = await this.engine.inspectImage(request.canonical, call);
    }
    if (!details) throw imageNotAvailable(`image ${request.canonical} is not available`, { field: 'image' });
    this.#checkArchitecture(request.canonical, details.architecture);
    return details;
  }

  /** Joins a pull under way; if its owner gave it up, the next one in line takes it over. */
  async #pullOnce(request: ImageRequest, observer: PullObserver, call: Call): Promise<void> {
    for (;;) {
      const underWay = this.#pulls.get(request.canonical);
      if (!underWay) break;
      try {
        await waitFor(underWay.pull, call.signal);
        return;
      } catch (error) {
        call.signal.throwIfAborted();
        if (!underWay.owner.aborted) throw error;
      }
    }
    const pull = this.#pull(request, observer, call).finally(() => this.#pulls.delete(request.canonical));
    this.#pulls.set(request.canonical, { pull, owner: call.signal });
    await pull;
  }

  async #pull(request: ImageRequest, observer: PullObserver, call: Call): Promise<void> {
    const limitMs = this.settings.timeouts.pullMs ?? LONGEST_PULL_MS;
    using deadline = this.clock.deadline(limitMs, call.signal);
    try {
      await this.engine.pullImage(
        request.canonical,
        { onProgress: observer.onProgress, ...(request.credentials ? { credentials: request.credentials } : {}) },
        { signal: deadline.signal, timeoutMs: limitMs },
      );
    } catch (error) {
      if (deadline.expired) {
        throw imagePullTimeout(`image ${request.canonical} was not pulled within ${limitMs / 1000} s`, {
          hint: 'raise [api] pull-timeout, or pull the image beforehand',
          cause: error,
        });
      }
      if (isAgentError(error) || isAbortError(error)) throw error;
      throw imageNotAvailable(`image ${request.canonical} could not be pulled`, { field: 'image', cause: error });
    }
  }

  #checkArchitecture(image: string, architecture: string | undefined): void {
    if (architecture === undefined || normaliseArchitecture(architecture) === this.settings.architecture) return;
    throw imageArchitectureMismatch(
      `image ${image} is for ${architecture}, this machine is ${this.settings.architecture}`,
      { field: 'image.architecture', allowed: this.settings.architecture },
    );
  }
}
