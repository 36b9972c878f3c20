import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { MovedTo, ResourceGroupStore } from '../../application/ports/resource-group-store.port.js';
import { messageOf } from '../../domain/error/agent-error.js';
import { storageFailure } from '../../domain/error/errors.js';
import { writeFileAtomically } from './atomic-file.js';

const group = z.string().min(1).max(256);
const document = z.object({ version: z.literal(1), resourceGroup: group, configured: group.nullable() });

/** A file of one line in the agent's state folder. */
export class FileResourceGroupStore implements ResourceGroupStore {
  constructor(private readonly path: string) {}

  async load(): Promise<MovedTo | undefined> {
    try {
      const { resourceGroup, configured } = document.parse(JSON.parse(await readFile(this.path, 'utf8')));
      return { resourceGroup, configured };
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw this.#failure('read', error);
    }
  }

  async save({ resourceGroup, configured }: MovedTo): Promise<void> {
    try {
      await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
      await writeFileAtomically(this.path, `${JSON.stringify({ version: 1, resourceGroup, configured })}\n`);
    } catch (error) {
      throw this.#failure('written', error);
    }
  }

  #failure(done: 'read' | 'written', cause: unknown): Error {
    return storageFailure(`${this.path} could not be ${done}: ${messageOf(cause)}`, {
      cause,
      hint: 'remove the file to go back to the configured resource group',
    });
  }
}
