import 'reflect-metadata';
import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock, settle } from '../../../test/support/manual-clock.js';
import { MemoryLogger } from '../../../test/support/memory-logger.js';
import { MemoryTaskJournal } from '../../../test/support/memory-task-journal.js';
import { storageFailure } from '../../domain/error/errors.js';
import type { AgentEvent } from '../../domain/event/agent-event.js';
import { BackgroundTasks, type TaskWork } from './background-tasks.js';

/** Goes on until it is cancelled. */
const never: TaskWork = (_, signal) =>
  new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });

describe('BackgroundTasks', () => {
  let clock: ManualClock;
  let journal: MemoryTaskJournal;
  let told: AgentEvent[];
  let tasks: BackgroundTasks;

  const make = (): BackgroundTasks => {
    let ids = 0;
    const uuid = () => `00000000-0000-4000-8000-${String((ids += 1)).padStart(12, '0')}`;
    const events = {
      announce: (event: AgentEvent) => Promise.resolve(void told.push(event)),
      subscribe: () => ({ [Symbol.dispose]: () => undefined }),
    };
    return new BackgroundTasks(clock, { uuid, hex: () => '' }, events, journal, new MemoryLogger());
  };
  const words = () =>
    told.map(({ name, body }) =>
      'current_progress' in body ? `${body.current_progress}/${body.total_progress} ${body.message ?? ''}` : name,
    );

  beforeEach(() => {
    clock = new ManualClock();
    journal = new MemoryTaskJournal();
    told = [];
    tasks = make();
  });

  it('tells start and end, each once, by the id that it gives', async () => {
    const id = await tasks.start('a test', () => Promise.resolve());
    await settle();
    expect(told).toEqual([
      {
        name: 'bgtask_updated',
        body: { task_id: id, current_progress: 0, total_progress: 0, message: 'Task started' },
      },
      { name: 'bgtask_done', body: { task_id: id, message: null } },
    ]);
    expect(journal.records.size).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('tells why a task failed', async () => {
    const id = await tasks.start('a test', () => Promise.reject(storageFailure('the disk is full')));
    await settle();
    expect(told.at(-1)).toEqual({ name: 'bgtask_failed', body: { task_id: id, message: 'the disk is full' } });
  });

  it('tells progress at most once a second, the newest always, and nothing after the end', async () => {
    let finish: () => void = () => undefined;
    let tell: (current: number, total: number, message?: string) => void = () => undefined;
    await tasks.start('a test', (report) => {
      tell = report;
      return new Promise((resolve) => (finish = resolve));
    });
    await settle();
    for (let i = 1; i <= 30; i += 1) {
      tell(i, 30, `step ${i}`);
      await clock.advance(100);
    }
    expect(words()).toEqual(['0/0 Task started', '10/30 step 10', '20/30 step 20', '30/30 step 30']);
    tell(31, 31);
    finish();
    await settle();
    tell(32, 32);
    await clock.advance(600_000);
    expect(words().slice(4)).toEqual(['bgtask_done']);
  });

  it('repeats itself in long silences, so that nobody forgets the task', async () => {
    let tell: (current: number, total: number) => void = () => undefined;
    const id = await tasks.start('a test', (report, signal) => {
      tell = report;
      return never(report, signal);
    });
    await clock.advance(119_000);
    expect(told).toHaveLength(1);
    await clock.advance(1_000);
    expect(told).toHaveLength(2);
    await clock.advance(60_000);
    tell(1, 2);
    await clock.advance(119_000);
    expect(told).toHaveLength(3);
    await clock.advance(1_000);
    expect(words()).toEqual(['0/0 Task started', '0/0 Task started', '1/2 Task started', '1/2 Task started']);
    await tasks.cancel(id);
    expect(clock.pending).toBe(0);
  });

  it('cancels one, also before its turn, and says whether there was one', async () => {
    const running = await Promise.all(Array.from({ length: 64 }, () => tasks.start('a test', never)));
    let calls = 0;
    const waiting = await tasks.start('waits', (_, signal) => {
      calls += 1;
      signal.throwIfAborted();
      return Promise.resolve();
    });
    const last = await tasks.start('waits too', () => Promise.resolve());
    await settle();
    expect(calls).toBe(0);
    expect(await tasks.cancel(waiting)).toBe(true);
    expect(calls).toBe(1);
    expect(told.at(-1)).toEqual({
      name: 'bgtask_cancelled',
      body: { task_id: waiting, message: 'Task cancelled' },
    });
    expect(await tasks.cancel(waiting)).toBe(false);
    await tasks.cancel(running[0] ?? '');
    await settle();
    expect(told.at(-1)).toEqual({ name: 'bgtask_done', body: { task_id: last, message: null } });
  });

  it('cancels everything when the agent stops, and takes nothing new', async () => {
    const ids = await Promise.all([tasks.start('a', never), tasks.start('b', never)]);
    const late = tasks.start('begun while stopping', never);
    await tasks.stop();
    const cancelled = told.filter(({ name }) => name === 'bgtask_cancelled');
    expect(cancelled.map(({ body }) => ('task_id' in body ? body.task_id : ''))).toEqual([...ids, await late]);
    await expect(tasks.start('c', never)).rejects.toMatchObject({ name: 'NotReadyError' });
    expect(journal.records.size).toBe(0);
    await make().recover();
    expect(told.filter(({ name }) => name !== 'bgtask_updated')).toHaveLength(3);
  });

  it('tells after a crash what became of its tasks: the end that was known, or that they failed', async () => {
    const lost = await tasks.start('pull of image x', never);
    journal.records.set('e', { id: 'e', name: 'ended', end: { event: 'bgtask_done', message: null } });
    told.length = 0;
    await make().recover();
    expect(told).toEqual([
      {
        name: 'bgtask_failed',
        body: { task_id: lost, message: expect.stringMatching(/agent was stopped.*pull of image x.*once more/) },
      },
      { name: 'bgtask_done', body: { task_id: 'e', message: null } },
    ]);
    expect(journal.records.size).toBe(0);
  });

  it('works also if nothing can be noted', async () => {
    journal.save = () => Promise.reject(storageFailure('the disk is full'));
    journal.load = () => Promise.reject(storageFailure('the disk is gone'));
    await tasks.recover();
    await tasks.start('a test', () => Promise.resolve());
    await settle();
    expect(words()).toEqual(['0/0 Task started', 'bgtask_done']);
  });

  it('refuses more than it can remember', async () => {
    await Promise.all(Array.from({ length: 4_096 }, () => tasks.start('a test', never)));
    await expect(tasks.start('a test', never)).rejects.toMatchObject({ name: 'NotReadyError', retryable: true });
  });
});
