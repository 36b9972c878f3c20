import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentProcess, type Ended } from '../support/agent-process.js';

let folder: string;
let good: string;
let bad: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'backend-ai-e2e-config-'));
  good = join(folder, 'good.toml');
  bad = join(folder, 'bad.toml');
  await writeFile(
    good,
    '[agent]\nid = "i-good"\n[container]\nport_range = [20000, 20010]\n[watcher]\ntoken = "a-secret-of-20-chars"\n',
  );
  await writeFile(bad, '[agent]\nid = "no spaces allowed"\nrpc-listen-adr = "x"\n[container]\nport-range = [9, 1]\n');
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function config(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  await using process = new AgentProcess(['ag', 'config', ...args], env);
  return await process.ended;
}

describe('ag config', () => {
  it('check is content with a good file', async () => {
    expect(await config(['check', '--config', good])).toEqual({ status: 0, stdout: `${good}: valid\n`, stderr: '' });
  });

  it('check tells everything that is wrong at once, with status 2', async () => {
    const { status, stdout, stderr } = await config(['check', '--config', bad]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    for (const part of [bad, 'agent.id', 'no spaces allowed', 'container.port-range', '[9,1]'])
      expect(stderr).toContain(part);
    expect(stderr).toMatch(/rpc-listen-adr[^\n]*rpc-listen-addr/);
  });

  it('a file that is not there is told with status 2', async () => {
    const { status, stderr } = await config(['check', '--config', join(folder, 'none.toml')]);
    expect(status).toBe(2);
    expect(stderr).toContain(join(folder, 'none.toml'));
  });

  it('show tells where each value comes from, and no secret', async () => {
    const { status, stdout } = await config(['show', '--json', '--config', good], { BACKEND_AGENT_PORT: '7777' });
    expect(status).toBe(0);
    expect(stdout).not.toContain('a-secret-of-20-chars');
    const values = JSON.parse(stdout) as { key: string; value: unknown; origin: string }[];
    const of = (key: string): unknown => values.find((each) => each.key === key);
    expect(of('agent.id')).toEqual({ key: 'agent.id', value: 'i-good', origin: expect.stringContaining(good) });
    expect(of('container.port-range')).toMatchObject({ value: [20_000, 20_010] });
    expect(of('agent.rpc-listen-addr')).toMatchObject({ origin: expect.stringContaining('BACKEND_AGENT_PORT') });
    expect(of('container.pids-limit')).toEqual({ key: 'container.pids-limit', value: 4096, origin: 'default' });
    expect((await config(['show', '--config', good])).stdout).toMatch(/^agent\.id = "i-good" +# .*good\.toml/m);
  });

  it('sample is a file that changes nothing', async () => {
    const { status, stdout } = await config(['sample']);
    expect(status).toBe(0);
    const file = join(folder, 'sample.toml');
    await writeFile(file, stdout);
    expect(await config(['check', '--config', file])).toMatchObject({ status: 0, stderr: '' });
    const shown = await Promise.all([config(['show', '--json', '--config', file]), config(['show', '--json'])]);
    expect(shown[0].stdout).toBe(shown[1].stdout);
  });
});
