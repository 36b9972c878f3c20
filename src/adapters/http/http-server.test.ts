import { afterEach, describe, expect, it } from 'vitest';
import type { UseCases } from '../../application/use-cases.js';
import { createServer } from 'node:net';
import { imageNotAvailable } from '../../domain/error/errors.js';
import { CREATED, KERNEL, scriptedUseCases, SESSION } from '../../../test/support/scripted-use-cases.js';
import { startServer, type StartedServer, TOKEN } from '../../../test/support/http-server.js';

const UNKNOWN = '99999999-9999-4999-8999-999999999999';

let server: StartedServer | undefined;
afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
  server = undefined;
});

async function serve(script: Partial<UseCases> = {}, options: Parameters<typeof startServer>[1] = {}) {
  server = await startServer(scriptedUseCases(script), options);
  return server;
}

describe('open paths', () => {
  it.each(['/livez', '/readyz', '/health', '/metrics'])('%s answers without a token', async (path) => {
    const { url } = await serve();
    const response = await fetch(url + path);
    expect(response.status).toBe(200);
    expect(response.headers.get('x-request-id')).toMatch(/./);
  });

  it('tells health in the words of the reference', async () => {
    const { url } = await serve();
    expect(await (await fetch(`${url}/health`)).json()).toEqual({
      status: 'ok',
      version: '0.1.0',
      component: 'agent',
      connectivity: {
        overall_healthy: true,
        connectivity_checks: [
          {
            service_group: 'container',
            component_id: 'docker',
            is_healthy: true,
            last_checked_at: '2026-01-01T00:00:00.000Z',
            error_message: null,
            latency_ms: 2,
            since: '2026-01-01T00:00:00.000Z',
          },
        ],
        timestamp: '2026-01-01T00:00:00.000Z',
      },
    });
  });

  it('is alive but not ready while the agent is not', async () => {
    const { url } = await serve({ status: () => ({ ...scriptedUseCases({}).status(), ready: false }) });
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    const ready = await fetch(`${url}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ status: 'error' });
  });

  it('serves the metrics it was given as Prometheus text', async () => {
    const { url } = await serve();
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toBe('the_metrics 1\n');
  });
});

describe('the token', () => {
  it.each([
    '/status',
    '/kernels',
    `/kernels/${KERNEL}`,
    '/events',
    '/openapi.json',
    '/no-such-path',
    '//livez',
    '/livez/x',
  ])('%s is refused without one', async (path) => {
    const { url } = await serve();
    const response = await fetch(url + path);
    expect(response.status).toBe(403);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(await response.json()).toMatchObject({
      type: 'https://api.backend.ai/probs/agent/invalid-watcher-token',
      status: 403,
      field: 'X-BackendAI-Watcher-Token',
    });
  });

  it.each([
    ['wrong', { 'x-backendai-watcher-token': 'insecure' }],
    ['empty', { 'x-backendai-watcher-token': '' }],
    ['a prefix of the right one', { 'x-backendai-watcher-token': TOKEN.slice(0, -1) }],
    ['in another scheme', { authorization: `Basic ${TOKEN}` }],
  ])('is refused when %s', async (_what, headers) => {
    const { url } = await serve();
    expect((await fetch(`${url}/status`, { headers })).status).toBe(403);
  });

  it('is taken from both headers', async () => {
    const { url } = await serve();
    for (const headers of [{ 'X-BackendAI-Watcher-Token': TOKEN }, { Authorization: `Bearer ${TOKEN}` }]) {
      expect((await fetch(`${url}/status`, { headers: headers as Record<string, string> })).status).toBe(200);
    }
  });

  it('admits nobody when none is configured', async () => {
    const { url } = await serve({}, { token: '' });
    expect((await fetch(`${url}/status`, { headers: { 'x-backendai-watcher-token': '' } })).status).toBe(403);
  });

  it('is checked before the body is read', async () => {
    const { url } = await serve();
    const response = await fetch(`${url}/kernels`, { method: 'POST', body: 'x'.repeat(20 << 20) }).catch(
      () => undefined,
    );
    // Refused at the headers: the client sees the 403, or the connection closing under its upload.
    expect(response?.status ?? 403).toBe(403);
  });
});

describe('kernels', () => {
  it('are listed and shown', async () => {
    const { call } = await serve();
    const list = await call('GET', '/kernels');
    expect(list.body).toEqual([
      expect.objectContaining({
        kernel_id: KERNEL,
        session_id: SESSION,
        state: 'RUNNING',
        image: 'python:3.12',
        container_id: 'c0ffee',
        slots: { cpu: '1', mem: '536870912' },
        service_ports: [
          { name: 'sshd', protocol: 'tcp', container_ports: [2200], host_ports: [30003], is_inference: false },
        ],
        started_at: null,
      }),
    ]);
    expect((await call('GET', `/kernels/${KERNEL}`)).body).toEqual((list.body as unknown[])[0]);
  });

  it.each([
    ['GET', ''],
    ['DELETE', ''],
    ['GET', '/logs'],
    ['GET', '/usage'],
  ])('%s of an unknown one is a 404 (%s)', async (method, path) => {
    const { call } = await serve();
    expect(await call(method, `/kernels/${UNKNOWN}${path}`)).toMatchObject({
      status: 404,
      body: { error: 'KernelNotFoundError', field: 'kernel_id', status: 404 },
    });
  });

  it('need an id that is one', async () => {
    const { call } = await serve();
    expect(await call('GET', '/kernels/..%2f..%2fetc')).toMatchObject({ status: 400, body: { field: 'kernel_id' } });
  });

  it('are created from a body', async () => {
    const specs: unknown[] = [];
    const { call } = await serve({
      createKernel: (spec) => {
        specs.push(spec);
        return Promise.resolve(CREATED);
      },
    });
    const body = {
      image: 'python:3.12',
      resource_slots: { cpu: 1, mem: '512m' },
      environ: { A: 'b' },
      mounts: [{ source: '/data', target: '/home/work/data', permission: 'ro' }],
      dotfiles: [{ path: '.vimrc', mode: '600', data: 'set nu' }],
    };
    const created = await call('POST', '/kernels', body);
    expect(created).toMatchObject({ status: 201, body: { kernel_id: KERNEL, created: true, repl_in_port: 30001 } });
    expect(specs).toMatchObject([
      {
        kernelId: '00000000-0000-4000-8000-000000000001',
        sessionId: '00000000-0000-4000-8000-000000000002',
        image: { canonical: 'python:3.12', isLocal: false, autoPull: 'tag' },
        resourceSlots: { cpu: '1', mem: '512m' },
        environ: { A: 'b' },
        mounts: [{ name: 'data', hostPath: '/data', kernelPath: '/home/work/data', permission: 'ro' }],
        dotfiles: [{ path: '.vimrc', mode: 0o600, data: 'set nu' }],
      },
    ]);
  });

  it('answers 200 for one that was there', async () => {
    const { call } = await serve({ createKernel: () => Promise.resolve({ ...CREATED, created: false }) });
    expect((await call('POST', '/kernels', { image: 'x', resource_slots: { cpu: '1' } })).status).toBe(200);
  });

  it('tell all that is wrong with a body at once', async () => {
    const { call } = await serve();
    const { status, body } = await call('POST', '/kernels', {
      image: '',
      resource_slots: { cpu: ['1'] },
      mounts: [{ source: 1, target: '/x' }],
      preopen_ports: [0],
      imagee: 'x',
    });
    expect(status).toBe(400);
    const problem = body as { errors: { field: string; message: string }[] };
    expect(new Set(problem.errors.map(({ field }) => field))).toEqual(
      new Set(['image', 'resource_slots', 'mounts.0.source', 'preopen_ports', 'imagee']),
    );
    expect(problem.errors.find(({ field }) => field === 'imagee')?.message).toContain('known are kernel_id');
  });

  it.each(['{"image":', '[]', '"x"', 'null', '{"__proto__":{"a":1},"image":"x","resource_slots":{"cpu":"1"}}'])(
    'refuse the body %s',
    async (body) => {
      const { url } = await serve();
      const headers = { 'x-backendai-watcher-token': TOKEN, 'content-type': 'application/json' };
      const response = await fetch(`${url}/kernels`, { method: 'POST', headers, body });
      expect(response.status).toBe(400);
      expect(response.headers.get('content-type')).toContain('application/problem+json');
    },
  );

  it('refuse a body over 8 MiB', async () => {
    const { call } = await serve();
    const answer = await call('POST', '/kernels', { image: 'x'.repeat(9 << 20), resource_slots: { cpu: '1' } });
    expect(answer).toMatchObject({ status: 413, body: { error: 'PayloadTooLargeError' } });
  });

  it('pass the status, field and hint of an expected failure on', async () => {
    const failure = imageNotAvailable('no image x', { field: 'image', hint: 'pull it', allowed: 'an image' });
    const { call } = await serve({ createKernel: () => Promise.reject(failure) });
    expect(await call('POST', '/kernels', { image: 'x', resource_slots: { cpu: '1' } })).toMatchObject({
      status: 404,
      body: { error: 'ImageNotAvailable', field: 'image', hint: 'pull it', allowed: 'an image', detail: 'no image x' },
    });
  });

  it('tell nothing of an unexpected error, but log it', async () => {
    const { call, logged } = await serve({
      listKernels: () => {
        throw new Error('secret inside');
      },
    });
    const { status, body } = await call('GET', '/kernels');
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toContain('secret inside');
    expect(logged.some(({ level, message }) => level === 'error' && message.includes('unexpectedly'))).toBe(true);
  });

  it('are destroyed with a normalised reason', async () => {
    const requests: unknown[] = [];
    const { call } = await serve({
      destroyKernel: (request) => {
        requests.push(request);
        return Promise.resolve();
      },
    });
    const answer = await call('DELETE', `/kernels/${KERNEL}?reason=USER_REQUESTED`);
    expect(answer).toMatchObject({ status: 200, body: { kernel_id: KERNEL, reason: 'user-requested' } });
    expect(requests).toEqual([{ kernelId: KERNEL, reason: 'user-requested', suppressEvents: false }]);
  });

  it('tell their usage', async () => {
    const usage = {
      cpuMs: 5,
      memBytes: 1,
      memPeakBytes: 2,
      netRxBytes: 3,
      netTxBytes: 4,
      ioReadBytes: 5,
      ioWriteBytes: 6,
    };
    const { call } = await serve({ usage: () => usage });
    expect((await call('GET', `/kernels/${KERNEL}/usage`)).body).toMatchObject({
      kernel_id: KERNEL,
      usage: { cpu_ms: 5, mem_peak_bytes: 2, io_write_bytes: 6 },
    });
  });
});

describe('listening', () => {
  it('serves one application on every address, each bound once', async () => {
    const { addresses, call } = await serve(
      {},
      {
        listen: [
          { host: '127.0.0.1', port: 0 },
          { host: '127.0.0.2', port: 0 },
        ],
      },
    );
    expect(addresses).toHaveLength(2);
    for (const { host, port } of addresses) {
      expect((await fetch(`http://${host}:${port}/livez`)).status).toBe(200);
    }
    expect((await call('GET', '/status')).status).toBe(200);
  });

  it('says that an address is taken, and leaves the others', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    const free = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => free.once('listening', resolve));
    const other = (free.address() as { port: number }).port;
    await new Promise((resolve) => free.close(resolve));
    const listen = [
      { host: '127.0.0.1', port: other },
      { host: '127.0.0.1', port },
    ];
    await expect(serve({}, { listen })).rejects.toMatchObject({ name: 'AddressInUseError', field: 'service-addr' });
    await expect(fetch(`http://127.0.0.1:${other}/livez`)).rejects.toThrow();
    taken.close();
  });

  it('is up in less than 200 ms once the modules are loaded', async () => {
    await (await startServer(scriptedUseCases({})))[Symbol.asyncDispose]();
    const startedAt = performance.now();
    await serve();
    expect(performance.now() - startedAt).toBeLessThan(200);
  });
});
