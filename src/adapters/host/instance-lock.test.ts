import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { InstanceLock } from './instance-lock.js';

/** A process that takes the lock, says what came of it, and keeps it until it is killed. */
const CHILD = `
import { InstanceLock } from ${JSON.stringify(join(import.meta.dirname, 'instance-lock.ts'))};
InstanceLock.acquire(process.argv[2]).then(
  () => { console.log('held'); setInterval(() => {}, 1000); },
  (error) => { console.log(error.name + ': ' + error.message); },
);`;

let scripts: string;
let folder: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  scripts = await mkdtemp(join(tmpdir(), 'instance-lock-'));
  await build({
    stdin: { contents: CHILD, resolveDir: import.meta.dirname, loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: join(scripts, 'child.mjs'),
    logLevel: 'error',
  });
});

afterAll(async () => {
  await rm(scripts, { recursive: true });
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'state-'));
});

afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
  await rm(folder, { recursive: true });
});

function start(state: string): { child: ChildProcess; outcome: Promise<string> } {
  const child = spawn(process.execPath, [join(scripts, 'child.mjs'), state], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const outcome = new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (data: Buffer) => resolve(data.toString().trim()));
    child.once('error', reject);
  });
  return { child, outcome };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

describe('InstanceLock', () => {
  it('is held by one, and free again afterwards', async () => {
    const lock = await InstanceLock.acquire(folder);
    await expect(InstanceLock.acquire(folder)).rejects.toMatchObject({
      name: 'AgentAlreadyRunningError',
      message: `another agent (process ${process.pid}) uses the state folder ${folder}`,
    });
    await lock[Symbol.asyncDispose]();
    await lock[Symbol.asyncDispose]();
    const next = await InstanceLock.acquire(folder);
    await next[Symbol.asyncDispose]();
    expect(await readdir(join(folder, 'instance'))).toEqual([]);
  });

  it('names the process of the other agent, and is released by kill -9', async () => {
    const { child, outcome } = start(folder);
    expect(await outcome).toBe('held');
    await expect(InstanceLock.acquire(folder)).rejects.toThrow(`process ${String(child.pid)}`);
    await kill(child);
    const lock = await InstanceLock.acquire(folder);
    expect(await readdir(join(folder, 'instance'))).toHaveLength(1);
    await lock[Symbol.asyncDispose]();
  });

  it('counts a stopped process as running', async () => {
    const { child, outcome } = start(folder);
    expect(await outcome).toBe('held');
    child.kill('SIGSTOP');
    await expect(InstanceLock.acquire(folder)).rejects.toThrow(`process ${String(child.pid)}`);
  });

  it('lets exactly one of many simultaneous starters in, also over the remains of a dead one', async () => {
    const first = start(folder);
    await first.outcome;
    await kill(first.child);
    for (let round = 0; round < 3; round += 1) {
      const starters = Array.from({ length: 6 }, () => start(folder));
      const outcomes = await Promise.all(starters.map((starter) => starter.outcome));
      expect(outcomes.filter((outcome) => outcome === 'held')).toHaveLength(1);
      for (const { child } of starters) await kill(child);
    }
  }, 60_000);

  it('lets exactly one in within one process as well', async () => {
    for (let round = 0; round < 20; round += 1) {
      const ends = await Promise.allSettled(Array.from({ length: 5 }, () => InstanceLock.acquire(folder)));
      const held = ends.filter((end) => end.status === 'fulfilled');
      expect(held).toHaveLength(1);
      await held[0]!.value[Symbol.asyncDispose]();
    }
  });

  it('works in a folder whose path is longer than a socket address', async () => {
    const deep = join(folder, 'x'.repeat(100), 'y'.repeat(100));
    const lock = await InstanceLock.acquire(deep);
    await expect(InstanceLock.acquire(deep)).rejects.toMatchObject({ name: 'AgentAlreadyRunningError' });
    await lock[Symbol.asyncDispose]();
  });

  it('removes old remains of starters that died early, not young ones', async () => {
    await (await InstanceLock.acquire(folder))[Symbol.asyncDispose]();
    const old = join(folder, 'instance', '.1-00.sock');
    await writeFile(old, '');
    await utimes(old, 0, 0);
    await writeFile(join(folder, 'instance', '.1-01.sock'), '');
    const lock = await InstanceLock.acquire(folder);
    const left = await readdir(join(folder, 'instance'));
    expect(left.filter((name) => name.startsWith('.'))).toEqual(['.1-01.sock']);
    await lock[Symbol.asyncDispose]();
  });

  it('says what is wrong with a folder it cannot use', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    await expect(InstanceLock.acquire(file)).rejects.toMatchObject({
      name: 'StorageError',
      field: 'agent.var-base-path',
    });
  });
});
