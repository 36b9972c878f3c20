import { expect, test } from 'vitest';
import { EmbeddedConfigSource } from '../../adapters/embedded/embedded-config-source.adapter.js';
import { ManualClock } from '../../../test/support/manual-clock.js';
import { MemoryLogger } from '../../../test/support/memory-logger.js';
import { awaitManager, findManager } from './await-manager.js';

const { signal } = new AbortController();
const set = () => ({ source: new EmbeddedConfigSource(), clock: new ManualClock(), logger: new MemoryLogger() });

test('goes on at once where a Manager is registered', async () => {
  const { clock, logger } = set();
  const source = new EmbeddedConfigSource({ nodes: { manager: { 'i-vm': 'up' } } });
  await awaitManager(source, { clock, logger }, signal);
  await findManager(source, signal);
  expect(logger.lines.map(({ message }) => message)).toEqual(['found a Manager']);
  expect(clock.pending).toBe(0);
});

test('waits for one, says so now and then, and leaves no timer', async () => {
  const { source, clock, logger } = set();
  let found = false;
  const waiting = awaitManager(source, { clock, logger }, signal).then(() => (found = true));
  await expect(findManager(source, signal)).rejects.toMatchObject({ retryable: true });
  await clock.advance(130_000);
  expect(logger.lines.map(({ message }) => message)).toEqual(Array(3).fill('waiting for a Manager'));
  expect(found).toBe(false);
  await source.put('nodes/manager/i-vm', 'up', { scope: 'global' }, signal);
  await waiting;
  expect(clock.pending).toBe(0);
});

test('stops waiting with its signal', async () => {
  const { source, clock, logger } = set();
  const stop = new AbortController();
  const waiting = awaitManager(source, { clock, logger }, stop.signal);
  stop.abort(new Error('leaving'));
  await expect(waiting).rejects.toThrow('leaving');
  expect(clock.pending).toBe(0);
});
