import { invalidArgument } from '../../domain/error/errors.js';

export interface ImageName {
  /** With the registry, without tag and digest. */
  readonly repository: string;
  /** A tag, or a digest with its algorithm (`sha256:…`); `latest` if neither was given. */
  readonly version: string;
  readonly isDigest: boolean;
  /** Where the image comes from, as the Docker CLI decides it; `docker.io` without a registry. */
  readonly registry: string;
}

const DOCKER_HUB = 'docker.io';
const MAX_REFERENCE_LENGTH = 1024;

/**
 * Refuses what could leave the URL path it is put into. The engine itself judges the rest of the grammar.
 * @throws InvalidArgumentError
 */
export function checkReference(reference: string): void {
  const allowed = /^[A-Za-z0-9][A-Za-z0-9_./:@-]*$/;
  if (reference.length > MAX_REFERENCE_LENGTH || !allowed.test(reference) || reference.split('/').includes('..')) {
    throw invalidArgument(`Not an image reference: ${JSON.stringify(reference.slice(0, 200))}`, {
      field: 'image',
      allowed: 'registry/project/name:tag, name@digest or an image id',
    });
  }
}

/** @throws InvalidArgumentError */
export function parseImageName(reference: string): ImageName {
  checkReference(reference);
  const [beforeDigest = reference, digest] = reference.split('@', 2);
  const colon = beforeDigest.lastIndexOf(':');
  const hasTag = colon > beforeDigest.lastIndexOf('/');
  const repository = hasTag ? beforeDigest.slice(0, colon) : beforeDigest;
  const tag = hasTag ? beforeDigest.slice(colon + 1) : 'latest';
  return { repository, version: digest ?? tag, isDigest: digest !== undefined, registry: registryOf(repository) };
}

function registryOf(repository: string): string {
  const [first = '', ...rest] = repository.split('/');
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : DOCKER_HUB;
}
