import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BrokenRecord, KernelStore } from '../../application/ports/kernel-store.port.js';
import { messageOf } from '../../domain/error/agent-error.js';
import { storageFailure } from '../../domain/error/errors.js';
import type { KernelId } from '../../domain/kernel/kernel-id.js';
import type { KernelRecord } from '../../domain/kernel/kernel-record.js';
import { syncFolder, TEMPORARY_PREFIX, writeFileAtomically } from './atomic-file.js';
import { fromDocument, toDocument } from './kernel-record-document.js';

const SUFFIX = '.json';
const BROKEN_FOLDER = 'broken';
/** A record is a few KiB; its largest part are files that a user wants in the kernel. */
const MAX_RECORD_BYTES = 16 * 2 ** 20;
const READ_CONCURRENCY = 16;

/**
 * One file per kernel in a folder of the agent's own (mode 0700, made when needed). Changes of one kernel are written
 * in the order of the calls.
 */
export class FileKernelStore implements KernelStore {
  readonly #writing = new Map<KernelId, Promise<void>>();

  constructor(private readonly folder: string) {}

  save(record: KernelRecord): Promise<void> {
    const document = toDocument(record);
    const { kernelId } = record.spec;
    return this.#inOrder(kernelId, 'write', async () => {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      await writeFileAtomically(this.#pathOf(kernelId), document);
    });
  }

  remove(kernelId: KernelId): Promise<void> {
    return this.#inOrder(kernelId, 'remove', async () => {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      await rm(this.#pathOf(kernelId), { force: true });
      await syncFolder(this.folder);
    });
  }

  async load(): Promise<{ readonly records: readonly KernelRecord[]; readonly broken: readonly BrokenRecord[] }> {
    const names = await this.#list();
    const records: KernelRecord[] = [];
    const broken: BrokenRecord[] = [];
    const rest = names.values();
    const work = async () => {
      for (const name of rest) {
        try {
          records.push(await this.#read(name));
        } catch (error) {
          broken.push(await this.#setAside(name, error));
        }
      }
    };
    await Promise.all(Array.from({ length: READ_CONCURRENCY }, work));
    return { records, broken };
  }

  /** Names of record files; what a crash left half-written is removed. */
  async #list(): Promise<readonly string[]> {
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      const names = await readdir(this.folder);
      for (const name of names.filter((other) => other.startsWith(TEMPORARY_PREFIX))) {
        await rm(join(this.folder, name), { force: true });
      }
      return names.filter((name) => name.endsWith(SUFFIX) && !name.startsWith(TEMPORARY_PREFIX)).sort();
    } catch (error) {
      throw this.#failure('read', this.folder, error);
    }
  }

  async #read(name: string): Promise<KernelRecord> {
    const file = await open(join(this.folder, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { size } = await file.stat();
      if (size > MAX_RECORD_BYTES) throw new Error(`${size} bytes, more than ${MAX_RECORD_BYTES}`);
      const record = fromDocument(await file.readFile('utf8'));
      if (`${record.spec.kernelId}${SUFFIX}` !== name) throw new Error('it is of another kernel than its name says');
      return record;
    } finally {
      await file.close();
    }
  }

  async #setAside(name: string, cause: unknown): Promise<BrokenRecord> {
    const problem = messageOf(cause).slice(0, 500);
    const from = join(this.folder, name);
    const to = join(this.folder, BROKEN_FOLDER, name);
    try {
      await mkdir(join(this.folder, BROKEN_FOLDER), { recursive: true, mode: 0o700 });
      await rename(from, to);
      return { path: to, problem };
    } catch (error) {
      return { path: from, problem: `${problem}; it could not be set aside: ${messageOf(error)}` };
    }
  }

  async #inOrder(kernelId: KernelId, verb: string, change: () => Promise<void>): Promise<void> {
    const before = this.#writing.get(kernelId) ?? Promise.resolve();
    const mine = before
      .catch(() => undefined)
      .then(change)
      .catch((error: unknown) => {
        throw this.#failure(verb, this.#pathOf(kernelId), error);
      });
    this.#writing.set(kernelId, mine);
    try {
      await mine;
    } finally {
      if (this.#writing.get(kernelId) === mine) this.#writing.delete(kernelId);
    }
  }

  #pathOf(kernelId: KernelId): string {
    return join(this.folder, `${kernelId}${SUFFIX}`);
  }

  #failure(verb: string, path: string, cause: unknown): Error {
    return storageFailure(`cannot ${verb} ${path}: ${messageOf(cause)}`, {
      cause,
      retryable: true,
      hint: 'check free space and permissions of the state folder',
    });
  }
}
