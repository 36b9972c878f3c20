import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '../../domain/error/agent-error.js';
import { configurationInvalid } from '../../domain/error/errors.js';

const run = promisify(execFile);
const LIST_TIMEOUT_MS = 10_000;
/** The program interpreter of glibc, by Node's name of the architecture. */
const LOADERS: Readonly<Record<string, string>> = {
  x64: '/lib64/ld-linux-x86-64.so.2',
  arm64: '/lib/ld-linux-aarch64.so.1',
};

/** A file of the runtime: where it comes from, and where it goes below the runtime's directory. */
export interface RuntimeFile {
  readonly source: string;
  readonly target: string;
  readonly executable: boolean;
  readonly bytes: number;
}

export interface RuntimePlan {
  readonly files: readonly RuntimeFile[];
  /** Changes when any file does. */
  readonly hash: string;
  /** File name of the loader in `lib`. */
  readonly loader: string;
}

/**
 * What the runner needs inside a container: the self-contained Node of npm's `node` package, glibc's loader and the
 * libraries it needs from this host, and the runner's bundle. So nothing is asked of the image (krunner.md §6.6).
 */
export async function planRuntime(
  bundleDirectory: string,
  architecture: string,
  signal: AbortSignal,
): Promise<RuntimePlan> {
  const loader = LOADERS[architecture];
  if (loader === undefined) {
    throw configurationInvalid(`The kernel runner does not exist for this machine's architecture, ${architecture}`, {
      allowed: Object.keys(LOADERS).join(', '),
    });
  }
  const node = findNode(architecture);
  const isOurs = (path: string): boolean => !path.endsWith('.node') || path.endsWith(`-${architecture}.node`);
  const bundle = (await listFiles(bundleDirectory)).filter(isOurs);
  const native = [node, ...bundle.filter((path) => path.endsWith('.node'))];
  const lists = await Promise.all(native.map((path) => listLibraries(loader, path, signal)));
  const libraries = new Set(lists.flat());
  const files = await Promise.all([
    describe(node, 'bin/bai-krunner', true),
    describe(loader, `lib/${basename(loader)}`, true),
    ...[...libraries].map((path) => describe(path, `lib/${basename(path)}`, false)),
    ...bundle.map((path) => {
      const name = relative(bundleDirectory, path);
      return describe(path, `runner/${name}`, name.startsWith('fallback/'));
    }),
  ]);
  return { files, hash: await hashOf(files, node), loader: basename(loader) };
}

function findNode(architecture: string): string {
  const packageName = `node-linux-${architecture}`;
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`${packageName}/package.json`)), 'bin/node');
  } catch (cause) {
    throw configurationInvalid(`The npm package ${packageName}, the kernel runner's runtime, is not installed`, {
      hint: 'Install the dependencies again with optional ones: npm ci --include=optional',
      cause,
    });
  }
}

/** Absolute paths of the shared libraries, as glibc's loader itself finds them. */
async function listLibraries(loader: string, file: string, signal: AbortSignal): Promise<string[]> {
  try {
    const { stdout } = await run(loader, ['--list', file], { signal, timeout: LIST_TIMEOUT_MS });
    return parseLibraryList(stdout);
  } catch (cause) {
    signal.throwIfAborted();
    throw configurationInvalid(`The libraries of the kernel runner's runtime are not all here: ${messageOf(cause)}`, {
      hint: 'The agent needs a host with glibc 2.33 or newer and libstdc++ (Debian 12, Ubuntu 22.04, or newer).',
      cause,
    });
  }
}

/** Lines `name => path (address)`; throws on one that is not found. The loader and the vDSO have no arrow. */
export function parseLibraryList(text: string): string[] {
  const missing = /^\s*(\S+) => not found/m.exec(text)?.[1];
  if (missing !== undefined) throw new Error(`${missing} is not found`);
  return [...text.matchAll(/=> (\/\S+) \(/g)]
    .map(([, path]) => path ?? '')
    .filter((path) => !/\/ld-linux[^/]*$/.test(path));
}

async function listFiles(directory: string): Promise<string[]> {
  let entries;
  try {
    entries = await readdir(directory, { withFileTypes: true, recursive: true });
  } catch (cause) {
    throw configurationInvalid(`The kernel runner's program is not built: ${directory} is not there`, {
      hint: 'Run: npm run build',
      cause,
    });
  }
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

async function describe(source: string, target: string, executable: boolean): Promise<RuntimeFile> {
  return { source, target, executable, bytes: (await stat(source)).size };
}

/** By content, but for the 120 MB of Node, which its package's version and size identify. */
async function hashOf(files: readonly RuntimeFile[], node: string): Promise<string> {
  const hash = createHash('sha256');
  for (const file of [...files].sort((a, b) => (a.target < b.target ? -1 : 1))) {
    hash.update(`${file.target}\0${file.bytes}\0`);
    hash.update(await readFile(file.source === node ? join(dirname(node), '../package.json') : file.source));
  }
  return hash.digest('hex').slice(0, 16);
}
