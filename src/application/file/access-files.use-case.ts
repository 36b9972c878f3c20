import { inject, injectable } from 'inversify';
import { isAgentError } from '../../domain/error/agent-error.js';
import { fileNotFound, invalidArgument } from '../../domain/error/errors.js';
import type { KernelId } from '../../domain/kernel/kernel-id.js';
import { KernelRegistry } from '../kernel/kernel-registry.js';
import { KernelComposer } from '../kernel/provision/kernel-composer.js';
import { KernelFiles, type WorkTree } from '../ports/kernel-files.port.js';
import { ScratchStore } from '../ports/scratch-store.port.js';
import type { FileListing, FileUseCases } from '../use-cases.js';
import { modeText } from './mode-text.js';

const MEBIBYTE = 1024 * 1024;
const MAX_UPLOAD_BYTES = 64 * MEBIBYTE;
const MAX_DOWNLOAD_BYTES = MEBIBYTE;
const MAX_ENTRIES = 10_000;
const TOLD_IN_LISTING: ReadonlySet<string> = new Set([fileNotFound('').name, invalidArgument('').name]);

/** Files of kernels for those outside (rpc.md §6.13), reached on the host's side of their mounts. */
@injectable()
export class AccessFiles implements FileUseCases {
  constructor(
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(KernelComposer) private readonly composer: KernelComposer,
    @inject(ScratchStore) private readonly scratch: ScratchStore,
    @inject(KernelFiles) private readonly files: KernelFiles,
  ) {}

  async upload(kernelId: KernelId, path: string, data: Uint8Array, signal: AbortSignal): Promise<void> {
    if (data.length > MAX_UPLOAD_BYTES) throw tooLarge('the file', MAX_UPLOAD_BYTES);
    await this.files.write(this.#tree(kernelId), path, once(data), { signal });
  }

  async downloadArchive(kernelId: KernelId, path: string, signal: AbortSignal): Promise<Uint8Array> {
    return collect(this.files.archive(this.#tree(kernelId), path, { signal }), 'the archive');
  }

  async downloadFile(kernelId: KernelId, path: string, signal: AbortSignal): Promise<Uint8Array> {
    return collect(this.files.read(this.#tree(kernelId), path, { signal }), 'the file');
  }

  async list(kernelId: KernelId, path: string, signal: AbortSignal): Promise<FileListing> {
    const tree = this.#tree(kernelId);
    try {
      const { files, problems } = await this.files.list(tree, path, MAX_ENTRIES, { signal });
      return {
        files: files.map(({ mode, ...file }) => ({ ...file, mode: modeText(mode) })),
        errors: problems.join('; '),
        path,
      };
    } catch (error) {
      // A client shows what is in `errors` to its user; of a failed call it would only say that it failed.
      if (!isAgentError(error) || !TOLD_IN_LISTING.has(error.name)) throw error;
      return { files: [], errors: error.message, path };
    }
  }

  #tree(kernelId: KernelId): WorkTree {
    const { kernel } = this.registry.get(kernelId);
    const mounts = this.composer.vfolders(kernel).map(({ kernelPath, hostPath, permission }) => ({
      kernelPath,
      hostPath,
      readOnly: permission === 'ro',
    }));
    return { root: this.scratch.paths(kernelId).work, mounts };
  }
}

async function* once(data: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(data);
}

/** All of a stream; stops reading as soon as it is too much. */
async function collect(stream: AsyncIterable<Uint8Array>, what: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > MAX_DOWNLOAD_BYTES) throw tooLarge(what, MAX_DOWNLOAD_BYTES);
    chunks.push(chunk);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

function tooLarge(what: string, limit: number): Error {
  return invalidArgument(`${what} is larger than ${limit / MEBIBYTE} MiB`, {
    field: 'path',
    allowed: `at most ${limit / MEBIBYTE} MiB a call`,
    hint: 'use a vfolder for what is larger, or smaller pieces',
  });
}
