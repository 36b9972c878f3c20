import type { Call } from '../../src/application/ports/call.js';
import type { Clock } from '../../src/application/ports/clock.port.js';
import type {
  CommitSpec,
  ImageDetails,
  ImageSummary,
  RemoveImageOptions,
  TransferOptions,
} from '../../src/application/ports/container-engine.port.js';
import { engineConflict, engineError, engineUnavailable, imageNotAvailable } from '../../src/domain/error/errors.js';
import type { FakeContainer } from './fake-container.js';
import { type EngineMethod, FaultPlan } from './fake-faults.js';
import { FakeImages, imageOfChanges } from './fake-images.js';
import { filesOfTar, tarOf } from './tar.js';

interface EngineCall {
  readonly method: EngineMethod;
  readonly args: readonly unknown[];
}

/** The part of the fake engine that is about images, and how all of it is called. */
export class FakeImageEngine {
  /** Local images. */
  readonly images = new FakeImages();
  /** Images that can be pulled, or were pushed. */
  readonly registry = new FakeImages();
  /** All calls so far, in order. */
  readonly calls: EngineCall[] = [];
  protected readonly faults = new FaultPlan();
  protected readonly containersById = new Map<string, FakeContainer>();
  protected isDown = false;
  protected lastId = 0;

  constructor(protected readonly clock: Pick<Clock, 'now' | 'sleep'>) {}

  /** A container, also to make it print or ignore its stop signal. */
  container(idOrName: string): FakeContainer | undefined {
    const prefixed = (id: string) => idOrName.length >= 12 && id.startsWith(idOrName);
    return [...this.containersById.values()].find(
      ({ id, name }) => name === idOrName || id === idOrName || prefixed(id),
    );
  }

  inspectImage(reference: string, call: Call): Promise<ImageDetails | undefined> {
    return this.do('inspectImage', [reference], call, () => this.images.get(reference));
  }

  listImages(call: Call): Promise<readonly ImageSummary[]> {
    return this.do('listImages', [], call, () => this.images.all());
  }

  pullImage(reference: string, options: TransferOptions, call: Call): Promise<void> {
    return this.do('pullImage', [reference, options], call, () => {
      const image = this.registry.get(reference);
      if (!image) throw imageNotAvailable(`There is no image ${reference} in the fake registry`);
      const layer = { layer: image.id.slice(7, 19), totalBytes: image.sizeBytes };
      options.onProgress?.({ ...layer, status: 'Downloading', currentBytes: image.sizeBytes / 2 });
      options.onProgress?.({ ...layer, status: 'Pull complete', currentBytes: image.sizeBytes });
      this.images.add(reference, image);
    });
  }

  pushImage(reference: string, options: TransferOptions, call: Call): Promise<void> {
    return this.do('pushImage', [reference, options], call, () => {
      const image = this.images.get(reference);
      if (!image) throw imageNotAvailable(`There is no image ${reference} to push`);
      const layer = { layer: image.id.slice(7, 19), totalBytes: image.sizeBytes };
      options.onProgress?.({ ...layer, status: 'Pushing', currentBytes: image.sizeBytes / 2 });
      options.onProgress?.({ ...layer, status: 'Pushed', currentBytes: image.sizeBytes });
      this.registry.add(reference, image);
    });
  }

  importImage(
    tar: AsyncIterable<Uint8Array>,
    reference: string,
    changes: readonly string[],
    call: Call,
  ): Promise<void> {
    return this.do('importImage', [reference, changes], call, async () => {
      const files = await filesOfTar(tar);
      const sizeBytes = [...files.values()].reduce((sum, data) => sum + data.length, 0);
      this.images.add(reference, { ...imageOfChanges(changes), sizeBytes });
    });
  }

  tagImage(reference: string, target: string, call: Call): Promise<void> {
    return this.do('tagImage', [reference, target], call, () => {
      const image = this.images.get(reference);
      if (!image) throw imageNotAvailable(`There is no image ${reference}`);
      this.images.add(target, image);
    });
  }

  async *exportImage(reference: string, call: Call): AsyncGenerator<Uint8Array> {
    const image = await this.do('exportImage', [reference], call, () => {
      const found = this.images.get(reference);
      if (!found) throw imageNotAvailable(`There is no image ${reference}`);
      return found;
    });
    const tags = reference === image.id ? null : image.tags;
    yield* tarOf({ 'manifest.json': JSON.stringify([{ Config: `${image.id.slice(7)}.json`, RepoTags: tags }]) });
  }

  removeImage(reference: string, options: RemoveImageOptions, call: Call): Promise<void> {
    return this.do('removeImage', [reference, options], call, () => {
      const image = this.images.get(reference);
      if (!image) return;
      const isId = reference === image.id;
      const users = [...this.containersById.values()].filter(({ imageDetails }) => imageDetails.id === image.id);
      const isLast = isId || image.tags.length <= 1;
      if (users.some(({ isRunning }) => isLast && (isRunning || !options.force))) {
        throw engineConflict(`Image ${reference} is in use`);
      }
      if (isId && image.tags.length > 1 && !options.force) throw engineConflict(`Image ${reference} has several names`);
      this.images.remove(reference);
    });
  }

  commitContainer(id: string, commit: CommitSpec, call: Call): Promise<string> {
    return this.do('commitContainer', [id, commit], call, () => {
      const { imageDetails, labels } = this.existing(id);
      const { reference, entrypoint, cmd } = commit;
      const image = { ...imageDetails, entrypoint, cmd, labels: { ...labels, ...commit.labels }, digests: [] };
      const made = { ...image, id: `sha256:${this.newId()}` };
      return (reference === undefined ? this.images.addUntagged(made) : this.images.add(reference, made)).id;
    });
  }

  protected async do<T>(
    method: EngineMethod,
    args: readonly unknown[],
    call: Call,
    effect: () => T | Promise<T>,
  ): Promise<T> {
    this.calls.push({ method, args });
    return this.faults.run(method, call, this.clock, () => {
      if (this.isDown) throw engineUnavailable('The fake engine is stopped');
      return effect();
    });
  }

  protected existing(idOrName: string): FakeContainer {
    const container = this.container(idOrName);
    if (!container) throw engineError(`There is no container ${idOrName}`);
    return container;
  }

  protected newId(): string {
    this.lastId += 1;
    return this.lastId.toString(16).padStart(12, '0').padEnd(64, 'f');
  }
}
