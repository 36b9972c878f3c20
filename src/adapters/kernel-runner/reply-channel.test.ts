import { describe, expect, it } from 'vitest';
import { ReplyChannel } from './reply-channel.js';

const never = new AbortController().signal;
const bytes = (text: string) => new TextEncoder().encode(text);
const sent = () => Promise.resolve();

function channel(isInterchangeable = false) {
  let now = 0;
  const replies = new ReplyChannel<string>({
    kind: 'answer',
    parse: (payload) => {
      const text = new TextDecoder().decode(payload);
      if (text === 'broken') throw new Error('unreadable');
      return text;
    },
    defaultTimeoutMs: 5000,
    isInterchangeable,
    lateMs: 1000,
    now: () => now,
  });
  return { replies, pass: (ms: number) => (now += ms) };
}

/** Calls and gives up once the request was sent. */
async function giveUp(replies: ReplyChannel<string>): Promise<void> {
  const patience = new AbortController();
  const call = replies.call(sent, { signal: patience.signal });
  await tick();
  patience.abort(new Error('enough'));
  await expect(call).rejects.toThrow('enough');
}

function tick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('ReplyChannel', () => {
  it('sends one request at a time, in order', async () => {
    const { replies } = channel();
    const order: string[] = [];
    const one = replies.call(() => Promise.resolve(void order.push('send 1')), { signal: never });
    const two = replies.call(() => Promise.resolve(void order.push('send 2')), { signal: never });
    await tick();
    expect(order).toEqual(['send 1']);
    replies.accept(bytes('a'));
    expect(await one).toBe('a');
    await tick();
    expect(order).toEqual(['send 1', 'send 2']);
    replies.accept(bytes('b'));
    expect(await two).toBe('b');
  });

  it('takes a reply that comes before the request was known to be sent', async () => {
    const { replies } = channel();
    const call = replies.call(
      async () => {
        replies.accept(bytes('quick'));
        await tick();
      },
      { signal: never },
    );
    expect(await call).toBe('quick');
  });

  it('skips the late reply to a caller who gave up', async () => {
    const { replies } = channel();
    await giveUp(replies);
    const next = replies.call(sent, { signal: never });
    await tick();
    replies.accept(bytes('late'));
    replies.accept(bytes('mine'));
    expect(await next).toBe('mine');
  });

  it('stops expecting a late reply after a while', async () => {
    const { replies, pass } = channel();
    await giveUp(replies);
    pass(1001);
    const next = replies.call(sent, { signal: never });
    await tick();
    replies.accept(bytes('mine'));
    expect(await next).toBe('mine');
  });

  it('is not off by one for ever when an expected late reply never comes', async () => {
    const { replies } = channel();
    await giveUp(replies);
    const robbed = replies.call(sent, { signal: never, timeoutMs: 20 });
    await tick();
    replies.accept(bytes('taken for the late one'));
    await expect(robbed).rejects.toMatchObject({ name: 'TimeoutError' });
    const next = replies.call(sent, { signal: never });
    await tick();
    replies.accept(bytes('mine'));
    expect(await next).toBe('mine');
  });

  it('gives any reply to any caller where they are alike', async () => {
    const { replies } = channel(true);
    await giveUp(replies);
    const next = replies.call(sent, { signal: never });
    await tick();
    replies.accept(bytes('late but good'));
    expect(await next).toBe('late but good');
  });

  it('counts the time in line, and never sends for a caller who is gone', async () => {
    const { replies } = channel();
    let sends = 0;
    const first = replies.call(sent, { signal: never });
    const second = replies.call(() => Promise.resolve(void (sends += 1)), { signal: never, timeoutMs: 10 });
    await expect(second).rejects.toMatchObject({ name: 'TimeoutError', retryable: true });
    replies.accept(bytes('a'));
    await first;
    await tick();
    expect(sends).toBe(0);
  });

  it('tells a malformed reply and goes on', async () => {
    const { replies } = channel();
    const first = replies.call(sent, { signal: never });
    await tick();
    replies.accept(bytes('broken'));
    await expect(first).rejects.toThrow("malformed 'answer'");
    const second = replies.call(sent, { signal: never });
    await tick();
    replies.accept(bytes('fine'));
    expect(await second).toBe('fine');
  });

  it('passes on a failed send and is free for the next', async () => {
    const { replies } = channel();
    await expect(replies.call(() => Promise.reject(new Error('no room')), { signal: never })).rejects.toThrow(
      'no room',
    );
    const next = replies.call(sent, { signal: never });
    await tick();
    replies.accept(bytes('fine'));
    expect(await next).toBe('fine');
  });

  it('refuses more callers than it can hold, and ends all when it closes', async () => {
    const { replies } = channel();
    const calls = Array.from({ length: 128 }, () => replies.call(sent, { signal: never }));
    const ends = Promise.allSettled(calls);
    await expect(replies.call(sent, { signal: never })).rejects.toThrow('128 calls wait');
    replies.close();
    for (const end of await ends) expect(end).toMatchObject({ status: 'rejected', reason: { status: 502 } });
    await expect(replies.call(sent, { signal: never })).rejects.toThrow('closed');
  });
});
