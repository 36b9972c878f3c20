import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TaskJournal } from '../../src/application/ports/task-journal.port.js';

interface JournalHarness extends AsyncDisposable {
  readonly journal: TaskJournal;
  /** The journal as the next process finds it. */
  reopen(): TaskJournal;
}

export function describeTaskJournal(title: string, setup: () => Promise<JournalHarness>): void {
  describe(`TaskJournal: ${title}`, () => {
    let harness: JournalHarness;
    beforeEach(async () => {
      harness = await setup();
    });
    afterEach(() => harness[Symbol.asyncDispose]());

    it('is empty at first', async () => {
      expect(await harness.journal.load()).toEqual([]);
    });

    it('keeps what was saved last of each task, until it is removed', async () => {
      const one = { id: randomUUID(), name: 'pull of image ü:1', end: null };
      const other = { id: randomUUID(), name: 'commit', end: null };
      await Promise.all([harness.journal.save(one), harness.journal.save(other)]);
      const ended = { ...other, end: { event: 'bgtask_failed', message: 'a "reason"\n' } as const };
      await harness.journal.save(ended);
      expect(new Set(await harness.reopen().load())).toEqual(new Set([one, ended]));
      await harness.journal.remove(one.id);
      await harness.journal.remove(one.id);
      expect(await harness.reopen().load()).toEqual([ended]);
    });
  });
}
