import { join } from 'node:path';
import type { Call } from '../../src/application/ports/call.js';
import type { Ownership, ScratchPaths, ScratchStore } from '../../src/application/ports/scratch-store.port.js';
import { invalidArgument, storageFailure } from '../../src/domain/error/errors.js';
import type { KernelId } from '../../src/domain/kernel/kernel-id.js';
import type { ScratchFile } from '../../src/domain/scratch/scratch-layout.js';

export interface MemoryScratchFile {
  readonly data: string;
  readonly mode: number;
  readonly owner: Ownership | undefined;
}

/** Scratches that exist only here. `failNext` makes the next call of that name fail once. */
export class MemoryScratchStore implements ScratchStore {
  /** Kernel id → path relative to the scratch root → file. */
  readonly scratches = new Map<KernelId, Map<string, MemoryScratchFile>>();
  private readonly failures = new Map<keyof ScratchStore, Error>();

  constructor(private readonly root = '/memory/scratches') {}

  failNext(call: keyof ScratchStore, error: Error = storageFailure('No space left on device')): void {
    this.failures.set(call, error);
  }

  paths(kernelId: KernelId): ScratchPaths {
    const root = join(this.root, kernelId);
    return { root, config: join(root, 'config'), work: join(root, 'work') };
  }

  async create(kernelId: KernelId, _ownership: Ownership | undefined, call: Call): Promise<ScratchPaths> {
    await this.begin('create', call);
    if (!this.scratches.has(kernelId)) this.scratches.set(kernelId, new Map());
    return this.paths(kernelId);
  }

  async write(
    kernelId: KernelId,
    files: readonly ScratchFile[],
    ownership: Ownership | undefined,
    call: Call,
  ): Promise<void> {
    await this.begin('write', call);
    for (const { path } of files) checkPath(path);
    const scratch = this.scratch(kernelId);
    for (const { path, data, mode, owned, onlyIfAbsent } of files) {
      if (onlyIfAbsent && scratch.has(path)) continue;
      scratch.set(path, { data, mode, owner: owned ? ownership : undefined });
    }
  }

  async append(kernelId: KernelId, path: string, text: string): Promise<void> {
    await this.begin('append');
    checkPath(path);
    const scratch = this.scratch(kernelId);
    const before = scratch.get(path) ?? { data: '', mode: 0o644, owner: undefined };
    scratch.set(path, { ...before, data: before.data + text });
  }

  async remove(kernelId: KernelId, call: Call): Promise<void> {
    await this.begin('remove', call);
    this.scratches.delete(kernelId);
  }

  async list(): Promise<readonly KernelId[]> {
    await this.begin('list');
    return [...this.scratches.keys()].sort();
  }

  private scratch(kernelId: KernelId): Map<string, MemoryScratchFile> {
    const scratch = this.scratches.get(kernelId);
    if (!scratch) throw storageFailure(`${this.paths(kernelId).root} is not there`);
    return scratch;
  }

  private async begin(name: keyof ScratchStore, call?: Call): Promise<void> {
    await Promise.resolve();
    call?.signal.throwIfAborted();
    const failure = this.failures.get(name);
    this.failures.delete(name);
    if (failure) throw failure;
  }
}

function checkPath(path: string): void {
  const wrong = path.split('/').some((name) => name === '' || name === '.' || name === '..') || path.includes('\0');
  if (wrong) throw invalidArgument(`'${path}' is not a path in a scratch directory.`, { field: 'path' });
}
