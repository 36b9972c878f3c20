import { build } from 'esbuild';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { kernelNumber, lifeOf } from '../support/event-sender.js';
import { ManagerReader } from '../support/manager-reader.js';
import { realClock } from '../support/real-clock.js';
import { startRedisHost } from '../support/redis-host.js';

const CHILD = fileURLToPath(new URL('../support/announcing-child.ts', import.meta.url));
/** Beside the packages that it imports. */
const BUNDLE = fileURLToPath(new URL('../../node_modules/.cache/announcing-child.mjs', import.meta.url));
const KILLS = 14;
const FLUSH_MS = 30_000;

beforeAll(async () => {
  await build({
    ...{ entryPoints: [CHILD], outfile: BUNDLE, bundle: true, packages: 'external' },
    ...{ platform: 'node', target: 'node20', format: 'esm', logLevel: 'error' },
  });
});
afterAll(() => rm(BUNDLE, { force: true }));

/** Runs until it is killed; what it has announced is in `lines`. */
class Child {
  lines: string[] = [];
  readonly process: ChildProcess;
  readonly ended: Promise<unknown[]>;

  constructor(...args: string[]) {
    this.process = spawn(process.execPath, [BUNDLE, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    let rest = '';
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      this.lines.push(...lines);
    });
    this.ended = once(this.process, 'close');
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
  }
}

it('whatever was announced arrives, each end once, however often the process is killed and Redis is away', async () => {
  // What it has confirmed, it knows after a restart.
  await using server = await startRedisHost({ config: ['appendonly yes', 'appendfsync always'] });
  await using manager = new ManagerReader(server);
  const folder = await mkdtemp(join(tmpdir(), 'outbox-kill-'));
  const path = join(folder, 'outbox');
  const port = String(server.port);
  const announced: string[] = [];
  let next = 1;
  for (let round = 0; round < KILLS; round++) {
    const child = new Child(port, path, String(next));
    const untilMs = 100 + Math.random() * 500;
    while (child.lines.length === 0) await realClock.sleep(5);
    if (round % 4 === 1) await server.signal('SIGSTOP');
    if (round === 6) await server.kill();
    await realClock.sleep(untilMs);
    await child.kill();
    if (round % 4 === 2) await server.signal('SIGCONT').catch(() => undefined);
    if (round === 7) await server.start();
    announced.push(...child.lines.filter((line) => !line.startsWith('begin')));
    next = Math.max(next, ...child.lines.map((line) => Number(/\d+/.exec(line)?.[0]) + 1));
  }
  await server.signal('SIGCONT');
  const last = new Child(port, path);
  const slow = setTimeout(() => last.process.kill('SIGKILL'), FLUSH_MS);
  expect(await last.ended).toEqual([0, null]);
  clearTimeout(slow);
  await realClock.sleep(500);

  const read = manager.read.map(({ fields }) => {
    const { kernel_id: id } = JSON.parse(fields['payload'] ?? '') as { kernel_id: string };
    return `${Number(id.slice(-12))} ${fields['name'] ?? ''}`;
  });
  const arrived = new Set(read);
  expect(announced.length).toBeGreaterThan(100);
  expect(announced.filter((line) => !arrived.has(line))).toEqual([]);
  // Each once, not the ends alone.
  expect(read.filter((line, at) => read.indexOf(line) !== at)).toEqual([]);
  for (let n = 1; n < next; n++) {
    const names = read.filter((line) => line.startsWith(`${n} `)).map((line) => line.split(' ')[1]);
    // A life that a kill cut short has ended without the rest.
    const order = lifeOf(n).map(({ name }) => name as string);
    expect(names, kernelNumber(n)).toEqual(order.filter((name) => names.includes(name)));
  }
  await rm(folder, { recursive: true });
});
