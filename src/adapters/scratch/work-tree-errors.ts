import { fileNotFound, invalidArgument, permissionDenied, storageFailure } from '../../domain/error/errors.js';

/** What goes wrong with a path among a kernel's files, in words for who asked. */

export function notFound(path: string): Error {
  return fileNotFound(`there is no ${printable(path)} in the kernel's files`, {
    field: 'path',
    hint: 'paths are relative to /home/work; list a directory to see what is there',
  });
}

export function noFilesYet(cause: unknown): Error {
  return fileNotFound('the kernel has no /home/work: it is being made or removed', {
    hint: 'wait until the kernel runs',
    cause,
  });
}

export function wrongKind(path: string, what: string): Error {
  return invalidArgument(`${printable(path)}: ${what}`, { field: 'path' });
}

export function readOnlyMount(path: string): Error {
  return permissionDenied(`${printable(path)} is in a folder that is mounted read-only`, {
    field: 'path',
    allowed: 'a path in /home/work or in a folder that is mounted for writing',
  });
}

export function changing(path: string, cause?: unknown): Error {
  return storageFailure(`${printable(path)} changes while it is being read`, {
    retryable: true,
    hint: 'try again when the program that changes it is done',
    cause,
  });
}

export function outside(path: string, what: string): Error {
  return permissionDenied(`${printable(path)} ${what}`, {
    field: 'path',
    allowed: 'a path that stays in /home/work, also where symbolic links lead',
  });
}

export function printable(path: string): string {
  return JSON.stringify(path.slice(0, 256));
}
