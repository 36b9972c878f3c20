import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ExtraFile } from './root-tar.js';
import { runCommand } from './command.js';

/** Packages that the compiler runs on or that bring Python modules. */
const CONCERNED = /^(libc6|zlib1g|libexpat1)_|python/;

/** True if there is an interpreter among these packages. */
export function hasPython(packages: readonly string[]): boolean {
  return packages.some((path) => /^python3\.\d+-minimal_/.test(basename(path)));
}

/**
 * Compiles the Python modules of packages as their maintainer scripts would, so that a program that a user without
 * write access to them starts needs not do it each time (100 ms for a usual set of imports). The packages' own
 * interpreter does it, from a directory, with its own loader and libraries.
 *
 * Resolves with the bytecode files to add to the root; with none if the interpreter can't be run here, since that costs
 * speed and nothing else.
 */
export async function compilePython(
  packages: readonly string[],
  directory: string,
  signal: AbortSignal,
): Promise<readonly ExtraFile[]> {
  const concerned = packages.filter((path) => CONCERNED.test(basename(path)));
  for (const path of concerned) await runCommand('dpkg-deb', ['--extract', path, directory], { signal });

  const files = await allFiles(directory);
  const interpreter = files.find((path) => /^usr\/bin\/python3\.\d+$/.test(path));
  const loader = files.find((path) => /(^|\/)lib\/[^/]+\/ld-linux[^/]*\.so\.\d$/.test(path));
  if (interpreter === undefined || loader === undefined) return [];

  const triplet = loader.split('/').at(-2) ?? '';
  const libraries = ['lib', 'usr/lib'].map((lib) => join(directory, lib, triplet)).join(':');
  const modules = files
    .flatMap((path) => /^usr\/lib\/python3[^/]*(?=\/)/.exec(path)?.[0] ?? [])
    .filter((path, index, all) => all.indexOf(path) === index);
  await runCommand(
    join(directory, loader),
    [
      '--library-path',
      libraries,
      join(directory, interpreter),
      '-S',
      '-m',
      'compileall',
      '-q',
      '-s',
      directory,
      '-p',
      '/',
    ].concat(modules.map((path) => join(directory, path))),
    { signal, env: { PYTHONHOME: join(directory, 'usr') } },
  );
  const compiled = (await allFiles(directory)).filter((path) => path.endsWith('.pyc'));
  return compiled.map((path) => ({ path, source: join(directory, path), mode: 0o644 }));
}

/** Paths of the regular files below a directory, relative to it. */
async function allFiles(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
}
