import { invalidArgument } from '../../domain/error/errors.js';

/** Deadlines of operations whose call brings none, in milliseconds. */
export const limits = {
  look: 10_000,
  list: 30_000,
  change: 60_000,
  stream: 600_000,
  transfer: 7_200_000,
} as const;

export function containerPath(idOrName: string): string {
  return namedPath('containers', idOrName);
}

/** Refuses what could leave the URL path it is put into. @throws InvalidArgumentError */
export function namedPath(kind: 'containers' | 'networks', idOrName: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$/.test(idOrName)) {
    throw invalidArgument(`Not a name or an id: ${JSON.stringify(idOrName.slice(0, 200))}`, {
      field: kind,
      allowed: 'letters, digits, ".", "_" and "-"',
    });
  }
  return `/${kind}/${idOrName}`;
}
