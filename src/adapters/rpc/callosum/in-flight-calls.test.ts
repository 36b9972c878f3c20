import { describe, expect, it, vi } from 'vitest';
import { CallCancelled, InFlightCalls, ServerClosing } from './in-flight-calls.js';

const calls = (maxCalls = 2, maxBytes = 100): InFlightCalls => new InFlightCalls({ maxCalls, maxBytes });
const nothing = (): void => undefined;
const refused = expect.objectContaining({ name: 'ServerOverloadedError', retryable: true });

describe('InFlightCalls', () => {
  it('refuses calls and bytes beyond its bounds, but never an exempt one', () => {
    const inFlight = calls();
    const first = inFlight.accept('a', 60, false, nothing);
    expect(() => inFlight.accept('b', 60, false, nothing)).toThrow(refused);
    inFlight.accept('b', 40, false, nothing);
    expect(() => inFlight.accept('c', 0, false, nothing)).toThrow(refused);
    inFlight.accept('ping', 1_000, true, nothing).finish();
    first.finish();
    inFlight.accept('c', 60, false, nothing);
    expect(inFlight.size).toBe(2);
  });

  it('cancels every call with the same id and no other', () => {
    const inFlight = calls(3);
    const twins = [inFlight.accept('a', 0, false, nothing), inFlight.accept('a', 0, false, nothing)];
    const other = inFlight.accept('b', 0, false, nothing);
    expect(inFlight.cancel('a')).toBe(2);
    for (const { signal } of twins) expect(signal.reason).toBeInstanceOf(CallCancelled);
    expect(other.signal.aborted).toBe(false);
    expect(inFlight.cancel('unknown')).toBe(0);
  });

  it('lets only one side answer', () => {
    const inFlight = calls();
    const abandon = vi.fn();
    const answered = inFlight.accept('a', 0, false, abandon);
    const left = inFlight.accept('b', 0, false, abandon);
    expect(answered.finish()).toBe(true);
    expect(answered.finish()).toBe(false);
    inFlight.abandonAll();
    expect(abandon).toHaveBeenCalledTimes(1);
    expect(left.finish()).toBe(false);
    expect(inFlight.size).toBe(0);
  });

  it('tells when it is idle, and fires the signals when it closes', async () => {
    const inFlight = calls();
    await inFlight.idle();
    const call = inFlight.accept('a', 0, false, nothing);
    const idle = inFlight.idle();
    inFlight.abortAll();
    expect(call.signal.reason).toBeInstanceOf(ServerClosing);
    call.finish();
    await idle;
  });

  it('forgets what is finished, in whatever order', () => {
    const inFlight = calls(1_000, 1_000);
    const taken = Array.from({ length: 50 }, (_, i) => inFlight.accept(`key-${i % 7}`, 10, false, nothing));
    for (const call of taken.toReversed()) call.finish();
    expect(inFlight.size).toBe(0);
    for (let i = 0; i < 7; i += 1) expect(inFlight.cancel(`key-${i}`)).toBe(0);
    inFlight.accept('full again', 1_000, false, nothing);
  });
});
