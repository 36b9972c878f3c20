import { createHash } from 'node:crypto';
import type { ImageDetails } from '../../src/application/ports/container-engine.port.js';

export type FakeImage = Partial<Omit<ImageDetails, 'tags'>>;

/** Images by id and their names, local ones or those of a registry. `name` and `name:latest` are the same. */
export class FakeImages {
  readonly #images = new Map<string, Omit<ImageDetails, 'tags'>>();
  readonly #ids = new Map<string, string>();

  /** Adds an image or a name of it, and takes the name from another; what is not given is that of a plain image. */
  add(reference: string, image: FakeImage = {}): ImageDetails {
    const tag = withTag(reference);
    const made = this.#keep(image, tag);
    const before = this.#ids.get(tag);
    this.#ids.set(tag, made);
    if (before !== undefined && before !== made && this.#tagsOf(before).length === 0) this.#images.delete(before);
    return this.#details(made);
  }

  addUntagged(image: FakeImage): ImageDetails {
    return this.#details(this.#keep(image, ''));
  }

  get(reference: string): ImageDetails | undefined {
    const id = this.#ids.get(withTag(reference)) ?? reference;
    return this.#images.has(id) ? this.#details(id) : undefined;
  }

  /** A name, and the image with its last one; or an image with all its names. */
  remove(reference: string): void {
    const image = this.get(reference);
    if (!image) return;
    const names = reference === image.id ? image.tags : [withTag(reference)];
    for (const name of names) this.#ids.delete(name);
    if (this.#tagsOf(image.id).length === 0) this.#images.delete(image.id);
  }

  all(): readonly ImageDetails[] {
    return [...this.#images.keys()].map((id) => this.#details(id));
  }

  #keep(image: FakeImage, name: string): string {
    const id = `sha256:${createHash('sha256')
      .update(`${name}${JSON.stringify(image)}`)
      .digest('hex')}`;
    const details = {
      ...{ id, digests: [], architecture: 'x86_64', os: 'linux', labels: {}, env: [], entrypoint: [] },
      ...{ cmd: ['/bin/sh'], user: '', sizeBytes: 1_000_000 },
      ...image,
    };
    this.#images.set(details.id, details);
    return details.id;
  }

  #details(id: string): ImageDetails {
    return { ...(this.#images.get(id) as ImageDetails), tags: this.#tagsOf(id) };
  }

  #tagsOf(id: string): string[] {
    return [...this.#ids].filter(([, other]) => other === id).map(([tag]) => tag);
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
