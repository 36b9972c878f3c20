import type { ImageRefBody } from '../event/agent-event.js';
import { normaliseArchitecture } from './architecture.js';

interface KnownImage {
  readonly canonical: string;
  readonly project: string | null;
  readonly registryName: string | null;
  readonly architecture: string | undefined;
  readonly isLocal: boolean;
}

/** Names without a project mean this one there. */
const DEFAULT_REGISTRY = 'index.docker.io';
const DEFAULT_PROJECT = 'lablup';
const IP_ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]+\])(?::\d+)?$/i;

/**
 * The parts of an image's name as the Manager takes them apart: only it knows where the project ends and the name begins
 * (rpc.md §3.3, state.md §2.6). `null` if the name does not fit what the Manager says about it: then it goes by the
 * canonical name alone.
 */
export function imageRefBody(image: KnownImage): ImageRefBody | null {
  const { registry, path } = registryAndPath(image.canonical, image.registryName);
  const colon = path.lastIndexOf(':');
  const tag = colon < 0 ? 'latest' : path.slice(colon + 1);
  const untagged = colon < 0 ? path : path.slice(0, colon);
  if (untagged === '' || !/^[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?$/.test(tag)) return null;
  const isDockerHub = registry === 'docker.io' || registry.endsWith('.docker.io');
  const full = isDockerHub && !untagged.includes('/') ? `${DEFAULT_PROJECT}/${untagged}` : untagged;
  const name = nameBelow(full, image.project);
  if (name === null) return null;
  return {
    name,
    project: image.project,
    tag,
    registry: image.registryName ?? registry,
    architecture: normaliseArchitecture(image.architecture ?? 'x86_64'),
    is_local: image.isLocal,
  };
}

function registryAndPath(
  canonical: string,
  known: string | null,
): { readonly registry: string; readonly path: string } {
  const slash = canonical.indexOf('/');
  if (slash < 0) return { registry: DEFAULT_REGISTRY, path: canonical };
  const first = canonical.slice(0, slash);
  const isRegistry = known === null ? /[.:]|^localhost$/.test(first) : first === known || IP_ADDRESS.test(first);
  return isRegistry
    ? { registry: first, path: canonical.slice(slash + 1) }
    : { registry: known ?? DEFAULT_REGISTRY, path: canonical };
}

function nameBelow(path: string, project: string | null): string | null {
  if (project === null || project === '') return path;
  if (path === project) return '';
  return path.startsWith(`${project}/`) ? path.slice(project.length + 1) : null;
}
