import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { invalidArgument } from '../../domain/error/errors.js';
import { ContainerEngine } from '../ports/container-engine.port.js';

const MAX_IMAGES = 1_000;

interface PurgeOptions {
  readonly force: boolean;
  readonly noPrune: boolean;
}

interface Purged {
  readonly image: string;
  readonly error: string | null;
}

/** Removes images from this machine (rpc.md §6.14). */
@injectable()
export class PurgeImages {
  constructor(@inject(ContainerEngine) private readonly engine: ContainerEngine) {}

  /** In the order asked; each on its own. One that was not here is an error: no space was won. */
  async execute(canonicals: readonly string[], options: PurgeOptions, signal: AbortSignal): Promise<readonly Purged[]> {
    if (canonicals.length > MAX_IMAGES) {
      throw invalidArgument(`images: ${canonicals.length} are too many for one call`, {
        field: 'images',
        allowed: `up to ${MAX_IMAGES}`,
      });
    }
    const purged: Purged[] = [];
    for (const image of canonicals) purged.push({ image, error: await this.#purge(image, options, signal) });
    return purged;
  }

  async #purge(image: string, options: PurgeOptions, signal: AbortSignal): Promise<string | null> {
    try {
      if (!(await this.engine.inspectImage(image, { signal }))) return `there is no image ${image} on this machine`;
      await this.engine.removeImage(image, options, { signal });
      return null;
    } catch (error) {
      signal.throwIfAborted();
      return messageOf(error);
    }
  }
}
