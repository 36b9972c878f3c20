import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { realClock } from '../../../../test/support/real-clock.js';
import type { Frames } from './frames.js';
import { Outbox, type OutboxLimits } from './outbox.js';

const failure = (code: string): Error => Object.assign(new Error(code), { code });

/** A socket with room for so many messages per peer; the first frame names the peer. */
class Socket {
  readonly room = new Map<string, number>();
  readonly sent: string[] = [];
  attempts = 0;

  notice(): void {
    // Nothing is late here.
  }

  send(frames: Frames): Promise<void> {
    this.attempts += 1;
    const [peer, text] = frames.map(String);
    const left = this.room.get(peer!);
    if (left === undefined) return Promise.reject(failure('EHOSTUNREACH'));
    if (left === 0) return Promise.reject(failure('EAGAIN'));
    this.room.set(peer!, left - 1);
    this.sent.push(`${peer!}${text!}`);
    return Promise.resolve();
  }
}

function bench(limits: Partial<OutboxLimits> = {}) {
  const socket = new Socket();
  const slow: string[] = [];
  const errors: unknown[] = [];
  const all = { maxPeerMessages: 100, maxPeerBytes: 1_000, maxBytes: 10_000, ...limits };
  const events = { onSlowPeer: (peer: string) => slow.push(peer), onError: (error: unknown) => errors.push(error) };
  const outbox = new Outbox(socket, all, realClock, events);
  const push = (peer: string, text: string): void => outbox.push(peer, [Buffer.from(peer), Buffer.from(text)]);
  return { socket, slow, errors, outbox, push };
}

describe('Outbox', () => {
  it('hands everything over in order while there is room', async () => {
    const { socket, outbox, push } = bench();
    socket.room.set('a', 10);
    for (const text of ['1', '2', '3']) push('a', text);
    await outbox.flush();
    await turn();
    expect(socket.sent).toEqual(['a1', 'a2', 'a3']);
    expect(outbox.waitingBytes).toBe(0);
  });

  it('keeps what a full peer must wait for, and holds up no other', async () => {
    const { socket, slow, outbox, push } = bench();
    socket.room.set('a', 1).set('b', 10);
    push('a', '1');
    push('a', '2');
    await turn();
    push('a', '3');
    push('b', '1');
    await turn();
    expect(socket.sent).toEqual(['a1', 'b1']);
    expect(outbox.waitingBytes).toBeGreaterThan(0);
    socket.room.set('a', 10);
    await outbox.flush();
    expect(socket.sent).toEqual(['a1', 'b1', 'a2', 'a3']);
    expect({ waiting: outbox.waitingBytes, dropped: outbox.dropped, slow }).toEqual({
      waiting: 0,
      dropped: 0,
      slow: [],
    });
  });

  it('drops what is too much for a peer that does not read, and says so once', async () => {
    const { socket, slow, outbox, push } = bench({ maxPeerBytes: 10 });
    socket.room.set('a', 0);
    for (let i = 0; i < 20; i += 1) {
      push('a', 'xxx');
      await turn();
    }
    expect(outbox.waitingBytes).toBeLessThanOrEqual(10);
    expect({ dropped: outbox.dropped, slow }).toEqual({ dropped: 18, slow: ['a'] });
    socket.room.set('a', 100);
    await outbox.flush();
    push('a', 'again');
    await turn();
    expect(socket.sent).toEqual(['axxx', 'axxx', 'aagain']);
  });

  it('says so in place of a large one, as often as there is room for a message', async () => {
    const { socket, outbox } = bench({ maxPeerBytes: 10, maxPeerMessages: 4 });
    socket.room.set('a', 0);
    const frames = (text: string) => [Buffer.from('a'), Buffer.from(text)];
    for (let i = 0; i < 6; i += 1) {
      outbox.push('a', frames(`large${i}`), () => frames(`no${i}`));
      await turn();
    }
    expect(outbox.dropped).toBe(5);
    socket.room.set('a', 100);
    await outbox.flush();
    expect(socket.sent).toEqual(['alarge0', 'ano1', 'ano2', 'ano3']);
  });

  it('bounds the bytes of all peers together, and the messages of one', async () => {
    const { socket, outbox, push } = bench({ maxPeerBytes: 100, maxBytes: 12, maxPeerMessages: 3 });
    for (const peer of ['a', 'b']) socket.room.set(peer, 0);
    for (let i = 0; i < 5; i += 1) {
      push('a', '');
      push('b', 'xxxxx');
      await turn();
    }
    expect(outbox.waitingBytes).toBeLessThanOrEqual(12);
    expect(outbox.dropped).toBeGreaterThanOrEqual(5);
    outbox.close();
  });

  it('lets one go that is larger than all bounds, if it is alone', async () => {
    const { socket, outbox, push } = bench({ maxPeerBytes: 10 });
    socket.room.set('a', 0);
    push('a', 'x'.repeat(100));
    await turn();
    socket.room.set('a', 1);
    await outbox.flush();
    expect(socket.sent).toHaveLength(1);
  });

  it('forgets a peer that left, without a word', async () => {
    const { socket, errors, outbox, push } = bench();
    socket.room.set('a', 0);
    push('gone', '1');
    push('a', '1');
    await turn();
    push('a', '2');
    socket.room.delete('a');
    socket.room.set('b', 1);
    await outbox.flush();
    expect({ dropped: outbox.dropped, errors, waiting: outbox.waitingBytes }).toEqual({
      ...{ dropped: 3, errors: [], waiting: 0 },
    });
  });

  it('tells any other error, also one that is thrown', async () => {
    const errors: unknown[] = [];
    const broken = {
      notice: () => undefined,
      send: (): Promise<void> => {
        throw failure('EBUSY');
      },
    };
    const limits = { maxPeerMessages: 1, maxPeerBytes: 1, maxBytes: 1 };
    const outbox = new Outbox(broken, limits, realClock, {
      onSlowPeer: () => undefined,
      onError: (error) => errors.push(error),
    });
    outbox.push('a', [Buffer.from('a')]);
    await turn();
    expect(errors).toEqual([expect.objectContaining({ code: 'EBUSY' })]);
  });
});
