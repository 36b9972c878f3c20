import { resolve } from 'node:path';

/** `~` and `~/…` are the home directory; relative paths start at the working directory. */
export function expandPath(path: string, base: { readonly cwd: string; readonly home: string }): string {
  if (path === '~') return base.home;
  if (path.startsWith('~/')) return resolve(base.home, path.slice(2));
  return resolve(base.cwd, path);
}
