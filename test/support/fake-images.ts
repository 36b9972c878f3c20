import { createHash } from 'node:crypto';
import type { ImageDetails } from '../../src/application/ports/container-engine.port.js';

export type FakeImage = Partial<Omit<ImageDetails, 'tags'>>;

/** Images by reference, local ones or those of a registry. `name` and `name:latest` are the same. */
export class FakeImages {
  readonly #images = new Map<string, ImageDetails>();

  /** Adds or replaces an image; what is not given is that of a plain x86_64 image. */
  add(reference: string, image: FakeImage = {}): ImageDetails {
    const tag = withTag(reference);
    const details: ImageDetails = {
      id: `sha256:${createHash('sha256')
        .update(`${tag}${JSON.stringify(image)}`)
        .digest('hex')}`,
      architecture: 'x86_64',
      os: 'linux',
      labels: {},
      env: [],
      entrypoint: [],
      cmd: ['/bin/sh'],
      user: '',
      sizeBytes: 1_000_000,
      ...image,
      tags: [tag],
    };
    this.#images.set(tag, details);
    return details;
  }

  get(reference: string): ImageDetails | undefined {
    return this.#images.get(withTag(reference)) ?? [...this.#images.values()].find(({ id }) => id === reference);
  }

  remove(reference: string): void {
    const image = this.get(reference);
    if (image) for (const tag of image.tags) this.#images.delete(tag);
  }

  all(): readonly ImageDetails[] {
    return [...this.#images.values()];
  }
}

/** The image that the Dockerfile words `LABEL`, `ENV`, `CMD`, `ENTRYPOINT` and `USER` describe. */
export function imageOfChanges(changes: readonly string[]): FakeImage {
  const labels: Record<string, string> = {};
  const env: string[] = [];
  let rest: FakeImage = {};
  for (const change of changes) {
    const [, word = '', value = ''] = /^(\w+)\s+(.*)$/s.exec(change) ?? [];
    if (word === 'LABEL') {
      const [key = '', text = ''] = value.split(/=(.*)/s);
      labels[key] = text.replace(/^"(.*)"$/s, '$1');
    } else if (word === 'ENV') env.push(value);
    else if (word === 'CMD') rest = { ...rest, cmd: JSON.parse(value) as string[] };
    else if (word === 'ENTRYPOINT') rest = { ...rest, entrypoint: JSON.parse(value) as string[] };
    else if (word === 'USER') rest = { ...rest, user: value };
  }
  return { ...rest, labels, env };
}

function withTag(reference: string): string {
  return /[:@][^/]*$/.test(reference) ? reference : `${reference}:latest`;
}
