import { inject, injectable } from 'inversify';
import { isDraft } from '../../domain/image/commit-draft.js';
import { type InstalledImage, isKernelImage } from '../../domain/image/installed-image.js';
import type { Call } from '../ports/call.js';
import { ContainerEngine } from '../ports/container-engine.port.js';

/**
 * The images of this machine of which kernels can be made, by name (lifecycle.md §2, image scan). One call to the
 * engine, and one more for each image that was not there the last time.
 */
@injectable()
export class ListInstalledImages {
  /** Image id → architecture, which never changes; only of images that are still there. */
  #architectures = new Map<string, string>();

  constructor(@inject(ContainerEngine) private readonly engine: ContainerEngine) {}

  async execute(call: Call): Promise<readonly InstalledImage[]> {
    const known = new Map<string, string>();
    const found: InstalledImage[] = [];
    for (const { id, tags, labels } of await this.engine.listImages(call)) {
      const names = tags.filter((tag) => !isDraft(tag) && isKernelImage(tag, labels));
      if (names.length === 0) continue;
      const architecture = this.#architectures.get(id) ?? (await this.engine.inspectImage(id, call))?.architecture;
      // Removed since it was listed.
      if (architecture === undefined) continue;
      known.set(id, architecture);
      for (const canonical of names) found.push({ canonical, digest: id, architecture });
    }
    this.#architectures = known;
    return found.sort((a, b) => (a.canonical < b.canonical ? -1 : 1));
  }
}
