import { readFileSync } from 'node:fs';
import { decode, encode, ExtData } from '@msgpack/msgpack';
import { describe, expect, it } from 'vitest';
import { dispatchBench, oneCall } from '../../../test/support/rpc-dispatch.js';
import { CREATED, HEALTH, KERNEL, SESSION } from '../../../test/support/scripted-use-cases.js';
import type { DestroyRequest, ExecuteRequest, UseCases } from '../../application/use-cases.js';
import {
  containerCreationFailed,
  deadlineExceeded,
  imageNotAvailable,
  kernelRunnerNotInitialized,
} from '../../domain/error/errors.js';
import type { KernelSpec } from '../../domain/kernel/kernel-spec.js';
import { parseMessage } from './callosum/frames.js';
import { decodeDocument } from './dialect/document-codec.js';
import { EnumWord } from './dialect/wire-values.js';

interface Golden {
  readonly name: string;
  readonly what: 'request' | 'response' | 'document' | 'body';
  readonly header: string;
  readonly body: string;
  readonly document?: unknown;
}

const GOLDEN = JSON.parse(
  readFileSync(new URL('../../../test/fixtures/rpc/manager-calls.json', import.meta.url), 'utf8'),
) as readonly Golden[];

const PEER = Buffer.from('0001020304', 'hex');
const hex = (text: string): Buffer => Buffer.from(text, 'hex');

/** The body of a recorded call, through the frame reader as on the wire. */
function recorded(name: string, what: Golden['what'] = 'request'): Uint8Array {
  const golden = GOLDEN.find((one) => one.name === name && one.what === what)!;
  const header =
    golden.header === '' ? encode({ type: 1, meth: 'm', okey: '', seq: 0, zip: false }) : hex(golden.header);
  const message = parseMessage([PEER, Buffer.from('UPPER'), header, hex(golden.body)], 1e6);
  if (message.kind !== 'function' || message.body === null) throw new Error(`not a call: ${JSON.stringify(message)}`);
  return message.body;
}

/** Enumeration members as the fixture writes them. */
function plain(value: unknown): unknown {
  if (value instanceof EnumWord) return { enum: value.value };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

describe('what a real Manager sends', () => {
  it.each(GOLDEN.filter(({ what, document }) => what === 'request' && document !== undefined))(
    'is read as it was meant: $name',
    ({ name, document }) => {
      expect(plain(decodeDocument(recorded(name)))).toEqual(document);
    },
  );

  it('creates the kernel of a complete create_kernels call', async () => {
    const specs: KernelSpec[] = [];
    const { answer } = dispatchBench(
      {
        createKernel: (spec) => {
          specs.push(spec);
          return Promise.resolve({ ...CREATED, kernelId: spec.kernelId, sessionId: spec.sessionId });
        },
      },
      'i-x',
    );
    const told = await answer('create_kernels', recorded('create_kernels'));
    expect(told).toHaveProperty('result');
    expect(specs).toMatchObject([
      {
        kernelId: '11111111-2222-3333-4444-555555555555',
        sessionId: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
        ownerUserId: 'f38dea23-50fa-42a0-b5ae-338f5f4693f4',
        image: {
          canonical: 'cr.backend.ai/stable/python:3.9-ubuntu20.04',
          digest: `sha256:${'ab'.repeat(32)}`.slice(0, 71),
          architecture: 'x86_64',
          isLocal: false,
          autoPull: 'tag',
        },
        sessionType: 'interactive',
        clusterHostname: 'main1',
        cluster: { mode: 'single-node', size: 1, sshKeypair: { publicKey: 'PUB', privateKey: 'PRV' } },
        resourceSlots: { cpu: '1', mem: '1073741824' },
        shmemBytes: 67_108_864,
        agentAddr: 'tcp://10.0.0.5:6001',
      },
    ]);
  });

  it('destroys with the reason of either generation', async () => {
    const seen: DestroyRequest[] = [];
    const script: Partial<UseCases> = {
      destroyKernel: (request) => {
        seen.push(request);
        return Promise.resolve();
      },
    };
    const newer = await dispatchBench(script).answer('destroy_kernel', recorded('destroy_kernel'));
    const older = await dispatchBench(script, 'i-x').answer(
      'destroy_kernel',
      recorded('destroy_kernel of an older Manager', 'body'),
    );
    expect([newer, older].map((told) => told && 'result' in told && decode(told.result))).toEqual([null, null]);
    expect(seen.map(({ reason, suppressEvents }) => [reason, suppressEvents])).toEqual([
      ['user-requested', false],
      ['user-requested', false],
    ]);
  });

  it('executes code, and answers byte for byte what the reference answered', async () => {
    const seen: ExecuteRequest[] = [];
    const { answer } = dispatchBench({
      execute: (request) => {
        seen.push(request);
        return Promise.resolve({
          runId: request.runId ?? '',
          status: 'waiting-input',
          exitCode: null,
          options: { is_password: false },
          console: [['stdout', 'name? ']],
        });
      },
    });
    const told = await answer('execute', recorded('execute 5'));
    expect(await answer('execute', recorded('execute 7'))).toHaveProperty('result');
    expect(seen).toMatchObject([
      { runId: 'bdbaea765cad40ca', mode: 'query', flushTimeoutMs: 2_000 },
      { mode: 'batch', batch: { clean: '', build: '', exec: expect.stringContaining('python3 main.py') } },
    ]);
    const reference = GOLDEN.find(({ name, what }) => name === 'execute 5' && what === 'response')!;
    expect(told && 'result' in told && decode(told.result)).toEqual(reference.document);
  });

  it.each([
    ['interrupt_kernel', { interrupt: () => Promise.resolve() }],
    ['get_completions', { complete: () => Promise.resolve([]) }],
    ['start_service', { startService: () => Promise.resolve({ status: 'running' as const }) }],
    [
      'start_service 1',
      { startService: () => Promise.resolve({ status: 'failed' as const, error: 'TimeoutError (unknown)' }) },
    ],
    ['ping', {}],
  ])('is answered as the reference answered: %s', async (name, script) => {
    const told = await dispatchBench(script).answer(name.split(' ')[0]!, recorded(name));
    const reference = GOLDEN.find((one) => one.name === name && one.what === 'response')!;
    expect(told && 'result' in told && decode(told.result)).toEqual(reference.document);
  });

  it('may carry any junk as metadata', async () => {
    const { answer, logger } = dispatchBench({});
    for (const metadata of ['text', 7, [], { request_id: 7 }, { request_id: 'a\nb' }, { user: null }]) {
      expect(await answer('ping', encode({ args: ['x'], kwargs: {}, metadata }))).toHaveProperty('result');
    }
    await answer('ping', encode({ args: ['x'], kwargs: {}, metadata: { request_id: 'req-1' } }));
    expect(logger.lines.map(({ fields }) => fields['request_id'])).toEqual([...Array<undefined>(6), 'req-1']);
  });
});

describe('create_kernels', () => {
  const ids = [1, 2, 3].map((n) => `${String(n).repeat(8)}-0000-4000-8000-000000000000`);
  const args = (configs: readonly unknown[] = ids.map(() => ({ image: 'x' }))): unknown[] => [
    SESSION,
    ids,
    configs,
    {},
    {},
  ];

  it('works on all kernels at once and answers in the order of the call', async () => {
    let running = 0;
    const { call } = dispatchBench({
      createKernel: async (spec) => {
        running += 1;
        while (running < 3) await new Promise((resolve) => setImmediate(resolve));
        return { ...CREATED, kernelId: spec.kernelId };
      },
    });
    expect((await call('create_kernels', args())) as unknown[]).toMatchObject(ids.map((id) => ({ id })));
  });

  it('tells the one failure by its own name, and several together', async () => {
    const failing = (...bad: string[]) =>
      dispatchBench({
        createKernel: (spec) =>
          bad.includes(spec.kernelId)
            ? Promise.reject(imageNotAvailable(`no image for ${spec.kernelId}`))
            : Promise.resolve(CREATED),
      });
    expect(await failing(ids[1]!).call('create_kernels', args())).toEqual([
      'ImageNotAvailable',
      `<ImageNotAvailable(404): no image for ${ids[1]!}>`,
      `no image for ${ids[1]!}`,
    ]);
    const [name, repr] = (await failing(ids[0]!, ids[2]!).call('create_kernels', args())) as string[];
    expect(name).toBe('TaskGroupError');
    expect(repr).toContain('2 of 3');
    expect(repr).toContain(`${ids[0]!}: ImageNotAvailable`);
    expect(repr).toContain(`${ids[2]!}: ImageNotAvailable`);
  });

  it('begins nothing when a single config is wrong', async () => {
    const { call } = dispatchBench({});
    const configs = [{ image: 'x' }, { image: 'x', uid: 'root' }, { image: 'x' }];
    expect(await call('create_kernels', args(configs))).toEqual([
      'InvalidArgumentError',
      '<InvalidArgumentError(400): raw_configs[1].uid: must be a number>',
      expect.stringContaining('allowed: a number'),
    ]);
    expect((await call('create_kernels', args([]))) as string[]).toContain('InvalidArgumentError');
    const twice = [SESSION, [KERNEL, KERNEL], [{ image: 'x' }, { image: 'x' }], {}, {}];
    expect((await call('create_kernels', twice)) as string[]).toContain('InvalidArgumentError');
    const noRef = [SESSION, [KERNEL], [{ image: 'x' }], {}, { [KERNEL]: 'python' }];
    expect((await call('create_kernels', noRef)) as string[]).toContain('InvalidArgumentError');
  });
});

describe('our own method names', () => {
  it('creates one kernel from a small config', async () => {
    const { call } = dispatchBench({
      createKernel: (spec) => Promise.resolve({ ...CREATED, kernelId: spec.kernelId }),
    });
    expect(await call('create_kernel', [{ kernel_id: KERNEL, image: 'python:3.12' }])).toMatchObject({
      id: KERNEL,
      container_id: 'c0ffee',
      repl_in_port: 30_001,
      stdin_port: 0,
      service_ports: [{ name: 'sshd', protocol: 'tcp', container_ports: [2200], host_ports: [30_003] }],
      resource_spec: { allocations: { cpu: { cpu: { '0': '1' } } } },
    });
    expect(await call('create_kernel', [{ image: 'python:3.12' }])).toContain('InvalidArgumentError');
  });

  it('executes code with an ordered console', async () => {
    const { call } = dispatchBench({
      execute: ({ runId, mode, code, flushTimeoutMs }) =>
        Promise.resolve({
          runId: runId ?? 'made',
          status: 'finished',
          exitCode: 0,
          options: null,
          console: [['stdout', JSON.stringify([mode, code, flushTimeoutMs])]],
        }),
    });
    expect(await call('execute_code', [KERNEL, '1+1'])).toMatchObject({
      runId: 'made',
      console: [['stdout', '["query","1+1",2000]']],
    });
    const old = await call('execute', [SESSION, KERNEL, 1, null, 'query', '1+1', {}, null]);
    expect(old).toMatchObject({ stdout: '["query","1+1",null]', stderr: '', media: [], html: [], files: [] });
    expect(old).not.toHaveProperty('console');
  });

  it('tells the status of the agent and of a kernel', async () => {
    const { call } = dispatchBench({ usage: () => undefined });
    expect(await call('get_status', [])).toMatchObject({ agent_id: 'i-test', ready: true, kernels: { RUNNING: 1 } });
    expect(await call('get_status', [KERNEL])).toMatchObject({
      kernel_id: KERNEL,
      state: 'RUNNING',
      status: 'running',
    });
    expect(await call('get_status', [SESSION])).toContain('KernelNotFoundError');
    expect(await call('get_status', ['nonsense'])).toContain('InvalidArgumentError');
  });

  it('tells its health', async () => {
    const { call } = dispatchBench({ health: () => Promise.resolve(HEALTH) });
    expect(await call('health', [])).toMatchObject({
      status: 'ok',
      component: 'agent',
      connectivity: {
        overall_healthy: true,
        connectivity_checks: [{ service_group: 'container', is_healthy: true, error_message: null }],
        timestamp: '2026-01-01T00:00:00.000Z',
      },
    });
  });
});

describe('the other methods', () => {
  it('reads the log to its end', async () => {
    const { call } = dispatchBench({
      logs: async function* () {
        await Promise.resolve();
        yield Buffer.from('a\n');
        yield Buffer.from('b\n');
      },
    });
    expect(await call('get_logs', [KERNEL])).toEqual({ logs: 'a\nb\n' });
  });

  it('restarts with what was saved', async () => {
    const { call } = dispatchBench({ restartKernel: () => Promise.resolve(CREATED) });
    expect(await call('restart_kernel', [SESSION, KERNEL, null, {}])).toEqual({
      container_id: 'c0ffee',
      repl_in_port: 30_001,
      repl_out_port: 30_002,
      stdin_port: 0,
      stdout_port: 0,
      service_ports: [expect.objectContaining({ name: 'sshd' })],
    });
  });

  it('tells a failed completion as a result and a wrong one as a failure', async () => {
    const { call } = dispatchBench({ complete: () => Promise.reject(kernelRunnerNotInitialized('not yet')) });
    expect(await call('get_completions', [KERNEL, 'o', {}])).toEqual({
      result: { status: 'failed', error: 'not yet', suggestions: [] },
    });
    expect(await call('get_completions', ['x', 'o', {}])).toContain('InvalidArgumentError');
  });

  it('always says why a service failed', async () => {
    const { call } = dispatchBench({
      startService: (_, __, options) => {
        expect(options).toEqual({ envs: { PORT: '80' } });
        return Promise.resolve({ status: 'failed' });
      },
    });
    expect(await call('start_service', [KERNEL, 'jupyter', { envs: { PORT: 80 }, arguments: null }])).toEqual({
      status: 'failed',
      error: expect.stringMatching(/./),
    });
  });

  it('knows the added reasons only from a Manager that sends the enumeration', async () => {
    const reasons: string[] = [];
    const { call } = dispatchBench({
      destroyKernel: ({ reason }) => {
        reasons.push(reason);
        return Promise.resolve();
      },
    });
    const text = (value: string): number[] => [0x8c, value.length, ...Buffer.from(value)];
    const member = new ExtData(
      6,
      Uint8Array.from([
        ...[0x80, 5, ...text('ai.backend.common.events.event_types.kernel.types')],
        ...[...text('KernelLifecycleEventReason'), 0x93, ...text('stale-kernel'), 0x85, 0x52, 0x2e],
      ]),
    );
    for (const reason of [member, 'stale-kernel', 'USER_REQUESTED', '', null, 'whatever']) {
      expect(await call('destroy_kernel', [KERNEL, SESSION, reason])).toBeNull();
    }
    expect(reasons).toEqual([
      'stale-kernel',
      'unknown',
      'user-requested',
      'user-requested',
      'user-requested',
      'unknown',
    ]);
  });
});

describe('calls that make no sense', () => {
  it.each<[string, string, Uint8Array | null, string]>([
    ['an unknown method', 'list_images', encode({ args: [], kwargs: {} }), 'NotImplementedError'],
    ['a missing argument', 'get_logs', encode({ args: [], kwargs: {} }), 'TypeError'],
    ['no arguments at all', 'get_logs', null, 'TypeError'],
    ['a nil envelope', 'get_logs', Uint8Array.of(0xc0), 'TypeError'],
    ['an envelope without args', 'ping', encode({}), 'KeyError'],
    ['an envelope that is a number', 'ping', encode(7), 'TypeError'],
    ['an envelope that is garbage', 'ping', Uint8Array.of(0xc1), 'ValueError'],
    ['an unknown agent', 'get_status', encode({ args: [], kwargs: { agent_id: 'i-y' } }), 'AgentIdNotFoundError'],
    [
      'an agent id that is a number',
      'get_status',
      encode({ args: [], kwargs: { agent_id: 7 } }),
      'AgentIdNotFoundError',
    ],
    ['an id that is a number', 'get_logs', encode({ args: [7], kwargs: {} }), 'InvalidArgumentError'],
    ['a method of every object', 'toString', encode({ args: [], kwargs: {} }), 'NotImplementedError'],
  ])('are answered with what is wrong: %s', async (_, method, body, name) => {
    expect(await dispatchBench({}).answer(method, body)).toMatchObject({
      failure: [name, expect.any(String), expect.any(String)],
    });
  });

  it('serves its own agent id, nil and none alike', async () => {
    const { call } = dispatchBench({});
    for (const kwargs of [{ agent_id: 'i-lab' }, { agent_id: null }, {}]) {
      expect(await call('get_status', [], kwargs)).toMatchObject({ ready: true });
    }
  });
});

describe('what is measured and logged', () => {
  it('counts calls and failures, all unknown methods as one', async () => {
    const { call, telemetry } = dispatchBench({ execute: () => Promise.reject(deadlineExceeded('slow')) });
    await call('ping', ['x']);
    await call('execute_code', [KERNEL, 'x']);
    for (let i = 0; i < 20; i += 1) await call(`no-such-method-${i}`, []);
    const named = (name: string) => telemetry.counted.filter((one) => one.name === name).map(({ labels }) => labels);
    expect(named('backendai_rpc_requests_total')).toHaveLength(22);
    expect(named('backendai_rpc_request_duration_seconds')).toHaveLength(22);
    expect(new Set(telemetry.counted.map(({ labels }) => labels['method']))).toEqual(
      new Set(['ping', 'execute_code', '(unknown)']),
    );
    expect(named('backendai_rpc_failure_requests_total')[0]).toEqual({
      method: 'execute_code',
      exception: 'TimeoutError',
    });
  });

  it('never writes arguments into the log', async () => {
    const { call, logger } = dispatchBench({
      createKernel: () => Promise.reject(containerCreationFailed('boom')),
      execute: () => Promise.reject(new Error('unexpected')),
    });
    await call('create_kernel', [{ kernel_id: KERNEL, image: 'x', environ: { TOKEN: 'hunter2' } }]);
    await call('execute_code', [KERNEL, 'password = "hunter2"']);
    await call('execute_code', [KERNEL, 'hunter2', 'r', 'hunter2']);
    expect(logger.lines.map(({ level }) => level)).toEqual(['warn', 'error', 'info']);
    expect(JSON.stringify(logger.lines)).not.toContain('hunter2');
    expect(logger.lines[0]!.fields).toMatchObject({
      method: 'create_kernel',
      peer: 'ab',
      duration_ms: expect.any(Number),
    });
  });
});

describe('cancellation', () => {
  const hanging = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });

  it('reaches the use case and is answered with nothing', async () => {
    const { answer, logger } = dispatchBench({ execute: (_, signal) => hanging(signal) });
    const life = oneCall();
    const told = answer('execute_code', encode({ args: [KERNEL, 'x'], kwargs: {} }), life.call);
    life.leave();
    expect(await told).toBeUndefined();
    expect(logger.lines.at(-1)!.fields).toMatchObject({ outcome: 'cancelled' });
  });

  it('saves all work when it comes before the call was begun', async () => {
    const { answer } = dispatchBench({});
    const body = encode({ args: [KERNEL, SESSION], kwargs: {} });
    const life = oneCall();
    life.leave();
    expect(await answer('destroy_kernel', body, life.call)).toBeUndefined();
  });

  it('does not stop work that must come to its end, which is answered as ever', async () => {
    let finish = (): void => undefined;
    const signals: AbortSignal[] = [];
    const { answer } = dispatchBench({
      destroyKernel: (_, signal) => {
        signals.push(signal);
        return new Promise((resolve) => (finish = resolve));
      },
    });
    const life = oneCall();
    const told = answer('destroy_kernel', encode({ args: [KERNEL, SESSION], kwargs: {} }), life.call);
    await new Promise((resolve) => setImmediate(resolve));
    life.leave();
    expect(signals[0]!.aborted).toBe(false);
    finish();
    expect(await told).toHaveProperty('result');
  });

  it('undoes a kernel only for the caller of our own method', async () => {
    const signals: AbortSignal[] = [];
    const { answer } = dispatchBench({
      createKernel: async (_, signal) => {
        signals.push(signal);
        await new Promise((resolve) => setTimeout(resolve, 20));
        return CREATED;
      },
    });
    const life = oneCall();
    const config = { kernel_id: KERNEL, image: 'x' };
    const many = encode({ args: [SESSION, [KERNEL], [config], {}, {}], kwargs: {} });
    const answers = [
      answer('create_kernels', many, life.call),
      answer('create_kernel', encode({ args: [config], kwargs: {} }), life.call),
    ];
    await new Promise((resolve) => setImmediate(resolve));
    life.leave();
    expect(await Promise.all(answers)).toEqual([{ result: expect.any(Uint8Array) }, undefined]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, true]);
  });

  it('of one that waits in line for its large answer does no work', async () => {
    let running = 0;
    const most: number[] = [];
    const { answer } = dispatchBench({
      logs: async function* () {
        running += 1;
        most.push(running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running -= 1;
        yield Buffer.from('a line\n');
      },
    });
    const body = encode({ args: [KERNEL], kwargs: {} });
    const lives = Array.from({ length: 40 }, oneCall);
    const answers = lives.map(({ call }) => answer('get_logs', body, call));
    for (const { leave } of lives.slice(20, 30)) leave();
    lives[35]!.close();
    const told = await Promise.all(answers);
    expect(told.filter((one) => one === undefined)).toHaveLength(10);
    expect(told[35]).toMatchObject({ failure: ['ServerShuttingDownError', expect.any(String), expect.any(String)] });
    expect(told.filter((one) => one !== undefined && 'result' in one)).toHaveLength(29);
    expect(most).toHaveLength(29);
    expect(Math.max(...most)).toBe(4);
  });

  it('by a closing server is answered', async () => {
    const { answer } = dispatchBench({ execute: (_, signal) => hanging(signal) });
    const life = oneCall();
    const told = answer('execute_code', encode({ args: [KERNEL, 'x'], kwargs: {} }), life.call);
    life.close();
    expect(await told).toMatchObject({ failure: ['ServerShuttingDownError', expect.any(String), expect.any(String)] });
  });
});
