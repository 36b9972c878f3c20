import { expect, it } from 'vitest';
import { ManualClock } from '../../../../test/support/manual-clock.js';
import { MemoryLogger } from '../../../../test/support/memory-logger.js';
import { RefusalLog } from './refusal-log.js';

it('tells of a peer at once, then once a minute, and how often it came meanwhile', async () => {
  const [logger, clock] = [new MemoryLogger(), new ManualClock()];
  const log = new RefusalLog(logger, clock);
  for (let second = 0; second <= 61; second += 1) {
    log.tell('10.0.0.1', 'not the key of the Manager');
    await clock.advance(1_000);
  }
  log.tell('10.0.0.2', 'not the key of the Manager');
  const reason = 'not the key of the Manager';
  expect(logger.lines.map(({ level, fields }) => [level, fields])).toEqual([
    ['warn', { reason, peer: '10.0.0.1' }],
    ['warn', { reason, peer: '10.0.0.1', more_refused: 59 }],
    ['warn', { reason, peer: '10.0.0.2' }],
  ]);
});

it('remembers a bounded number of peers', () => {
  const logger = new MemoryLogger();
  const log = new RefusalLog(logger, new ManualClock());
  for (let number = 0; number < 1_001; number += 1) log.tell(`10.0.${number >> 8}.${number & 255}`, 'x');
  log.tell('10.0.0.0', 'x');
  expect(logger.lines).toHaveLength(1_002);
});
