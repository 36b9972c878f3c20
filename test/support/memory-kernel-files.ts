import { posix } from 'node:path';
import type { Call } from '../../src/application/ports/call.js';
import type { DirectoryContent, KernelFiles, WorkTree } from '../../src/application/ports/kernel-files.port.js';
import { fileNotFound, invalidArgument, permissionDenied } from '../../src/domain/error/errors.js';
import { tarOf } from './tar.js';

const WORK = '/home/work';
const REGULAR = 0o100644;
const DIRECTORY = 0o040755;

/** Files of kernels in memory, without symlinks. */
export class MemoryKernelFiles implements KernelFiles {
  /** Host path → content. */
  readonly files = new Map<string, Buffer>();
  /** How many bytes were asked for by readers. */
  bytesRead = 0;

  async write(tree: WorkTree, path: string, data: AsyncIterable<Uint8Array>, call: Call): Promise<void> {
    call.signal.throwIfAborted();
    const { host, readOnly } = locate(tree, path);
    if (readOnly) throw permissionDenied(`${path} is read-only`, { field: 'path' });
    const chunks: Uint8Array[] = [];
    for await (const chunk of data) chunks.push(chunk);
    this.files.set(host, Buffer.concat(chunks));
  }

  async *archive(tree: WorkTree, path: string, call: Call): AsyncGenerator<Uint8Array> {
    call.signal.throwIfAborted();
    const { host } = locate(tree, path);
    const below = [...this.files].filter(([name]) => name === host || name.startsWith(`${host}/`));
    if (below.length === 0) throw fileNotFound(`there is no ${path}`);
    const parent = posix.dirname(host);
    yield* this.#counted(tarOf(Object.fromEntries(below.map(([name, data]) => [posix.relative(parent, name), data]))));
  }

  async *read(tree: WorkTree, path: string, call: Call): AsyncGenerator<Uint8Array> {
    call.signal.throwIfAborted();
    const { host } = locate(tree, path);
    const data = this.files.get(host);
    if (!data) {
      throw this.#names(host).length > 0
        ? invalidArgument(`${path} is a directory`)
        : fileNotFound(`there is no ${path}`);
    }
    for (let at = 0; at < data.length; at += 65_536) yield* this.#counted([data.subarray(at, at + 65_536)]);
  }

  async list(tree: WorkTree, path: string, limit: number, call: Call): Promise<DirectoryContent> {
    call.signal.throwIfAborted();
    const { host } = locate(tree, path);
    if (this.files.has(host)) throw invalidArgument(`${path} is not a directory`);
    const names = this.#names(host);
    if (names.length === 0 && host !== tree.root) throw fileNotFound(`there is no ${path}`);
    const files = names.slice(0, limit).map((name) => {
      const data = this.files.get(`${host}/${name}`);
      const times = { changedAtMs: 0, modifiedAtMs: 0, accessedAtMs: 0 };
      return { name, mode: data ? REGULAR : DIRECTORY, sizeBytes: data?.length ?? 0, ...times };
    });
    return Promise.resolve({ files, problems: names.length > limit ? [`more than ${limit} entries`] : [] });
  }

  #names(host: string): readonly string[] {
    const below = [...this.files.keys()].filter((name) => name.startsWith(`${host}/`));
    return [...new Set(below.map((name) => name.slice(host.length + 1).split('/')[0] ?? ''))].sort();
  }

  async *#counted(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.bytesRead += chunk.length;
      yield chunk;
    }
  }
}

function locate(tree: WorkTree, path: string): { readonly host: string; readonly readOnly: boolean } {
  const target = posix.resolve(WORK, path);
  if (target !== WORK && !target.startsWith(`${WORK}/`)) throw permissionDenied(`${path} leads out of ${WORK}`);
  const mount = tree.mounts.find(({ kernelPath }) => target === kernelPath || target.startsWith(`${kernelPath}/`));
  return mount
    ? { host: mount.hostPath + target.slice(mount.kernelPath.length), readOnly: mount.readOnly }
    : { host: tree.root + target.slice(WORK.length), readOnly: false };
}
