import { constants } from 'node:fs';
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { TaskJournal, TaskRecord } from '../../application/ports/task-journal.port.js';
import { messageOf } from '../../domain/error/agent-error.js';
import { storageFailure } from '../../domain/error/errors.js';
import { syncFolder, TEMPORARY_PREFIX, writeFileAtomically } from './atomic-file.js';

const NAME = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.json$/;
const MAX_RECORD_BYTES = 64 * 1024;
const VERSION = 1;

const schema = z.object({
  version: z.literal(VERSION),
  name: z.string(),
  end: z
    .object({ event: z.enum(['bgtask_done', 'bgtask_failed', 'bgtask_cancelled']), message: z.string().nullable() })
    .nullable(),
});

/** One small file per task in a folder of the agent's own (mode 0700, made when needed). */
export class FileTaskJournal implements TaskJournal {
  constructor(private readonly folder: string) {}

  save({ id, name, end }: TaskRecord): Promise<void> {
    return this.#do('note a background task', async () => {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      await writeFileAtomically(this.#pathOf(id), JSON.stringify({ version: VERSION, name, end }));
    });
  }

  remove(id: string): Promise<void> {
    return this.#do('remove the note of a background task', async () => {
      await rm(this.#pathOf(id), { force: true });
      await syncFolder(this.folder);
    });
  }

  load(): Promise<readonly TaskRecord[]> {
    return this.#do('read the notes of background tasks', async () => {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      const records: TaskRecord[] = [];
      for (const file of await readdir(this.folder)) {
        if (file.startsWith(TEMPORARY_PREFIX)) await rm(join(this.folder, file), { force: true });
        const id = NAME.exec(file)?.[1];
        if (id !== undefined) records.push(await this.#read(id));
      }
      return records;
    });
  }

  async #read(id: string): Promise<TaskRecord> {
    try {
      await using file = await open(this.#pathOf(id), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      if ((await file.stat()).size > MAX_RECORD_BYTES) throw new Error('too large');
      const { name, end } = schema.parse(JSON.parse(await file.readFile('utf8')));
      return { id, name, end };
    } catch {
      return { id, name: 'what it was cannot be read any more', end: null };
    }
  }

  #pathOf(id: string): string {
    return join(this.folder, `${id}.json`);
  }

  async #do<T>(action: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw storageFailure(`cannot ${action} in ${this.folder}: ${messageOf(error)}`, {
        cause: error,
        retryable: true,
        hint: 'check free space and permissions of the state folder',
      });
    }
  }
}
