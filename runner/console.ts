import { appendFile, mkdir, stat } from 'node:fs/promises';
import { write, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HOME } from './boot/account.js';
import type { Echo } from './process/output-pump.js';

const STUCK_MS = 5000;
const STDOUT = 1;
const STDERR = 2;

/** The container's console, which is its log. Output is lost rather than waited for when the engine does not read. */
export class Console implements Echo {
  private readonly startedAt = performance.now();
  private stuck = false;

  /** One line about the runner itself, in the official runner's form (krunner.md §4.7). */
  log(level: 'INFO' | 'WARNING' | 'ERROR', text: string): void {
    const seconds = ((performance.now() - this.startedAt) / 1000).toFixed(3);
    try {
      writeSync(STDERR, `krunner: +${seconds} [${level}] ${text}\n`);
    } catch {
      // Nobody to tell.
    }
  }

  write(data: Buffer): Promise<void> {
    if (this.stuck) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.stuck = true;
        resolve();
      }, STUCK_MS);
      write(STDOUT, data, () => {
        clearTimeout(timer);
        this.stuck = false;
        resolve();
      });
    });
  }
}

/** Console and, where `/home/work/.logs` is a directory, the task log of this kernel (krunner.md §1.4). */
export async function batchEcho(console: Console, kernelId: string | undefined): Promise<Echo> {
  const hex = (kernelId ?? '').replaceAll('-', '');
  const logs = join(HOME, '.logs');
  const present = await stat(logs).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  if (!present || !/^[0-9a-f]{32}$/i.test(hex)) return console;
  const file = join(logs, 'task', hex.slice(0, 2), hex.slice(2, 4), `${hex.slice(4)}.log`);
  try {
    await mkdir(dirname(file), { recursive: true });
  } catch {
    return console;
  }
  return {
    write: async (data) => {
      await Promise.all([console.write(data), appendFile(file, data).catch(() => undefined)]);
    },
  };
}
