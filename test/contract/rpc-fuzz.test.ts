import { describe, expect, it } from 'vitest';
import { Random } from '../fuzz/random.js';
import { attack } from '../fuzz/rpc/attack.js';
import { tryDecoders } from '../fuzz/rpc/decoders.js';
import { type Asked, plausibleUseCases } from '../support/plausible-use-cases.js';
import { startScripted } from '../support/rpc-peer.js';

/** The quick version of `npm run fuzz -- --only rpc`; the name of a failed test tells how to have it again. */
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 32);
const COUNT = 10_000;

describe(`generated and damaged input, FUZZ_SEED=${seed}`, () => {
  it('is read or refused by every reader', () => {
    const sound = tryDecoders(new Random(seed), COUNT * 3);
    expect(sound).toBeGreaterThan(COUNT / 2);
    expect(sound).toBeLessThan(COUNT * 3);
  });

  it('does not keep the server from answering', async () => {
    const faults: unknown[] = [];
    const asked: Asked[] = [];
    await using scripted = await startScripted({
      ...plausibleUseCases(asked),
      reportFault: (error) => faults.push(error),
    });
    const { signal } = new AbortController();
    const between = (): Promise<void> => Promise.resolve();
    const report = await attack({
      endpoint: scripted.endpoint,
      random: new Random(seed),
      count: COUNT,
      signal,
      between,
    });
    expect(report.sent).toBe(COUNT);
    expect(report.replies).toBeGreaterThan(COUNT / 3);
    expect(faults).toEqual([]);
    // Not only refusals: the generators know how to be understood.
    expect(new Set(asked.map(([name]) => name)).size).toBeGreaterThan(25);
    const { inFlight, ignored, rejected } = scripted.server.counters;
    expect(inFlight).toBe(0);
    expect(Math.min(ignored, rejected)).toBeGreaterThan(COUNT / 100);
    expect(scripted.logger.lines.filter(({ message }) => message.includes('could not be handled'))).toEqual([]);
  });
});
