import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.js';
import { MemoryLogger } from '../../../test/support/memory-logger.js';
import type { AnnouncedEvent } from '../../application/ports/event-bus.port.js';
import { EmbeddedEventBus } from './embedded-event-bus.adapter.js';

describe('EmbeddedEventBus', () => {
  it('numbers on above the ids of an agent that ran before', async () => {
    const clock = new ManualClock();
    const seen: AnnouncedEvent[] = [];
    for (let life = 0; life < 2; life++) {
      const bus = new EmbeddedEventBus({ agentId: 'i', clock, logger: new MemoryLogger() });
      // A watcher that comes back with the newest id of the life before gets all of the new one.
      await bus.announce({ name: 'agent_started', body: { reason: 'self-started' } });
      bus.subscribe((event) => seen.push(event), seen.at(-1)?.id ?? 0);
      await clock.advance(1_000);
    }
    expect(seen).toHaveLength(2);
    expect(seen[1]!.id).toBeGreaterThan(seen[0]!.id);
  });

  it('logs a listener that throws', async () => {
    const logger = new MemoryLogger();
    const bus = new EmbeddedEventBus({ agentId: 'i', clock: new ManualClock(), logger });
    bus.subscribe(() => {
      throw new Error('broken');
    });
    await bus.announce({ name: 'agent_started', body: { reason: 'self-started' } });
    expect(logger.lines).toEqual([
      expect.objectContaining({ level: 'warn', fields: { event: 'agent_started', error: 'broken' } }),
    ]);
  });
});
