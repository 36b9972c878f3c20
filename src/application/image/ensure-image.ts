import { inject, injectable } from 'inversify';
import { imageArchitectureMismatch, imageNotAvailable } from '../../domain/error/errors.js';
import { normaliseArchitecture } from '../../domain/image/architecture.js';
import { decidePull } from '../../domain/image/pull-decision.js';
import type { ImageRequest } from '../../domain/kernel/kernel-spec.js';
import { AgentSettings } from '../agent-settings.js';
import type { Call } from '../ports/call.js';
import { ContainerEngine, type ImageDetails, type TransferProgress } from '../ports/container-engine.port.js';
import { SharedPulls } from './shared-pulls.js';

export interface PullObserver {
  /** A pull was found necessary and begins. */
  readonly onPull: () => Promise<void>;
  readonly onProgress: (progress: TransferProgress) => void;
}

/** Makes sure that an image is here and fits this machine (lifecycle.md §1.6). */
@injectable()
export class EnsureImage {
  constructor(
    @inject(ContainerEngine) private readonly engine: ContainerEngine,
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(SharedPulls) private readonly pulls: SharedPulls,
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
      await this.pulls.pull(request, observer.onProgress, call.signal);
      details = await this.engine.inspectImage(request.canonical, call);
    }
    if (!details) throw imageNotAvailable(`image ${request.canonical} is not available`, { field: 'image' });
    this.#checkArchitecture(request.canonical, details.architecture);
    return details;
  }

  #checkArchitecture(image: string, architecture: string | undefined): void {
    if (architecture === undefined || normaliseArchitecture(architecture) === this.settings.architecture) return;
    throw imageArchitectureMismatch(
      `image ${image} is for ${architecture}, this machine is ${this.settings.architecture}`,
      { field: 'image.architecture', allowed: this.settings.architecture },
    );
  }
}
