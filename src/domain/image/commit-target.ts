import { invalidArgument } from '../error/errors.js';
import { LABELS } from '../kernel/container-labels.js';
import { ImageRef } from './image-ref.js';

const MAX_NAME_LENGTH = 200;
const MAX_LABELS = 128;
const MAX_LABEL_KEY_LENGTH = 256;
const MAX_LABEL_LENGTH = 16_384;

/** What a commit makes: an image of a name, or a file in a folder. */
export type CommitTarget =
  | { readonly kind: 'image'; readonly canonical: string }
  | { readonly kind: 'file'; readonly subfolder: string; readonly filename: string };

interface CommitWish {
  readonly subfolder: string;
  readonly canonical: string | null;
  readonly filename: string | null;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Checks everything before anything is done. With a filename the canonical is only the name of the image that runs, which
 * must not be touched (rpc.md §7.2 item 26). @throws InvalidArgumentError
 */
export function commitTarget({ subfolder, canonical, filename, labels }: CommitWish): CommitTarget {
  checkComponent(subfolder, 'subdir');
  checkLabels(labels);
  if (filename !== null) {
    checkComponent(filename, 'filename');
    return { kind: 'file', subfolder, filename };
  }
  if (canonical === null) {
    throw invalidArgument('canonical: a commit needs the name of an image or of a file', {
      field: 'canonical',
      allowed: 'registry/project/name:tag, unless there is a filename',
    });
  }
  if (ImageRef.parse(canonical, 'canonical').digest !== undefined) {
    throw invalidArgument('canonical: an image gets a tag, not a digest', { field: 'canonical' });
  }
  return { kind: 'image', canonical };
}

/**
 * The labels of the new image: those that were asked for, and nothing of the kernel's own life. A container that anybody
 * makes of the image must not pass for one of this agent's kernels.
 */
export function commitLabels(
  ofImage: Readonly<Record<string, string>>,
  asked: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const own = Object.fromEntries(Object.values(LABELS).map((label) => [label, '']));
  return { ...own, [LABELS.servicePorts]: ofImage[LABELS.servicePorts] ?? '', ...asked };
}

function checkComponent(name: string, field: string): void {
  if (name.length > 0 && name.length <= MAX_NAME_LENGTH && !name.startsWith('.') && !/[/\\\x00-\x1f\x7f]/.test(name)) {
    return;
  }
  throw invalidArgument(`${field}: ${JSON.stringify(name.slice(0, 64))} is not a name of one component`, {
    field,
    allowed: `1 to ${MAX_NAME_LENGTH} characters without '/', '\\' and control characters, not beginning with '.'`,
  });
}

function checkLabels(labels: Readonly<Record<string, string>>): void {
  const entries = Object.entries(labels);
  const bad = entries.find(
    ([key, value]) => key === '' || key.length > MAX_LABEL_KEY_LENGTH || value.length > MAX_LABEL_LENGTH,
  );
  if (entries.length <= MAX_LABELS && bad === undefined) return;
  throw invalidArgument(
    bad
      ? `extra_labels: '${bad[0].slice(0, 64)}' is too long or empty`
      : `extra_labels: ${entries.length} are too many`,
    {
      field: 'extra_labels',
      allowed: `up to ${MAX_LABELS}, keys up to ${MAX_LABEL_KEY_LENGTH}, values up to ${MAX_LABEL_LENGTH} characters`,
    },
  );
}
