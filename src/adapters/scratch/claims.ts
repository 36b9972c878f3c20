import { constants } from 'node:fs';
import type { DirectoryHandle } from './directory-handle.js';
import { errorCode } from './storage-error.js';

const ATTEMPTS = 10;

/**
 * Which scratches an agent made, for when several agents share a scratch root: an empty file per kernel id in a hidden
 * directory per owner. A claim is made before its scratch and taken back after it, so one that an agent leaves behind
 * when it is killed at any moment still has an owner who will remove it. The last claim takes the directory with it.
 */
export class Claims {
  readonly #name: string;

  constructor(owner: string) {
    this.#name = `.made-by-${encodeURIComponent(owner)}`.slice(0, 255);
  }

  async make(base: DirectoryHandle, id: string): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await base.mkdir(this.#name, 0o700).catch(ignore('EEXIST'));
        await using directory = await base.child(this.#name);
        const file = await directory.openFile(id, constants.O_WRONLY | constants.O_CREAT, 0o600);
        await file.close();
        return;
      } catch (error) {
        // The last claim of before was taken back at this moment, and the directory with it.
        if (errorCode(error) !== 'ENOENT' || attempt === ATTEMPTS) throw error;
      }
    }
  }

  async takeBack(base: DirectoryHandle, id: string): Promise<void> {
    try {
      await using directory = await base.child(this.#name);
      await directory.unlink(id);
    } catch (error) {
      ignore('ENOENT')(error);
    }
    await base.rmdir(this.#name).catch(ignore('ENOENT', 'ENOTEMPTY'));
  }

  async list(base: DirectoryHandle): Promise<readonly string[]> {
    const names: string[] = [];
    try {
      await using directory = await base.child(this.#name);
      for await (const entry of directory.entries()) names.push(entry.name);
    } catch (error) {
      ignore('ENOENT')(error);
    }
    return names;
  }
}

function ignore(...codes: readonly string[]): (error: unknown) => void {
  return (error) => {
    if (!codes.includes(errorCode(error))) throw error;
  };
}
