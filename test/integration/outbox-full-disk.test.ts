import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, vi } from 'vitest';
import { kernelNumber, lifeOf, openSender, terminated } from '../support/event-sender.js';
import { ManagerReader } from '../support/manager-reader.js';
import { startRedisHost } from '../support/redis-host.js';

const run = promisify(execFile);
const KERNELS = 300;
const PATIENCE = { timeout: 30_000, interval: 50 };

async function fill(file: string): Promise<void> {
  await writeFile(file, Buffer.alloc(1024 * 1024)).catch(() => undefined);
}

it.runIf(process.getuid?.() === 0)(
  'whatever is announced while the disk is full arrives, Redis being away as well, and is stored when there is room',
  async () => {
    await using server = await startRedisHost({ config: ['appendonly yes', 'appendfsync always'] });
    await using manager = new ManagerReader(server);
    const folder = await mkdtemp(join(tmpdir(), 'outbox-full-'));
    await run('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder]);
    try {
      const [path, filler] = [join(folder, 'outbox'), join(folder, 'filler')];
      const sender = await openSender(server, { path });
      await server.kill();
      await fill(filler);
      const lines = (level: string) =>
        sender.logger.lines.filter((line) => line.level === level).map(({ message }) => message);
      for (let n = 0; n < KERNELS; n++) for (const event of lifeOf(n)) await sender.bus.announce(event);
      expect(lines('error')).toEqual([expect.stringMatching(/events cannot be stored: .*no space left/i)]);
      await server.start();
      await vi.waitFor(() => expect(sender.outbox.waiting()).toEqual([]), PATIENCE);
      for (let n = 0; n < KERNELS; n++) {
        const mine = manager.read.filter(({ fields }) => fields['payload']?.includes(kernelNumber(n)));
        expect(mine.map(({ fields }) => fields['name'])).toEqual(lifeOf(n).map(({ name }) => name));
      }
      await rm(filler);
      await vi.waitFor(() => expect(lines('info')).toContain('events are stored again'), PATIENCE);
      await sender[Symbol.asyncDispose]();
      // What was told while nothing could be stored is known to the next one.
      await using next = await openSender(server, { path });
      expect(next.outbox.put(terminated(KERNELS - 1))).toBeUndefined();
      expect(next.outbox.waiting()).toEqual([]);
    } finally {
      await run('umount', [folder]);
      await rm(folder, { recursive: true });
    }
  },
);
