import { invalidArgument } from '../error/errors.js';

/** The registry that a name without one means. */
const DEFAULT_REGISTRY = 'index.docker.io';
const DEFAULT_PROJECT = 'library';
const DEFAULT_TAG = 'latest';

const HOST =
  /^(?:[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?)*|\[[0-9a-f:]+\])(?::\d{1,5})?$/i;
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,128}$/;
const MAX_LENGTH = 512;
const ALLOWED = 'a name such as python:3.12 or registry.example.com/project/name:tag';

/** A parsed image reference: `registry/project/name:tag@digest`. */
export class ImageRef {
  private constructor(
    /** Host, with a port if there is one; `index.docker.io` for names without. */
    readonly registry: string,
    /** All of the path before the last component; empty if there is nothing. */
    readonly project: string,
    /** Last component of the path. */
    readonly name: string,
    readonly tag: string,
    readonly digest: string | undefined,
    private readonly hasRegistry: boolean,
  ) {}

  /**
   * Parses what Docker accepts as a name (host first if it looks like one), with Docker's defaults. Throws
   * InvalidArgumentError naming `field`.
   */
  static parse(text: string, field = 'image'): ImageRef {
    const refuse = (problem: string): Error =>
      invalidArgument(`${field}: '${text.slice(0, 128)}' ${problem}`, { field, allowed: ALLOWED });
    if (text === '' || text.length > MAX_LENGTH) throw refuse('is no image name');
    const [named = '', digest, ...more] = text.split('@');
    if (more.length > 0 || (digest !== undefined && !DIGEST.test(digest))) throw refuse('has a bad digest');
    const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
    const path = colon < 0 ? named : named.slice(0, colon);
    const tag = colon < 0 ? undefined : named.slice(colon + 1);
    if (tag !== undefined && !TAG.test(tag)) throw refuse('has a bad tag');
    const components = path.split('/');
    const first = components[0] ?? '';
    const hasRegistry = components.length > 1 && /[.:]|^localhost$|[A-Z]/.test(first);
    if (hasRegistry && !HOST.test(first)) throw refuse('has a bad registry host');
    const rest = hasRegistry ? components.slice(1) : components;
    const bad = rest.find((component) => !COMPONENT.test(component));
    if (bad !== undefined) {
      throw refuse(/[A-Z]/.test(bad) ? 'has capital letters in its path' : `has a bad path component '${bad}'`);
    }
    const registry = !hasRegistry || first === 'docker.io' ? DEFAULT_REGISTRY : first;
    const name = rest.at(-1) ?? '';
    const implied = registry === DEFAULT_REGISTRY && rest.length === 1 ? DEFAULT_PROJECT : '';
    const project = rest.length > 1 ? rest.slice(0, -1).join('/') : implied;
    return new ImageRef(registry, project, name, tag ?? DEFAULT_TAG, digest, hasRegistry);
  }

  /** Complete: `index.docker.io/library/python:3.12`. */
  get canonical(): string {
    return `${this.registry}/${this.short}`;
  }

  /** Without the registry: `library/python:3.12`. */
  get short(): string {
    const path = this.project === '' ? this.name : `${this.project}/${this.name}`;
    return `${path}:${this.tag}${this.digest === undefined ? '' : `@${this.digest}`}`;
  }

  /** As people and `docker images` write it: no default registry, no default project. */
  get familiar(): string {
    if (this.registry !== DEFAULT_REGISTRY) return this.canonical;
    return this.project === DEFAULT_PROJECT ? this.short.slice(DEFAULT_PROJECT.length + 1) : this.short;
  }

  /** False if the name leaves the registry to the default, as names of local images do. */
  get isRegistryExplicit(): boolean {
    return this.hasRegistry;
  }
}
