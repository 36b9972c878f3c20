import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { FrameSender } from './frame-sender.js';

/** Takes a message only when told to, and fails on a second send before the first was taken, like zeromq does. */
class SlowSocket {
  readonly taken: string[] = [];
  private release: (() => void) | undefined;

  send(parts: [string, Uint8Array | string]): Promise<void> {
    if (this.release) throw new Error('EBUSY');
    return new Promise((resolve) => {
      this.release = () => {
        this.release = undefined;
        this.taken.push(`${parts[0]}:${parts[1].toString()}`);
        resolve();
      };
    });
  }

  async take(count = 1): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      this.release?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

const stdout = (payload: string) => ({ kind: 'stdout' as const, payload });

describe('FrameSender', () => {
  it('sends one at a time and in order', async () => {
    const socket = new SlowSocket();
    const sender = new FrameSender(socket);
    for (let index = 0; index < 3000; index += 1) sender.push(stdout(String(index)));
    await socket.take(3000);
    expect(socket.taken).toEqual(Array.from({ length: 3000 }, (_, index) => `stdout:${index}`));
  });

  it('is congested at its limit and gives room again below the half of it', async () => {
    const socket = new SlowSocket();
    const sender = new FrameSender(socket, 1000);
    for (let index = 0; index < 5; index += 1) sender.push(stdout('x'.repeat(136)));
    expect(sender.congested).toBe(true);
    let roomy = false;
    void sender.room().then(() => (roomy = true));
    await socket.take(2);
    expect(sender.congested).toBe(false);
    expect(roomy).toBe(false);
    await socket.take(1);
    expect(roomy).toBe(true);
  });

  it('drops answers that nobody fetches, never output', async () => {
    const socket = new SlowSocket();
    const sender = new FrameSender(socket, 100);
    sender.push(stdout('x'.repeat(2 << 20)));
    sender.reply({ kind: 'status', payload: 'lost' });
    sender.push(stdout('kept'));
    await socket.take(3);
    expect(socket.taken.map((line) => line.slice(-4))).toEqual(['xxxx', 'kept']);
  });

  it('puts pieces of one stream together when they come quickly, without changing the order', async () => {
    const socket = new SlowSocket();
    const sender = new FrameSender(socket);
    const piece = (kind: 'stdout' | 'stderr', text: string) => sender.push({ kind, payload: Buffer.from(text) });
    piece('stdout', 'a');
    piece('stdout', 'b');
    piece('stdout', 'c');
    piece('stderr', 'd');
    piece('stdout', 'e');
    sender.push({ kind: 'finished', payload: '{}' });
    await socket.take(5);
    expect(socket.taken).toEqual(['stdout:a', 'stdout:bc', 'stderr:d', 'stdout:e', 'finished:{}']);
    piece('stdout', 'f');
    await sleep(20);
    await socket.take(1);
    expect(socket.taken.at(-1)).toBe('stdout:f');
    expect(sender.congested).toBe(false);
  });

  it('tells when everything was taken, and stops at close', async () => {
    const socket = new SlowSocket();
    const sender = new FrameSender(socket);
    await sender.flushed();
    sender.push(stdout('a'));
    sender.push(stdout('b'));
    let flushed = false;
    void sender.flushed().then(() => (flushed = true));
    await socket.take(1);
    expect(flushed).toBe(false);
    sender.close();
    await socket.take(1);
    expect(flushed).toBe(true);
    expect(sender.congested).toBe(false);
  });
});
