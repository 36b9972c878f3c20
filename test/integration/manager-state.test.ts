import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { decode } from '@msgpack/msgpack';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentHome } from '../support/agent-home.js';
import type { Daemon } from '../support/daemon.js';
import { testImage } from '../support/images.js';
import { MANAGER_PYTHON, managerPythonMissing } from '../support/manager-python.js';
import { ManagerReader } from '../support/manager-reader.js';
import { type RedisServerUnderTest, startRedis } from '../support/redis-server.js';

const run = promisify(execFile);
const READER = fileURLToPath(new URL('../fixtures/statistics/read_state.py', import.meta.url));
const KERNEL = randomUUID();
const SESSION = randomUUID();
const PATIENCE_MS = 30_000;
const MIB = 1024 ** 2;

const missing = await managerPythonMissing();
if (missing !== undefined) process.stderr.write(`\nSKIPPED state read by the reference's decoders: ${missing}\n\n`);

type Metrics = Record<string, { current: string; capacity: string | null; pct: string; unit_hint: string }>;

/** A whole agent with a Redis of its own and one real kernel. */
describe('what Managers find in Redis and Prometheus', () => {
  let server: RedisServerUnderTest;
  let redis: (database: number) => Redis;
  let home: AgentHome;
  let daemon: Daemon;
  let container: string;
  let manager: ManagerReader;
  const opened: Redis[] = [];
  /** What the server was told, in order. */
  const commands: string[][] = [];

  beforeAll(async () => {
    const image = await testImage('python');
    server = await startRedis();
    const { port } = server.settings.address;
    const byDatabase = new Map<number, Redis>();
    redis = (db) => {
      const known =
        byDatabase.get(db) ?? new Redis(port, '127.0.0.1', { db, replyMapping: 'legacy' }).on('error', () => undefined);
      if (!byDatabase.has(db)) opened.push(known);
      byDatabase.set(db, known);
      return known;
    };
    const interval = (scope: string) => `utilization-metric.${scope}.interval = 1`;
    home = await AgentHome.make({
      agent: () => ['node', 'container', 'process'].map(interval).join('\n'),
      sections: `[redis]\naddr = "127.0.0.1:${port}"\n[debug]\nheartbeat-interval = 1\n`,
    });
    // Before anybody else speaks: a line that comes together with the answer is no answer.
    const monitor = await new Redis(port, '127.0.0.1').on('error', () => undefined).monitor();
    opened.push(monitor.on('error', () => undefined));
    monitor.on('monitor', (_, [name = '', ...args]: string[]) => {
      commands.push([name.toLowerCase(), ...args]);
    });
    manager = new ManagerReader(server.settings);
    daemon = await home.startDaemon();
    const spec = { kernel_id: KERNEL, session_id: SESSION, image, resource_slots: { cpu: '1', mem: '256m' } };
    const created = await daemon.http('POST', '/kernels', { body: spec });
    expect(created.status, created.text).toBe(201);
    container = (created.body as { container_id: string }).container_id;
  });

  afterAll(async () => {
    for (const connection of opened) connection.disconnect();
    await home[Symbol.asyncDispose]();
    await manager[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  async function until<T>(look: () => Promise<T | null | undefined | false>): Promise<T> {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const seen = await look();
      if (seen !== null && seen !== undefined && seen !== false) return seen;
      if (Date.now() > end) throw new Error(`it does not come: ${look.toString()}`);
      await sleep(50);
    }
  }
  const document = async (key: string): Promise<Metrics | undefined> => {
    const bytes = await redis(0).getBuffer(key);
    return bytes === null ? undefined : (decode(bytes) as Metrics);
  };
  const execute = async (code: string): Promise<void> => {
    const { status, text } = await daemon.http('POST', `/kernels/${KERNEL}/execute`, { body: { mode: 'query', code } });
    expect(status, text).toBe(200);
  };

  it('a document of the kernel that says what it does', async () => {
    await execute('data = bytearray(64 * 1024 * 1024)');
    const busy = execute('import time; t = time.process_time() + 2\nwhile time.process_time() < t: pass');
    // How much of a core it gets is for this machine to say; idle, it needs next to nothing.
    const seen = await until(async () => {
      const now = await document(KERNEL);
      return Number(now?.['cpu_util']?.pct) > 5 && now;
    });
    expect(Number(seen['cpu_util']?.current)).toBeCloseTo(10 * Number(seen['cpu_util']?.pct), 0);
    expect(Number(seen['mem']?.current)).toBeGreaterThan(64 * MIB);
    expect(seen['mem']?.capacity).toBe(String(256 * MIB));
    await busy;
    expect(await redis(0).ttl(KERNEL)).toBeGreaterThan(86_000);
  });

  it('a document of the node and one of the processes', async () => {
    const node = (await until(() => document(home.agentId))) as unknown as Record<
      'node' | 'devices',
      Record<string, object>
    >;
    expect(Object.keys(node.node)).toEqual(['cpu_util', 'mem', 'disk', 'net_rx', 'net_tx']);
    expect(Object.keys(node.devices['mem'] ?? {})).toEqual(['root']);
    expect(await redis(0).ttl(home.agentId)).toBeLessThanOrEqual(4);
    const processes = await until(() => document(container));
    const { stdout } = await run('docker', ['top', container, '-eo', 'pid']).catch(() => ({ stdout: '' }));
    const pids = stdout.match(/\d+/g) ?? Object.keys(processes);
    expect(Object.keys(processes)).toEqual(expect.arrayContaining(pids));
  });

  it('what is said of slots, containers, presence, images and service', async () => {
    const metadata = await until(
      async () =>
        Object.keys(await redis(0).hgetall('computer.metadata')).length > 0 && redis(0).hgetall('computer.metadata'),
    );
    expect(Object.keys(metadata).sort()).toEqual(['cpu', 'ram']);
    // Written before the kernel was there, and now and then after.
    expect(await until(() => redis(0).get(`container_count.${home.agentId}`))).toMatch(/^[01]$/);
    const images = JSON.parse(await until(() => redis(3).get(`installed_image:${home.agentId}`))) as {
      digest: string;
    }[];
    expect(images).not.toEqual([]);
    expect(images.every(({ digest }) => /^sha256:[0-9a-f]{64}$/.test(digest))).toBe(true);
    const [service] = await until(async () => {
      const keys = await redis(0).keys('service_discovery.agent.*');
      return keys.length > 0 && keys;
    });
    expect(JSON.parse((await redis(0).hget(service!, 'endpoint')) ?? '')).toMatchObject({
      prometheus_address: `127.0.0.1:${home.httpPort}`,
    });
    expect(await redis(0).ttl(service!)).toBeGreaterThan(60);
  });

  it('the list of images before the first heartbeat', async () => {
    const isHeartbeat = (command: readonly string[]) => command.includes('agent_heartbeat');
    await until(() => Promise.resolve(commands.some(isHeartbeat)));
    const isList = ([name, key]: readonly string[]) => name === 'set' && key === `installed_image:${home.agentId}`;
    expect(commands.findIndex(isList)).toBeGreaterThanOrEqual(0);
    expect(commands.findIndex(isList)).toBeLessThan(commands.findIndex(isHeartbeat));
  });

  it('raw counters in Prometheus, which agree with Redis', async () => {
    const value = async (metric: string): Promise<number> => {
      const [line] = await daemon.metrics(
        new RegExp(`^backendai_container_utilization.*metric_name="${metric}".*${KERNEL}.*value_type="current"`),
      );
      return Number(line?.split(' ').at(-1));
    };
    const lines = await daemon.metrics(new RegExp(`^backendai_container_utilization.*${KERNEL}`));
    expect(lines).toHaveLength(10);
    const used = Number((await until(() => document(KERNEL)))['cpu_used']?.current);
    const sampled = await until(async () => ((await value('cpu_util')) >= used ? await value('cpu_util') : null));
    expect(sampled).toBeLessThan(used + 5_000);
    expect(await value('mem')).toBeGreaterThan(64 * MIB);
  });

  it.skipIf(missing !== undefined)('the same by the decoders of the reference', async () => {
    await until(() => document(container));
    const ids = { agent: home.agentId, kernel: KERNEL, container };
    const address = `127.0.0.1:${server.settings.address.port}`;
    const { stdout } = await run(MANAGER_PYTHON, ['-I', READER, address, JSON.stringify(ids)]);
    const seen = JSON.parse(stdout) as Record<string, unknown>;
    expect(seen).toMatchObject({
      kernel: { cpu_util: { unit_hint: 'millicores', capacity: '1000' }, mem: { capacity: String(256 * MIB) } },
      agent: { node: { mem: { unit_hint: 'bytes' } }, devices: { mem: { root: { unit_hint: 'bytes' } } } },
      containers: expect.any(Number),
      metadata: { cpu: { display_unit: 'Core' }, ram: { number_format: { binary: true, round_length: 0 } } },
      services: [{ display_name: `agent-${home.agentId}`, address: `127.0.0.1:${home.httpPort}` }],
    });
    expect(Object.keys(seen['processes'] as object).every((key) => /^#\d+$/.test(key))).toBe(true);
  });

  it('goes on by itself after Redis was away', async () => {
    await server.kill();
    await sleep(1_500);
    await server.start();
    expect((await until(() => document(KERNEL)))['mem']?.capacity).toBe(String(256 * MIB));
    expect(await until(() => redis(3).get(`installed_image:${home.agentId}`))).toContain('canonical');
  });

  it('the log and the last numbers of a kernel that is destroyed, and no service of an agent that left', async () => {
    await execute('import os; os.write(1, b"said by the kernel\\n"); open("/proc/1/fd/1", "w").write("to the log\\n")');
    const before = Number((await until(() => document(KERNEL)))['cpu_used']?.current);
    const destroyed = await daemon.http('DELETE', `/kernels/${KERNEL}`);
    expect(destroyed.status, destroyed.text).toBeLessThan(300);
    expect(Number((await document(KERNEL))?.['cpu_used']?.current)).toBeGreaterThanOrEqual(before);
    expect(await redis(6).llen(`containerlog.${container}`)).toBeGreaterThan(0);
    expect(await redis(6).ttl(`containerlog.${container}`)).toBeGreaterThan(3_500);
    const ends = await until(() => {
      const names = manager.read.flatMap(({ fields }) => {
        const isEnd =
          /sync_kernel_logs|terminated/.test(fields['name'] ?? '') && JSON.stringify(fields).includes(KERNEL);
        return isEnd ? [fields['name']] : [];
      });
      return Promise.resolve(names.includes('kernel_terminated') && names);
    });
    expect(ends).toEqual(['do_sync_kernel_logs', 'kernel_terminated']);
    expect(await daemon.metrics(new RegExp(`^backendai_container_utilization.*${KERNEL}`))).toHaveLength(10);
    expect((await daemon.stop()).status).toBe(0);
    expect(await redis(0).keys('service_discovery.agent.*')).toEqual([]);
  });
});
