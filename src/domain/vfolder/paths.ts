/** POSIX paths as text; nothing here looks at a file system. */

/** Without `.`, doubled and final slashes. `..` is kept: callers refuse it rather than resolve it. */
export function normalisePath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return `${path.startsWith('/') ? '/' : ''}${parts.join('/')}`;
}

/** Strictly inside; both normalised. */
export function isBelow(path: string, directory: string): boolean {
  return path !== directory && path.startsWith(directory === '/' ? '/' : `${directory}/`);
}

export function isSameOrBelow(path: string, directory: string): boolean {
  return path === directory || isBelow(path, directory);
}
