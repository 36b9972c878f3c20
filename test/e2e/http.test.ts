import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentHome } from '../support/agent-home.js';
import type { Daemon } from '../support/daemon.js';
import { testImage } from '../support/images.js';

const KERNEL = randomUUID();
const SESSION = randomUUID();
const NUMBER: unknown = expect.any(Number);
const TEXT: unknown = expect.any(String);

let image: string;
let home: AgentHome;
let daemon: Daemon;

beforeAll(async () => {
  image = await testImage('python');
  home = await AgentHome.make();
  daemon = await home.startDaemon();
});

afterAll(async () => {
  await home[Symbol.asyncDispose]();
});

const specOf = (kernelId: string): object => ({
  kernel_id: kernelId,
  session_id: SESSION,
  image,
  resource_slots: { cpu: '1', mem: '128m' },
});

describe('what is open and what needs the token', () => {
  it.each(['/livez', '/readyz', '/health', '/metrics'])('%s is open', async (path) => {
    expect((await daemon.http('GET', path, { token: null })).status).toBe(200);
  });

  it.each(['/status', '/kernels', '/events', '/openapi.json', '/nothing-here', `/kernels/${KERNEL}/logs`])(
    '%s is a 403 problem without it or with a wrong one',
    async (path) => {
      for (const token of [null, 'wrong'.repeat(4), '']) {
        const { status, headers, body } = await daemon.http('GET', path, { token });
        expect(status).toBe(403);
        expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
        expect(body).toMatchObject({ status: 403, error: 'InvalidWatcherToken', field: 'X-BackendAI-Watcher-Token' });
      }
    },
  );

  it('a bearer token will do as well', async () => {
    const headers = { authorization: `Bearer ${daemon.token}` };
    expect((await daemon.http('GET', '/status', { token: null, headers })).status).toBe(200);
  });
});

describe('probes', () => {
  it('/livez and /readyz name the program', async () => {
    const probe = { status: 'ok', version: expect.stringMatching(/^\d/), component: 'agent' };
    expect((await daemon.http('GET', '/livez', { token: null })).body).toEqual(probe);
    expect((await daemon.http('GET', '/readyz', { token: null })).body).toEqual(probe);
  });

  it('/health tells of the engine', async () => {
    expect((await daemon.http('GET', '/health', { token: null })).body).toEqual({
      status: 'ok',
      version: TEXT,
      component: 'agent',
      connectivity: {
        overall_healthy: true,
        connectivity_checks: [
          {
            service_group: 'container',
            component_id: 'docker',
            is_healthy: true,
            last_checked_at: TEXT,
            error_message: null,
            latency_ms: expect.any(Number),
            since: TEXT,
          },
        ],
        timestamp: TEXT,
      },
    });
  });
});

it('/openapi.json describes itself: references lead somewhere, and paths that it tells are served', async () => {
  const { body } = await daemon.http('GET', '/openapi.json');
  const document = body as {
    openapi: string;
    info: object;
    paths: Record<string, Record<string, { operationId: string; responses: object }>>;
    components: { schemas: Record<string, object> };
  };
  expect(document.openapi).toMatch(/^3\./);
  expect(document.info).toMatchObject({ title: TEXT, version: TEXT });
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)];
  expect(references.length).toBeGreaterThan(5);
  for (const [, name = ''] of references) expect(document.components.schemas).toHaveProperty(name);
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
  for (const { responses } of operations) expect(Object.keys(responses).length).toBeGreaterThan(0);
  for (const path of Object.keys(document.paths).filter((each) => document.paths[each]?.['get'] !== undefined)) {
    if (path === '/events') continue;
    const { status, body: answer } = await daemon.http('GET', path.replace('{id}', KERNEL));
    // A kernel that isn't there is told as such; a route that isn't there would be told as NotFoundError.
    if (status === 404) expect(answer).toMatchObject({ error: 'KernelNotFoundError' });
    else expect(status).toBe(200);
  }
});

describe('a kernel by HTTP', () => {
  it('is made once, however often it is asked for', async () => {
    const [first, second] = await Promise.all([
      daemon.http('POST', '/kernels', { body: specOf(KERNEL) }),
      daemon.http('POST', '/kernels', { body: specOf(KERNEL) }),
    ]);
    expect([first.status, second.status].sort()).toEqual([200, 201]);
    const made = first.body as Record<string, unknown>;
    expect(made).toMatchObject({
      kernel_id: KERNEL,
      session_id: SESSION,
      container_id: expect.stringMatching(/^[0-9a-f]{64}$/),
      kernel_host: '127.0.0.1',
      repl_in_port: NUMBER,
      repl_out_port: NUMBER,
      service_ports: [
        expect.objectContaining({ name: 'sshd', container_ports: [2200] }),
        expect.objectContaining({ name: 'ttyd', container_ports: [7681] }),
      ],
      slots: { cpu: '1', mem: '134217728' },
    });
    expect(second.body).toMatchObject({ kernel_id: KERNEL, container_id: made['container_id'] });
    expect(await home.containers()).toEqual([made['container_id']]);
  });

  it('runs code, and tells what it used', async () => {
    const { status, body } = await daemon.http('POST', `/kernels/${KERNEL}/execute`, { body: { code: '6 * 7' } });
    expect(status).toBe(200);
    expect(body).toEqual({
      run_id: TEXT,
      status: 'finished',
      exit_code: 0,
      options: null,
      console: [['stdout', '42']],
    });
    const usage = await daemon.http('GET', `/kernels/${KERNEL}/usage`);
    expect(usage.body).toEqual({
      kernel_id: KERNEL,
      usage: {
        cpu_ms: NUMBER,
        mem_bytes: NUMBER,
        mem_peak_bytes: NUMBER,
        net_rx_bytes: NUMBER,
        net_tx_bytes: NUMBER,
        io_read_bytes: NUMBER,
        io_write_bytes: NUMBER,
      },
    });
    expect((await daemon.http('GET', `/kernels/${KERNEL}`)).body).toMatchObject({ state: 'RUNNING', notice: null });
    expect((await daemon.http('GET', `/kernels/${KERNEL}/logs`)).text).toContain('serving python');
  });

  it('a body that is wrong is told whole, and nothing is made', async () => {
    const { status, body } = await daemon.http('POST', '/kernels', {
      body: { image: '', resource_slots: {}, environ: 'no map', surprise: 1 },
    });
    expect(status).toBe(400);
    const { errors } = body as { errors: { field: string }[] };
    expect(errors.map(({ field }) => field).sort()).toEqual(['environ', 'image', 'resource_slots', 'surprise']);
    expect(await home.containers()).toHaveLength(1);
  });
});

describe('/metrics', () => {
  it('has the key metrics, and the series of the kernel', async () => {
    await expect
      .poll(() => daemon.metrics(/^backendai_kernel_count/), { timeout: 10_000 })
      .toEqual([`backendai_kernel_count{agent_id="${home.agentId}"} 1`]);
    for (const name of ['agent_heartbeat', 'agent_cpu_usage', 'agent_mem_usage']) {
      // A percentage needs two readings of the node.
      await expect.poll(() => daemon.metrics(new RegExp(`^backendai_${name}\\{`)), { timeout: 10_000 }).toHaveLength(1);
      const [line = ''] = await daemon.metrics(new RegExp(`^backendai_${name}\\{`));
      expect(line).toContain(`{agent_id="${home.agentId}"}`);
      expect(Number(line.split(' ')[1])).toBeGreaterThanOrEqual(0);
    }
    // There is no GPU in this agent, so only the declaration is there.
    expect(await daemon.metrics(/^# TYPE backendai_agent_gpu_usage gauge/)).toHaveLength(1);
    const series = await daemon.metrics(new RegExp(`^backendai_container_utilization.*kernel_id="${KERNEL}"`));
    const kinds = series.map((line) => {
      expect(line).toContain(`session_id="${SESSION}",user_id="undefined",project_id="undefined"`);
      expect(Number(line.split(' ')[1])).toBeGreaterThanOrEqual(0);
      return `${/metric_name="(\w+)"/.exec(line)?.[1] ?? ''} ${/value_type="(\w+)"/.exec(line)?.[1] ?? ''}`;
    });
    expect(kinds.sort()).toEqual([
      'cpu_used current',
      'cpu_util capacity',
      'cpu_util current',
      'io_read current',
      'io_scratch_size current',
      'io_write current',
      'mem capacity',
      'mem current',
      'net_rx current',
      'net_tx current',
    ]);
    expect(await daemon.metrics(/^backendai_api_request_count_total\{/)).not.toEqual([]);
    expect(
      await daemon.metrics(/^backendai_kernel_creation_stage_duration_seconds_count\{stage="runner"\} 1$/),
    ).toHaveLength(1);
  });
});

describe('/events', () => {
  it('a reader that comes back with Last-Event-ID misses nothing and sees nothing twice', async () => {
    const stream = await openStream(daemon);
    const first = await stream.take(3);
    await stream.close();
    const last = first.at(-1)!;
    await daemon.http('POST', `/kernels/${KERNEL}/execute`, { body: { code: '1' } });

    const again = await openStream(daemon, { 'last-event-id': String(last) });
    const rest = await again.take(3);
    await again.close();
    expect(rest).toEqual([last + 1, last + 2, last + 3]);
    expect(again.text).not.toContain('event: gap');
  });

  it('tells one kernel apart, and ends its story with its end', async () => {
    const other = randomUUID();
    expect((await daemon.http('POST', '/kernels', { body: specOf(other) })).status).toBe(201);
    const { status, body } = await daemon.http('DELETE', `/kernels/${other}`);
    expect(status).toBe(200);
    expect(body).toEqual({ kernel_id: other, reason: 'user-requested' });
    expect(await daemon.story(other)).toEqual([
      'kernel_preparing',
      'kernel_creating',
      'kernel_started',
      'kernel_terminated',
    ]);
    const stages = (await daemon.events(0, `&kernel_id=${other}&name=kernel_stage`)).map(
      ({ body: stage }) => stage['stage'],
    );
    expect(stages).toEqual(['image', 'slots', 'ports', 'scratch', 'container', 'start', 'runner']);
  });
});

it('a kernel that is gone has no series, no container and no directory', async () => {
  expect((await daemon.http('DELETE', `/kernels/${KERNEL}`)).status).toBe(200);
  expect(await daemon.metrics(new RegExp(KERNEL))).toEqual([]);
  expect((await daemon.http('GET', `/kernels/${KERNEL}`)).status).toBe(404);
  expect((await daemon.http('DELETE', `/kernels/${KERNEL}`)).status).toBe(404);
  expect(await home.containers()).toEqual([]);
  expect(await home.scratches()).toEqual([]);
  await expect.poll(() => daemon.metrics(/^backendai_kernel_count.* 0$/), { timeout: 10_000 }).toHaveLength(1);
  expect(await daemon.metrics(new RegExp(KERNEL))).toEqual([]);
});

/** A reader of server-sent events. */
async function openStream(agent: Daemon, headers: Readonly<Record<string, string>> = {}) {
  const abort = new AbortController();
  const response = await fetch(`${agent.url}/events`, {
    headers: { authorization: `Bearer ${agent.token}`, ...headers },
    signal: abort.signal,
  });
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const stream = {
    text: '',
    /** Ids of the first `count` events. */
    take: async (count: number): Promise<readonly number[]> => {
      const ids = (): number[] => [...stream.text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
      while (ids().length < count) {
        const { value, done } = await reader.read();
        if (done) throw new Error('the stream ended');
        stream.text += value;
      }
      return ids().slice(0, count);
    },
    close: async (): Promise<void> => {
      abort.abort();
      await reader.cancel().catch(() => undefined);
    },
  };
  return stream;
}
