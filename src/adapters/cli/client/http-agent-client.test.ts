import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import {
  CREATED,
  KERNEL,
  KERNEL_VIEW,
  scriptedUseCases,
  SESSION,
  STATUS,
} from '../../../../test/support/scripted-use-cases.js';
import { startServer, type StartedServer, TOKEN } from '../../../../test/support/http-server.js';
import type { AnnouncedEvent } from '../../../application/ports/event-bus.port.js';
import type { UseCases } from '../../../application/use-cases.js';
import { imageNotAvailable, portPoolExhausted } from '../../../domain/error/errors.js';
import type { KernelSpec } from '../../../domain/kernel/kernel-spec.js';
import { toKernelSpec } from '../options/kernel-options.js';
import { EmbeddedAgentClient } from './embedded-agent-client.js';
import { HttpAgentClient } from './http-agent-client.js';

const closing: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of closing.splice(0)) await each[Symbol.asyncDispose]();
});
const never = new AbortController().signal;

/** The client on the real HTTP application over use cases that answer from a script. */
async function connect(script: Partial<UseCases>, token = TOKEN): Promise<HttpAgentClient> {
  const server: StartedServer = await startServer(scriptedUseCases(script));
  const { host, port } = server.addresses[0]!;
  const client = new HttpAgentClient({ host, port, token });
  closing.push(
    {
      [Symbol.asyncDispose]: () => {
        client[Symbol.dispose]();
        return Promise.resolve();
      },
    },
    server,
  );
  return client;
}

function spec(): KernelSpec {
  const mounts = [
    {
      name: 'd',
      hostPath: '/data',
      kernelPath: '/home/work/d',
      permission: 'ro' as const,
      usageMode: 'general' as const,
    },
  ];
  const ids = [KERNEL, SESSION];
  const request = { image: undefined, resourceSlots: { cpu: '1', mem: '512m' }, environ: { A: 'b' }, mounts };
  return toKernelSpec(request, 'python:3', [8000], () => ids.shift()!);
}

const USAGE = { cpuMs: 1, memBytes: 2, memPeakBytes: 3, netRxBytes: 4, netTxBytes: 5, ioReadBytes: 6, ioWriteBytes: 7 };
const event = (id: number): AnnouncedEvent => ({
  ...{ id, timestampMs: Date.UTC(2026, 0, 1), source: 'i-test' },
  event: { name: 'kernel_creating', body: { kernel_id: KERNEL, session_id: SESSION, reason: '' } },
});

describe('what arrives is what the agent meant', () => {
  test('a specification survives the way to the use case', async () => {
    let seen: KernelSpec | undefined;
    const client = await connect({ createKernel: (given) => ((seen = given), Promise.resolve(CREATED)) });
    const { kernelId, containerId, kernelHost, servicePorts, slots, timingsMs } = CREATED;
    expect(await client.createKernel(spec(), never)).toEqual({
      kernelId,
      containerId,
      kernelHost,
      servicePorts,
      slots,
      timingsMs,
    });
    expect(seen).toEqual(spec());
  });

  test('views, status and usage are those of the use cases', async () => {
    const client = await connect({ usage: () => USAGE });
    expect(await client.listKernels(never)).toEqual([KERNEL_VIEW]);
    expect(await client.status(never)).toEqual(STATUS);
    expect(await client.health(never)).toEqual(await scriptedUseCases({}).health());
    expect(await client.usage(KERNEL, never)).toEqual(USAGE);
    const without = await connect({ usage: () => undefined });
    expect(await without.usage(KERNEL, never)).toBeUndefined();
  });

  test('an execution goes there and back', async () => {
    const result = {
      ...{ runId: 'r1', status: 'waiting-input' as const, exitCode: null, options: { is_password: true } },
      console: [['stdout', 'é\n'] as const, ['media', ['image/png', 'data:']] as const],
    };
    let seen: unknown;
    const client = await connect({ execute: (request) => ((seen = request), Promise.resolve(result)) });
    const request = { kernelId: KERNEL, runId: 'r1', mode: 'query' as const, code: 'x = "ü"', flushTimeoutMs: 100 };
    expect(await client.execute(request, never)).toEqual(result);
    expect(seen).toEqual(request);
  });

  test('destroy, interrupt and restart reach their use case', async () => {
    const calls: unknown[] = [];
    const client = await connect({
      destroyKernel: (request) => (calls.push(request), Promise.resolve()),
      interrupt: (kernelId) => (calls.push(kernelId), Promise.resolve()),
      restartKernel: () => Promise.resolve(CREATED),
    });
    await client.destroyKernel(KERNEL, never);
    await client.interrupt(KERNEL, never);
    expect((await client.restartKernel(KERNEL, never)).kernelId).toBe(KERNEL);
    expect(calls).toEqual([{ kernelId: KERNEL, reason: 'user-requested', suppressEvents: false }, KERNEL]);
  });

  test('logs come as bytes, and end when told to', async () => {
    const client = await connect({
      logs: async function* (_id, options, signal) {
        yield Buffer.from(JSON.stringify(options));
        if (options.follow === true) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    });
    const read = async (follow: boolean, stop: AbortController): Promise<string> => {
      let text = '';
      for await (const chunk of client.logs(KERNEL, { follow, tail: 5 }, stop.signal)) {
        text += Buffer.from(chunk).toString();
        if (follow) stop.abort();
      }
      return text;
    };
    expect(JSON.parse(await read(false, new AbortController()))).toEqual({ follow: false, tail: 5 });
    expect(JSON.parse(await read(true, new AbortController()))).toEqual({ follow: true, tail: 5 });
  });
});

describe('events, over HTTP and in the process alike', () => {
  const kept = [event(1), event(2)];
  const script: Partial<UseCases> = {
    subscribe: (listener, since) => {
      for (const each of kept) if (since !== undefined && each.id > since) listener(each);
      const timer = setTimeout(() => listener(event(3)), 20);
      return { [Symbol.dispose]: () => clearTimeout(timer) };
    },
  };
  const makers = [
    ['http', () => connect(script)],
    ['embedded', () => Promise.resolve(new EmbeddedAgentClient(scriptedUseCases(script)))],
  ] as const;

  test.each(makers)('%s: the past, then the end', async (_, make) => {
    const client = await make();
    const seen: number[] = [];
    for await (const each of client.events({ follow: false, kernelId: KERNEL }, never)) seen.push(each.id);
    expect(seen).toEqual([1, 2]);
  });

  test.each(makers)('%s: the past and what comes, until told to stop', async (_, make) => {
    const client = await make();
    const stop = new AbortController();
    const seen: unknown[] = [];
    for await (const each of client.events({ follow: true, since: 1 }, stop.signal)) {
      seen.push(each);
      if (each.id === 3) stop.abort();
    }
    const body = { kernel_id: KERNEL, session_id: SESSION, reason: '' };
    expect(seen).toEqual(
      [2, 3].map((id) => ({ id, name: 'kernel_creating', timestampMs: Date.UTC(2026, 0, 1), body })),
    );
  });
});

describe('failures', () => {
  test('an AgentError keeps its name, its kind and its advice', async () => {
    const client = await connect({
      createKernel: () =>
        Promise.reject(imageNotAvailable('no such image', { field: 'image', allowed: 'another', hint: 'pull it' })),
      restartKernel: () => Promise.reject(portPoolExhausted('no port')),
    });
    await expect(client.createKernel(spec(), never)).rejects.toMatchObject({
      ...{ name: 'ImageNotAvailable', kind: 'user', message: 'no such image' },
      ...{ field: 'image', allowed: 'another', hint: 'pull it' },
    });
    await expect(client.restartKernel(KERNEL, never)).rejects.toMatchObject({ kind: 'operational', retryable: true });
  });

  test('a wrong token says which agent was meant', async () => {
    const client = await connect({}, 'wrong');
    await expect(client.status(never)).rejects.toMatchObject({
      kind: 'operational',
      hint: expect.stringContaining('--config'),
    });
  });

  test('a creation that is cancelled is undone on the other side', async () => {
    const destroyed: unknown[] = [];
    const stop = new AbortController();
    const client = await connect({
      createKernel: () => {
        setTimeout(() => stop.abort(), 5);
        return new Promise(() => undefined);
      },
      destroyKernel: ({ kernelId }) => (destroyed.push(kernelId), Promise.resolve()),
    });
    await expect(client.createKernel(spec(), stop.signal)).rejects.toMatchObject({ name: 'AbortError' });
    expect(destroyed).toEqual([KERNEL]);
  });

  const stranger = async (answer: (path: string) => [number, string]): Promise<HttpAgentClient> => {
    const server: Server = createServer((request, response) => {
      const [status, body] = answer(request.url ?? '');
      response.writeHead(status).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push({
      [Symbol.asyncDispose]: () => {
        server.closeAllConnections();
        return new Promise((resolve) => server.close(() => resolve()));
      },
    });
    return new HttpAgentClient({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, token: '' });
  };

  test.each([
    ['another server', [404, '<html>'], 'is not a Backend.AI agent'],
    ['no JSON', [200, 'hello'], 'is not a Backend.AI agent'],
    ['JSON of another shape', [200, '{"agent_id": 3}'], "unknown shape at 'agent_id'"],
  ] as const)('%s', async (_, [status, body], message) => {
    using client = await stranger(() => [status, body]);
    await expect(client.status(never)).rejects.toMatchObject({ name: 'AgentUnreachableError' });
    await expect(client.status(never)).rejects.toThrow(message);
  });

  test('nobody there', async () => {
    using client = new HttpAgentClient({ host: '127.0.0.1', port: 1, token: '' });
    await expect(client.status(never)).rejects.toMatchObject({
      name: 'AgentUnreachableError',
      hint: expect.stringContaining('start-server'),
    });
  });
});
