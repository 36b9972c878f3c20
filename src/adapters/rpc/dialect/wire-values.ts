/** A mapping of a document, whose keys the reader of documents has made texts. */
export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** A member of one of the reference's enumerations (ext 6): the word, and that it came as an enumeration's member. */
export class EnumWord {
  constructor(
    readonly className: string,
    readonly value: string,
  ) {}
}

/** An image as the reference names it (ext 7). */
export class ImageRef {
  constructor(
    readonly registry: string,
    readonly project: string | null,
    readonly name: string,
    readonly tag: string,
    readonly architecture: string,
    readonly isLocal: boolean,
  ) {}

  /** `registry/project/name:tag` without the blank parts (rpc.md §3.5). */
  get canonical(): string {
    const path = [this.registry, this.project, this.name].filter((part) => part !== null && part.trim() !== '');
    return `${path.join('/')}:${this.tag}`;
  }
}

/** An extension that isn't part of the dialect; kept as it is, as the reference does, and refused where it is used. */
export class UnknownExtension {
  constructor(readonly code: number) {}
}
