import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decode } from '@msgpack/msgpack';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { CreatedKernel } from '../../src/application/use-cases.js';
import { testImage } from '../support/images.js';
import { docker, LocalAgent } from '../support/local-agent.js';
import { ManagerReader } from '../support/manager-reader.js';
import { type RedisServerUnderTest, startRedis } from '../support/redis-server.js';

const PATIENCE = { timeout: 30_000, interval: 50 };
const AWAY_MS = 3_000;
const FORGOTTEN_SECONDS = 601;

/** The agent in this process with a Redis of its own, which tells what it was told. */
describe('what an agent keeps in Redis', () => {
  let server: RedisServerUnderTest;
  let manager: ManagerReader;
  let agent: LocalAgent;
  let kernel: CreatedKernel;
  let image: string;
  const opened: Redis[] = [];
  /** `DATABASE command key …`, with names in the place of ids. */
  const said: string[] = [];

  const redis = (db: number): Redis => {
    const { port } = server.settings.address;
    const connection = new Redis(port, '127.0.0.1', { db, replyMapping: 'legacy' }).on('error', () => undefined);
    opened.push(connection);
    return connection;
  };

  beforeAll(async () => {
    image = await testImage('busybox');
    server = await startRedis();
    // Before anybody else speaks: a line that comes together with the answer is no answer.
    const monitor = await redis(0).monitor();
    opened.push(monitor.on('error', () => undefined));
    monitor.on('monitor', (_, [name = '', ...args]: string[], __, database: string) => {
      said.push([database, name.toLowerCase(), ...args].join(' '));
    });
    manager = new ManagerReader(server.settings);
    const interval = (scope: string) => `utilization-metric.${scope}.interval = 1`;
    agent = await LocalAgent.start({
      agent: (folder) =>
        [
          ...['node', 'container', 'process'].map(interval),
          `image-commit-path = "${join(folder, 'commit')}"`,
          `abuse-report-path = "${join(folder, 'abuse')}"`,
        ].join('\n'),
      sections: `[redis]\naddr = "127.0.0.1:${server.settings.address.port}"\n[debug]\nheartbeat-interval = 1\n`,
    });
    kernel = await agent.create(image);
  });

  afterAll(async () => {
    for (const connection of opened) connection.disconnect();
    // As far as the preparation came.
    for (const part of [agent, manager, server] as (AsyncDisposable | undefined)[]) await part?.[Symbol.asyncDispose]();
  });

  const eventsOf = ({ kernelId }: CreatedKernel): string[] =>
    manager.read
      .filter(({ fields }) => fields['payload']?.includes(kernelId))
      .map(({ fields }) => fields['name'] ?? '');

  it('is the whole catalogue, each in its database, encoding and time to live', async () => {
    const { home } = agent;
    await mkdir(join(home.folder, 'abuse'));
    await writeFile(join(home.folder, 'abuse', 'report.1.json'), JSON.stringify({ ID: kernel.kernelId, reason: 'x' }));
    const task = { kernelId: kernel.kernelId, subfolder: 'u', canonical: image, filename: 'k.tar.gz', labels: {} };
    const { taskId } = await agent.useCases.images.commit(task);
    await vi.waitFor(() => expect(said.join('\n')).toContain('bgtask_done'), PATIENCE);
    // What comes once a minute comes at the start.
    agent = await agent.again();
    const names = { AGENT: home.agentId, KERNEL: kernel.kernelId, CONTAINER: kernel.containerId, TASK: taskId };
    const plain = (): string =>
      Object.entries(names).reduce((text, [name, id]) => text.replaceAll(id, name), said.join('\n'));
    await vi.waitFor(() => {
      for (const command of [
        /^0 set AGENT .* EX 4$/m,
        /^0 set KERNEL .* EX 86400$/m,
        /^0 set CONTAINER .* EX 4$/m,
        /^0 hset computer\.metadata cpu \{"slot_name":"cpu",.*\} ram \{"slot_name":"ram",.*\}$/m,
        /^0 set container_count\.AGENT 1 EX 86400$/m,
        /^0 set kernel\.KERNEL\.commit ongoing EX 13$/m,
        /^0 unlink kernel\.KERNEL\.commit$/m,
        /^0 hset abuse_report KERNEL detected$/m,
        /^0 hset service_discovery\.agent\.\S+ id "[0-9a-f-]{36}" display_name "agent-AGENT" .* labels \{\}$/m,
        /^0 expire service_discovery\.agent\.\S+ 180$/m,
        /^2 hset kernel:presence:KERNEL presence 1 last_presence \d{10}$/m,
        /^2 expire kernel:presence:KERNEL 300$/m,
        /^2 get agent:last_check:AGENT$/m,
        /^3 set installed_image:AGENT \[\{"canonical":"[^"]+","digest":"sha256:[0-9a-f]{64}","architecture":"x86_64"\}/m,
        /^4 set bgtask\.TASK \{"name":"bgtask_updated".*Task started.* EX 300\n4 publish events_all \{.*Task started/m,
        /^4 set bgtask\.TASK \{"name":"bgtask_done".* EX 300\n4 publish events_all \{"name":"bgtask_done"/m,
        /^7 expire bgtask:server:AGENT 86400$/m,
      ])
        expect(plain()).toMatch(command);
    }, PATIENCE);
    // Nowhere else.
    const others = said.filter((line) => /^\d+ (set|hset|rpush|publish|del|unlink) /.test(line));
    const known =
      /^(0 (set|hset|unlink) |2 hset kernel:presence:|3 set installed_image:|4 (set bgtask\.|set agent_outbox\.|publish events_all )|6 )/;
    expect(others.filter((line) => !known.test(line))).toEqual([]);
  });

  it('are the log and the last numbers also of a kernel that ended while Redis was away', async () => {
    const short = await agent.create(image);
    await agent.run(short.kernelId, 'for i in $(seq 200000); do :; done; echo to the log > /proc/1/fd/1');
    await server.kill();
    await agent.destroy(short.kernelId);
    await new Promise((resolve) => setTimeout(resolve, AWAY_MS));
    expect(eventsOf(short)).not.toContain('kernel_terminated');
    await server.start();
    await vi.waitFor(() => expect(eventsOf(short)).toEqual(expect.arrayContaining(['do_sync_kernel_logs'])), PATIENCE);
    await vi.waitFor(() => expect(eventsOf(short)).toEqual(expect.arrayContaining(['kernel_terminated'])), PATIENCE);
    expect(eventsOf(short).filter((name) => name === 'kernel_terminated')).toHaveLength(1);
    expect(await redis(6).llen(`containerlog.${short.containerId}`)).toBeGreaterThan(0);
    const bytes = await vi.waitFor(async () => {
      const stored = await redis(0).getBuffer(short.kernelId);
      expect(stored).not.toBeNull();
      return stored!;
    }, PATIENCE);
    expect(Number((decode(bytes) as Record<string, { current: string }>)['cpu_used']?.current)).toBeGreaterThan(0);
    expect(await redis(0).ttl(short.kernelId)).toBeGreaterThan(86_000);
  });

  it('lets it find a kernel that the Manager forgot, which ends without a word', async () => {
    const now = Math.floor(Date.now() / 1_000);
    await redis(2).set(`agent:last_check:${agent.home.agentId}`, now, 'EX', 1_200);
    await redis(2).hset(`kernel:presence:${kernel.kernelId}`, 'last_check', now - FORGOTTEN_SECONDS);
    agent = await agent.again();
    await vi.waitFor(() => expect(agent.useCases.listKernels()).toEqual([]), PATIENCE);
    expect(await docker('ps', '--all', '--quiet', '--filter', `id=${kernel.containerId}`)).toBe('');
    expect(agent.logger.lines.map(({ message }) => message)).toContain('the Manager forgot a kernel: it is destroyed');
    const last = await agent.create(image);
    await agent.destroy(last.kernelId);
    await vi.waitFor(() => expect(eventsOf(last)).toContain('kernel_terminated'), PATIENCE);
    expect(eventsOf(kernel)).not.toContain('kernel_terminated');
  });
});
