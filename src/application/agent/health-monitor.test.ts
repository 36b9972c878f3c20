import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.js';
import type { AgentSettings } from '../agent-settings.js';
import { HealthMonitor } from './health-monitor.js';

/** A dependency that answers, refuses or hangs as it is told, and counts how often it was asked. */
function bench() {
  const clock = new ManualClock();
  const state = { mood: 'well' as 'well' | 'away' | 'hanging', asked: 0 };
  const probe = (signal: AbortSignal): Promise<void> => {
    state.asked += 1;
    if (state.mood === 'well') return Promise.resolve();
    if (state.mood === 'away') return Promise.reject(new Error('connection refused'));
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  };
  const settings = { version: '1.2.3' } as AgentSettings;
  const monitor = new HealthMonitor([{ group: 'redis', component: 'stat', probe }], settings, clock);
  return { clock, state, monitor };
}

describe('HealthMonitor.current', () => {
  it('asks before it says anything, and tells what is away and since when', async () => {
    const { clock, state, monitor } = bench();
    expect(await monitor.current()).toMatchObject({ status: 'ok', version: '1.2.3' });
    state.mood = 'away';
    await clock.advance(5_000);
    const since = clock.now();
    expect(await monitor.current()).toMatchObject({
      status: 'degraded',
      dependencies: [{ component: 'stat', healthy: false, error: 'connection refused', sinceMs: since }],
    });
    await clock.advance(5_000);
    expect((await monitor.current()).dependencies[0]).toMatchObject({ healthy: false, sinceMs: since });
    expect(clock.pending).toBe(0);
  });

  it('asks once for all who come at once, and not again within two seconds', async () => {
    const { clock, state, monitor } = bench();
    const reports = await Promise.all([monitor.current(), monitor.current(), monitor.current()]);
    // Who comes second waits for the answers as well, instead of being told what is not known yet.
    expect(reports.map(({ status }) => status)).toEqual(['ok', 'ok', 'ok']);
    await clock.advance(1_900);
    await monitor.current();
    expect(state.asked).toBe(1);
    await clock.advance(200);
    await monitor.current();
    expect(state.asked).toBe(2);
  });

  it('does not wait for what hangs: a second later it tells what it knew, and after the deadline that', async () => {
    const { clock, state, monitor } = bench();
    await monitor.current();
    await clock.advance(5_000);
    state.mood = 'hanging';
    const asked = monitor.current();
    await clock.advance(1_000);
    expect(await asked).toMatchObject({ status: 'ok' });
    await clock.advance(4_000);
    expect(monitor.report()).toMatchObject({
      status: 'degraded',
      dependencies: [{ healthy: false, error: 'no answer within 5000 ms', latencyMs: null }],
    });
    expect(clock.pending).toBe(0);
  });
});
