import { connect } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { KERNEL, scriptedUseCases, SESSION } from '../../../test/support/scripted-use-cases.js';
import { type StartedServer, startServer, TOKEN } from '../../../test/support/http-server.js';
import type { AnnouncedEvent } from '../../application/ports/event-bus.port.js';
import type { UseCases } from '../../application/use-cases.js';
import { notSupported } from '../../domain/error/errors.js';
import type { ExecutionResult } from '../../domain/execution/execution.js';

const HEADERS = { 'x-backendai-watcher-token': TOKEN };
const RESULT: ExecutionResult = {
  ...{ runId: 'r1', status: 'finished', exitCode: 0, options: null },
  console: [['stdout', '2\n']],
};

let server: StartedServer | undefined;
afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
  server = undefined;
});

async function serve(script: Partial<UseCases>, options: Parameters<typeof startServer>[1] = {}) {
  server = await startServer(scriptedUseCases(script), options);
  return server;
}

/** Resolves when the signal fires, with the message of its reason. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

describe('execute', () => {
  it('translates the request and the result', async () => {
    const requests: unknown[] = [];
    const { call } = await serve({
      execute: (request) => {
        requests.push(request);
        return Promise.resolve(RESULT);
      },
    });
    const body = { run_id: 'r1', mode: 'batch', batch: { exec: 'python a.py' }, flush_timeout_ms: 500 };
    expect(await call('POST', `/kernels/${KERNEL}/execute`, body)).toEqual({
      status: 200,
      body: { run_id: 'r1', status: 'finished', exit_code: 0, options: null, console: [['stdout', '2\n']] },
    });
    await call('POST', `/kernels/${KERNEL}/execute`, { code: '1+1' });
    expect(requests).toEqual([
      {
        ...{ kernelId: KERNEL, runId: 'r1', mode: 'batch', code: '', flushTimeoutMs: 500 },
        batch: { clean: '', build: '', exec: 'python a.py' },
      },
      { kernelId: KERNEL, runId: null, mode: 'query', code: '1+1', flushTimeoutMs: null },
    ]);
  });

  it('is aborted when its client goes away', async () => {
    let signal: AbortSignal | undefined;
    const { url } = await serve({
      execute: (_request, given) => {
        signal = given;
        return untilAborted(given);
      },
    });
    const client = new AbortController();
    const answer = fetch(`${url}/kernels/${KERNEL}/execute`, {
      ...{ method: 'POST', body: '{"code":"x"}', signal: client.signal },
      headers: { ...HEADERS, 'content-type': 'application/json' },
    });
    await vi.waitFor(() => expect(signal).toBeDefined());
    expect(signal?.aborted).toBe(false);
    client.abort();
    await expect(answer).rejects.toThrow();
    await vi.waitFor(() => expect(signal?.aborted).toBe(true));
  });

  it('does not take the end of its answer for a client that left', async () => {
    let signal: AbortSignal | undefined;
    const { call } = await serve({
      execute: (_request, given) => {
        signal = given;
        return Promise.resolve(RESULT);
      },
    });
    await call('POST', `/kernels/${KERNEL}/execute`, { code: '1' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(signal?.aborted).toBe(false);
  });

  it('leaves a creation alone when its client goes away, and cancels it when the server closes', async () => {
    let signal: AbortSignal | undefined;
    const { url } = await serve({
      createKernel: (_spec, given) => {
        signal = given;
        return untilAborted(given);
      },
    });
    const client = new AbortController();
    const answer = fetch(`${url}/kernels`, {
      ...{ method: 'POST', body: '{"image":"x","resource_slots":{"cpu":"1"}}', signal: client.signal },
      headers: { ...HEADERS, 'content-type': 'application/json' },
    });
    await vi.waitFor(() => expect(signal).toBeDefined());
    client.abort();
    await expect(answer).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(signal?.aborted).toBe(false);
    await server?.[Symbol.asyncDispose]();
    expect(signal?.aborted).toBe(true);
  });

  it('refuses what is no request', async () => {
    const { call } = await serve({});
    const { status, body } = await call('POST', `/kernels/${KERNEL}/execute`, { mode: 'dance', flush_timeout_ms: 0 });
    expect(status).toBe(400);
    const fields = (body as { errors: { field: string }[] }).errors.map(({ field }) => field);
    expect(fields).toEqual(['mode', 'flush_timeout_ms']);
  });
});

describe('the other calls of a kernel', () => {
  it('reach their use cases', async () => {
    const calls: unknown[] = [];
    const { call } = await serve({
      interrupt: (kernelId) => Promise.resolve(void calls.push(['interrupt', kernelId])),
      complete: (kernelId, code, options) => {
        calls.push(['complete', kernelId, code, options]);
        return Promise.resolve(['print']);
      },
      startService: (kernelId, service, options) => {
        calls.push(['service', kernelId, service, options]);
        return Promise.resolve({ status: 'started' });
      },
    });
    const path = `/kernels/${KERNEL}`;
    expect((await call('POST', `${path}/interrupt`)).status).toBe(200);
    const completions = await call('POST', `${path}/complete`, { code: 'pri', options: { row: 1 } });
    expect(completions.body).toEqual({ completions: ['print'] });
    const service = await call('POST', `${path}/services/ttyd`, { envs: { A: 1 } });
    expect(service.body).toEqual({ status: 'started' });
    expect(calls).toEqual([
      ['interrupt', KERNEL],
      ['complete', KERNEL, 'pri', { row: 1 }],
      ['service', KERNEL, 'ttyd', { arguments: {}, envs: { A: '1' } }],
    ]);
  });
});

describe('logs', () => {
  it('come in chunks while they are written', async () => {
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const { url } = await serve({
      logs: async function* (_kernelId, options) {
        yield Buffer.from(JSON.stringify(options));
        await gate;
        yield Buffer.from('end');
      },
    });
    const response = await fetch(`${url}/kernels/${KERNEL}/logs?follow&tail=5`, { headers: HEADERS });
    const reader = response.body!.getReader();
    expect(Buffer.from((await reader.read()).value).toString()).toBe('{"follow":true,"tail":5}');
    release();
    expect(Buffer.from((await reader.read()).value).toString()).toBe('end');
    expect((await reader.read()).done).toBe(true);
  });

  it('stop when the client goes away', async () => {
    let ended: string | undefined;
    const { url } = await serve({
      logs: async function* (_kernelId, _options, signal) {
        try {
          yield Buffer.from('x');
          await untilAborted(signal);
        } finally {
          ended = String(signal.aborted);
        }
      },
    });
    const client = new AbortController();
    const response = await fetch(`${url}/kernels/${KERNEL}/logs?follow=1`, { headers: HEADERS, signal: client.signal });
    await response.body!.getReader().read();
    client.abort();
    await vi.waitFor(() => expect(ended).toBe('true'));
  });

  it('tell a failure by status if it comes first, and break off if it comes later', async () => {
    let failAt = 0;
    const { url } = await serve({
      // eslint-disable-next-line @typescript-eslint/require-await -- a generator must be async here
      logs: async function* () {
        for (let n = 0; n < failAt; n++) yield Buffer.from('x');
        throw notSupported('no logs');
      },
    });
    const early = await fetch(`${url}/kernels/${KERNEL}/logs`, { headers: HEADERS });
    expect(early.status).toBe(501);
    failAt = 1;
    const late = await fetch(`${url}/kernels/${KERNEL}/logs`, { headers: HEADERS });
    await expect(late.text()).rejects.toThrow();
  });
});

describe('events', () => {
  const announced = (id: number, stage = 'pull', kernelId = KERNEL): AnnouncedEvent => ({
    ...{ id, timestampMs: Date.UTC(2026, 0, 1), source: 'i-test' },
    event: {
      name: 'kernel_stage',
      body: { kernel_id: kernelId, session_id: SESSION, stage, elapsed_ms: 1, message: '' },
    },
  });
  const started: AnnouncedEvent['event'] = { name: 'agent_started', body: { reason: 'self-started' } };

  function scriptedBus(kept: readonly AnnouncedEvent[] = []) {
    const listeners = new Set<(event: AnnouncedEvent) => void>();
    const sinces: (number | undefined)[] = [];
    return {
      ...{ listeners, sinces },
      announce: (event: AnnouncedEvent) => listeners.forEach((listener) => listener(event)),
      subscribe: (listener: (event: AnnouncedEvent) => void, since?: number): Disposable => {
        sinces.push(since);
        if (since !== undefined) kept.filter(({ id }) => id > since).forEach(listener);
        listeners.add(listener);
        return { [Symbol.dispose]: () => void listeners.delete(listener) };
      },
    };
  }

  /** Reads the stream until it has shown `text`. */
  async function readUntil(response: Response, text: string): Promise<string> {
    let seen = '';
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      seen += Buffer.from(chunk).toString();
      if (seen.includes(text)) return seen;
    }
    return seen;
  }

  it('come with id, name and one line of JSON, filtered by name and kernel', async () => {
    const bus = scriptedBus();
    const { url } = await serve({ subscribe: bus.subscribe });
    const response = await fetch(`${url}/events?name=kernel_stage,kernel_started&kernel_id=${KERNEL}`, {
      headers: HEADERS,
    });
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    await vi.waitFor(() => expect(bus.listeners.size).toBe(1));
    bus.announce(announced(1, 'other', SESSION as never));
    bus.announce({ ...announced(2), event: started });
    bus.announce(announced(3, 'line\nbreak'));
    const text = await readUntil(response, '\n\n');
    expect(text).toMatch(/^id: 3\nevent: kernel_stage\ndata: .*\n\n$/);
    expect(JSON.parse(/data: (.*)\n/.exec(text)![1]!)).toEqual({
      ...{ id: 3, name: 'kernel_stage', source: 'i-test', timestamp: '2026-01-01T00:00:00.000Z' },
      body: announced(3, 'line\nbreak').event.body,
    });
    await vi.waitFor(() => expect(bus.listeners.size).toBe(0));
  });

  it.each([
    ['Last-Event-ID', { 'last-event-id': '7' }, ''],
    ['since', {}, '?since=7'],
    ['Last-Event-ID before since', { 'last-event-id': '7' }, '?since=3'],
  ])('resume after %s', async (_what, extra, query) => {
    const bus = scriptedBus([7, 8, 9].map((id) => announced(id)));
    const { url } = await serve({ subscribe: bus.subscribe });
    const response = await fetch(`${url}/events${query}`, {
      headers: { ...HEADERS, ...extra } as Record<string, string>,
    });
    const text = await readUntil(response, 'id: 9');
    expect(bus.sinces).toEqual([7]);
    expect(text.match(/^id: \d+/gm)).toEqual(['id: 8', 'id: 9']);
    expect(text).not.toContain('gap');
  });

  it('tell a reader that it missed some', async () => {
    const bus = scriptedBus([50, 51].map((id) => announced(id)));
    const { url } = await serve({ subscribe: bus.subscribe });
    const text = await readUntil(await fetch(`${url}/events?since=7`, { headers: HEADERS }), 'id: 51');
    expect(text).toContain('event: gap\ndata: {"after":7,"before":50}\n\nid: 50');
  });

  it('end after the past without follow', async () => {
    const bus = scriptedBus([8, 9].map((id) => announced(id)));
    const { url } = await serve({ subscribe: bus.subscribe });
    const text = await (await fetch(`${url}/events?follow=false`, { headers: HEADERS })).text();
    expect(text.match(/^id: \d+/gm)).toEqual(['id: 8', 'id: 9']);
    expect(bus.listeners.size).toBe(0);
  });

  it('beat', async () => {
    const bus = scriptedBus();
    const { url } = await serve({ subscribe: bus.subscribe }, { eventStreamLimits: { heartbeatMs: 20 } });
    const text = await readUntil(await fetch(`${url}/events`, { headers: HEADERS }), ': heartbeat\n\n: heartbeat');
    expect(text).toContain(': heartbeat\n\n');
  });

  it('are given up for a reader that does not read, without holding up the others', async () => {
    const bus = scriptedBus();
    const { addresses, counted, url } = await serve(
      { subscribe: bus.subscribe },
      { eventStreamLimits: { maxBufferedBytes: 100_000 } },
    );
    const socket = connect(addresses[0]!.port, '127.0.0.1').pause();
    socket.on('error', () => undefined);
    socket.write(`GET /events HTTP/1.1\r\nHost: x\r\nX-BackendAI-Watcher-Token: ${TOKEN}\r\n\r\n`);
    const good = await fetch(`${url}/events`, { headers: HEADERS });
    let read = 0;
    const reading = (async () => {
      for await (const chunk of good.body as unknown as AsyncIterable<Uint8Array>) read += chunk.byteLength;
    })().catch(() => undefined);
    await vi.waitFor(() => expect(bus.listeners.size).toBe(2));
    const big = 'x'.repeat(20_000);
    for (let id = 1; id <= 2_000 && bus.listeners.size === 2; id++) {
      bus.announce(announced(id, big));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await vi.waitFor(() => expect(bus.listeners.size).toBe(1));
    expect(counted.get('backendai_http_dropped_event_streams')).toBe(1);
    expect(read).toBeGreaterThan(20_000);
    socket.destroy();
    await server?.[Symbol.asyncDispose]();
    await reading;
  });

  it('end properly when the server closes, which takes no longer than its patience', async () => {
    const bus = scriptedBus();
    const { url } = await serve({ subscribe: bus.subscribe });
    const response = await fetch(`${url}/events`, { headers: HEADERS });
    await vi.waitFor(() => expect(bus.listeners.size).toBe(1));
    const startedAt = performance.now();
    const [text] = await Promise.all([response.text(), server?.[Symbol.asyncDispose]()]);
    expect(text).toBe('');
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(bus.listeners.size).toBe(0);
  });

  it('are limited in number', async () => {
    const bus = scriptedBus();
    const { call, url } = await serve({ subscribe: bus.subscribe }, { eventStreamLimits: { maxStreams: 1 } });
    const first = await fetch(`${url}/events`, { headers: HEADERS });
    expect(await call('GET', '/events')).toMatchObject({ status: 503, body: { error: 'TooManyEventStreams' } });
    await first.body?.cancel();
  });
});
