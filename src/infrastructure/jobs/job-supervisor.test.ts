import { describe, expect, it } from 'vitest';
import type { Logger } from '../../application/ports/logger.port.js';
import { stateStoreFailure } from '../../domain/error/errors.js';
import { ManualClock } from '../../../test/support/manual-clock.js';
import { SystemClock } from '../../adapters/host/system-clock.adapter.js';
import { JobSupervisor } from './job-supervisor.js';

function collectingLogger(lines: string[]): Logger {
  const write = (message: string) => void lines.push(message);
  return { debug: write, info: write, warn: write, error: write, child: () => collectingLogger(lines) };
}

describe('JobSupervisor', () => {
  it('runs a job again after it threw and after it overran its deadline', async () => {
    const lines: string[] = [];
    const seen: number[] = [];
    const faults: unknown[] = [];
    await using jobs = new JobSupervisor(new SystemClock(), collectingLogger(lines), (error, job) => {
      faults.push([job, error]);
    });
    await new Promise<void>((resolve) => {
      jobs.every({
        name: 'shaky',
        intervalMs: 1,
        deadlineMs: 5,
        run: (signal) => {
          seen.push(seen.length);
          if (seen.length === 1) throw new TypeError('first');
          if (seen.length === 2)
            return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
          if (seen.length === 3) throw stateStoreFailure('away');
          resolve();
          return Promise.resolve();
        },
      });
    });
    expect(lines).toEqual(['job shaky: first', 'job shaky: The deadline has passed', 'job shaky: away']);
    // Managers are told of our bugs, not of the world's.
    expect(faults).toEqual([['shaky', new TypeError('first')]]);
  });

  it('tries soon again after a failure, tells the same one once, and that it is over', async () => {
    const lines: string[] = [];
    const clock = new ManualClock();
    await using jobs = new JobSupervisor(clock, collectingLogger(lines), () => undefined);
    let runs = 0;
    const run = () => (++runs < 4 ? Promise.reject(new Error('away')) : Promise.resolve());
    jobs.every({ name: 'rare', intervalMs: 60_000, deadlineMs: 1_000, run });
    for (let second = 0; second < 9; second++) await clock.advance(1_000);
    expect(runs).toBe(4);
    expect(lines).toEqual(['job rare: away', 'job rare: works again']);
    await clock.advance(59_000);
    expect(runs).toBe(4);
    await clock.advance(1_000);
    expect(runs).toBe(5);
  });

  it('lets jobs that began apart wake together', async () => {
    const clock = new ManualClock();
    await using jobs = new JobSupervisor(clock, collectingLogger([]), () => undefined);
    const runs: Record<string, number[]> = { often: [], seldom: [] };
    const job = (name: 'often' | 'seldom', intervalMs: number) => {
      const run = () => Promise.resolve(runs[name]?.push(clock.monotonic()));
      jobs.every({ name, intervalMs, deadlineMs: 1_000, run });
    };
    job('often', 2_000);
    await clock.advance(300);
    job('seldom', 5_000);
    await clock.advance(7_700);
    expect(runs).toEqual({ often: [0, 2_000, 4_000, 6_000, 8_000], seldom: [300, 5_000] });
    // Both are due at 10,000: one timer.
    expect(clock.pending).toBe(1);
    await clock.advance(2_000);
    expect([runs['often']?.at(-1), runs['seldom']?.at(-1)]).toEqual([10_000, 10_000]);
  });

  it('keeps an interval that is no whole number of seconds', async () => {
    const clock = new ManualClock();
    await using jobs = new JobSupervisor(clock, collectingLogger([]), () => undefined);
    const runs: number[] = [];
    const run = () => Promise.resolve(runs.push(clock.monotonic()));
    jobs.every({ name: 'odd', intervalMs: 1_500, deadlineMs: 1_000, run });
    await clock.advance(4_500);
    expect(runs).toEqual([0, 1_500, 3_000, 4_500]);
  });

  it('ends an endless job when it is disposed, and waits for it', async () => {
    const jobs = new JobSupervisor(new SystemClock(), collectingLogger([]), () => undefined);
    let ended = false;
    jobs.always({
      name: 'stream',
      run: (signal) =>
        new Promise((resolve) =>
          signal.addEventListener('abort', () => {
            ended = true;
            resolve(undefined);
          }),
        ),
    });
    await jobs[Symbol.asyncDispose]();
    expect(ended).toBe(true);
  });
});
