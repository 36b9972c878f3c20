import { describe, expect, it, vi } from 'vitest';
import { CallCancelled, InFlightCalls, type NewCall, ServerClosing } from './in-flight-calls.js';

const calls = (maxCalls = 2, maxBytes = 100): InFlightCalls =>
  new InFlightCalls({ maxCalls, maxBytes, maxPeerCalls: maxCalls, maxPeerBytes: maxBytes });
const call = (key: string, bytes = 0, more: Partial<NewCall> = {}): NewCall => ({
  ...{ peer: 'p', key, bytes, abandon: () => undefined, ...more },
});
const refused = expect.objectContaining({ name: 'ServerOverloadedError', retryable: true });

describe('InFlightCalls', () => {
  it('refuses calls and bytes beyond its bounds', () => {
    const inFlight = calls();
    const first = inFlight.accept(call('a', 60));
    expect(() => inFlight.accept(call('b', 60))).toThrow(refused);
    inFlight.accept(call('b', 40));
    expect(() => inFlight.accept(call('c', 0))).toThrow(refused);
    first.finish();
    inFlight.accept(call('c', 60));
    expect(inFlight.size).toBe(2);
  });

  it('leaves room for others, whatever one peer asks for', () => {
    const inFlight = new InFlightCalls({ maxCalls: 3, maxBytes: 100, maxPeerCalls: 2, maxPeerBytes: 60 });
    inFlight.accept(call('a', 60));
    expect(() => inFlight.accept(call('b', 1))).toThrow(refused);
    inFlight.accept(call('b', 0));
    expect(() => inFlight.accept(call('c', 0))).toThrow(refused);
    inFlight.accept(call('a', 40, { peer: 'q' }));
  });

  it('keeps the work of a method that must end going when its caller leaves, not when the server closes', () => {
    const inFlight = calls();
    const left = inFlight.accept(call('a'));
    inFlight.cancel('a');
    expect(left.ended).toBeInstanceOf(CallCancelled);
    expect([left.signal.aborted, left.closing.aborted]).toEqual([true, false]);
    inFlight.abortAll();
    expect(left.closing.reason).toBeInstanceOf(ServerClosing);
    expect(left.ended).toBeInstanceOf(CallCancelled);
  });

  it('cancels every call with the same id and no other', () => {
    const inFlight = calls(3);
    const twins = [inFlight.accept(call('a', 0)), inFlight.accept(call('a', 0))];
    const other = inFlight.accept(call('b', 0));
    expect(inFlight.cancel('a')).toBe(2);
    for (const { signal } of twins) expect(signal.reason).toBeInstanceOf(CallCancelled);
    expect(other.signal.aborted).toBe(false);
    expect(inFlight.cancel('unknown')).toBe(0);
  });

  it('lets only one side answer', () => {
    const inFlight = calls();
    const abandon = vi.fn();
    const answered = inFlight.accept(call('a', 0, { abandon }));
    const left = inFlight.accept(call('b', 0, { abandon }));
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
    const accepted = inFlight.accept(call('a', 0));
    const idle = inFlight.idle();
    inFlight.abortAll();
    expect(accepted.signal.reason).toBeInstanceOf(ServerClosing);
    accepted.finish();
    await idle;
  });

  it('forgets what is finished, in whatever order', () => {
    const inFlight = calls(1_000, 1_000);
    const taken = Array.from({ length: 50 }, (_, i) => inFlight.accept(call(`key-${i % 7}`, 10)));
    for (const one of taken.toReversed()) one.finish();
    expect(inFlight.size).toBe(0);
    for (let i = 0; i < 7; i += 1) expect(inFlight.cancel(`key-${i}`)).toBe(0);
    inFlight.accept(call('full again', 1_000));
  });
});
