import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HOME } from '../../boot/account.js';
import type { Environment } from '../../boot/child-environment.js';

/** How an image's Jupyter kernel is started (krunner.md §4.2). */
export interface Kernelspec {
  readonly name: string;
  /** With `{connection_file}` where the file's path belongs. */
  readonly argv: readonly string[];
  readonly env: Environment;
  readonly interruptByMessage: boolean;
}

const MAX_SPEC_BYTES = 1 << 20;

/** Reads kernel.json; `undefined` when it is no usable spec. */
export function parseKernelspec(name: string, text: string): Kernelspec | undefined {
  let spec: unknown;
  try {
    spec = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof spec !== 'object' || spec === null) return undefined;
  const { argv, env, interrupt_mode: mode } = spec as Record<string, unknown>;
  if (!Array.isArray(argv) || argv.length === 0 || !argv.every((part) => typeof part === 'string')) return undefined;
  const pairs = Object.entries(typeof env === 'object' && env !== null ? env : {});
  const strings = pairs.filter((pair): pair is [string, string] => typeof pair[1] === 'string');
  return { name, argv, env: Object.fromEntries(strings), interruptByMessage: mode === 'message' };
}

/** Directories that hold kernelspecs, first match wins; `prefixes` are those of the image's interpreters. */
export function kernelspecDirectories(env: Environment, prefixes: readonly string[]): string[] {
  const bases = [
    ...(env['JUPYTER_PATH'] ?? '').split(':').filter(Boolean),
    `${HOME}/.local/share/jupyter`,
    ...prefixes.map((prefix) => `${prefix}/share/jupyter`),
    '/usr/local/share/jupyter',
    '/usr/share/jupyter',
  ];
  return [...new Set([...bases.map((base) => `${base}/kernels`), `${HOME}/.ipython/kernels`])];
}

/** All usable specs of the image, best first. */
export function findKernelspecs(directories: readonly string[]): Kernelspec[] {
  const found = new Map<string, Kernelspec>();
  for (const directory of directories) {
    for (const name of listQuietly(directory)) {
      const spec = parseKernelspec(name, readQuietly(join(directory, name, 'kernel.json')));
      if (spec && !found.has(name)) found.set(name, spec);
    }
  }
  return [...found.values()];
}

/** The first spec that suits: for `python` its name contains it, else python is only preferred (krunner.md §4.1). */
export function chooseKernelspec(specs: readonly Kernelspec[], onlyPython: boolean): Kernelspec | undefined {
  const python = specs.find((spec) => spec.name.includes('python'));
  return python ?? (onlyPython ? undefined : specs[0]);
}

function listQuietly(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

function readQuietly(path: string): string {
  try {
    const data = readFileSync(path);
    return data.length > MAX_SPEC_BYTES ? '' : data.toString();
  } catch {
    return '';
  }
}
