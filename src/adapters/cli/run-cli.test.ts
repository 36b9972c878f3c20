import { afterEach, describe, expect, test } from 'vitest';
import { fakeAgent, type FakeAgent, keptEvents, say, startCli } from '../../../test/support/cli-harness.js';
import { KERNEL_VIEW, scriptedUseCases, STATUS } from '../../../test/support/scripted-use-cases.js';
import { startServer, type StartedServer, TOKEN } from '../../../test/support/http-server.js';
import type { UseCases } from '../../application/use-cases.js';
import { configurationInvalid, kernelNotFound, portPoolExhausted } from '../../domain/error/errors.js';
import { parseKernelId } from '../../domain/kernel/kernel-id.js';

const COMMANDS = [
  'quickstart',
  'run',
  'create',
  'restart',
  'destroy',
  'execute',
  'logs',
  'kernels',
  'status',
  'health',
  'events',
  'start-server',
];

describe('without an agent', () => {
  test.each([...COMMANDS, 'config check', 'config show', 'config sample'])(
    'ag %s --help shows options and examples',
    async (command) => {
      const run = startCli(['ag', ...command.split(' '), '--help']);
      expect(await run.status).toBe(0);
      expect(run.stdout()).toContain('--config <file>');
      expect(run.stdout()).toContain(`Examples:\n  ./backend.ai ag ${command}`);
      expect(run.stderr()).toBe('');
    },
  );

  test('--version', async () => {
    const run = startCli(['--version']);
    expect(await run.status).toBe(0);
    expect(run.stdout()).toBe('9.9.9\n');
  });

  test.each([
    [[]],
    [['ag']],
    [['ag', 'config']],
    [['ag', 'frobnicate']],
    [['ag', 'destroy']],
    [['ag', 'logs', '--tail', 'x', 'a']],
  ])('%j is wrong usage', async (argv) => {
    const run = startCli(argv);
    expect(await run.status).toBe(2);
    expect(run.stderr()).toMatch(/error: .*\n {2}→ .*\n$/);
    expect(run.stdout()).toBe('');
  });

  test.each([
    ['kernels'],
    ['status'],
    ['create'],
    ['execute', 'a', '-c', 'x'],
    ['events'],
    ['logs', 'a'],
    ['destroy', 'a'],
  ])('ag %s says that no agent runs', async (...argv) => {
    const run = startCli(['ag', ...argv]);
    expect(await run.status).toBe(3);
    expect(run.stderr()).toContain('error: no agent runs on this host (nothing listens at 127.0.0.1:1)');
    expect(run.stderr()).toContain('→ start one with "backend.ai ag start-server"');
  });

  test('config', async () => {
    const show = startCli(['ag', 'config', 'show']);
    expect(await show.status).toBe(0);
    expect(show.stdout()).toBe('agent.id = "i-1"  # env X\n');
    const json = startCli(['ag', 'config', 'show', '--json']);
    await json.status;
    expect(JSON.parse(json.stdout())).toEqual([{ key: 'agent.id', value: 'i-1', origin: 'env X' }]);
    const sample = startCli(['ag', 'config', 'sample']);
    await sample.status;
    expect(sample.stdout()).toBe('[agent]\n');
    const broken = startCli(['ag', 'config', 'check'], {
      setup: {
        loadConfig: () => {
          throw configurationInvalid('invalid configuration, 2 errors:\n  a\n  b', { hint: 'correct it' });
        },
      },
    });
    expect(await broken.status).toBe(2);
    expect(broken.stderr()).toBe('error: invalid configuration, 2 errors:\n  a\n  b\n  → correct it\n');
  });

  test('start-server gets its options and the signal to stop, and its exit status is ours', async () => {
    let seen: unknown;
    const startServer = (request: unknown, signal: AbortSignal): Promise<number> => {
      seen = request;
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(0)));
    };
    const run = startCli(['ag', 'start-server', '--config', 'a.toml', '--log-level', 'debug'], {
      setup: { startServer },
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    run.press('SIGTERM');
    expect(await run.status).toBe(0);
    expect(seen).toEqual({ file: 'a.toml', logLevel: 'debug' });
    const wrong = startCli(['ag', 'start-server', '--log-level', 'loud'], { setup: { startServer } });
    expect(await wrong.status).toBe(2);
    const failing = startCli(['ag', 'start-server'], { setup: { startServer: () => Promise.resolve(3) } });
    expect(await failing.status).toBe(3);
  });
});

describe('against a running agent', () => {
  let server: StartedServer | undefined;
  afterEach(async () => {
    await server?.[Symbol.asyncDispose]();
    server = undefined;
  });

  async function cli(useCases: UseCases, argv: readonly string[], stdin?: string) {
    server ??= await startServer(useCases);
    const run = startCli(['ag', ...argv], {
      address: server.addresses[0]!,
      token: TOKEN,
      ...(stdin === undefined ? {} : { stdin }),
    });
    return { status: await run.status, stdout: run.stdout(), stderr: run.stderr() };
  }
  const json = (text: string): unknown => JSON.parse(text);

  test('kernels as a table and as JSON', async () => {
    const useCases = scriptedUseCases({ listKernels: () => [{ ...KERNEL_VIEW, image: 'evil\u001b[2Jimage' }] });
    const table = await cli(useCases, ['kernels']);
    expect(table.stdout.split('\n')[0]).toMatch(/^KERNEL +STATE +IMAGE +SLOTS +SERVICES +STARTED/);
    expect(table.stdout).toContain('11111111-1111  RUNNING  evil?[2Jimage');
    expect(table.stdout).toContain('cpu=1 mem=536870912  sshd:30003');
    expect(json((await cli(useCases, ['kernels', '--json'])).stdout)).toEqual([
      {
        ...{
          kernel_id: KERNEL_VIEW.kernelId,
          session_id: KERNEL_VIEW.sessionId,
          state: 'RUNNING',
          container_id: 'c0ffee',
        },
        ...{ image: 'evil\u001b[2Jimage', slots: KERNEL_VIEW.slots, started_at: null },
        service_ports: [
          { name: 'sshd', protocol: 'tcp', container_ports: [2200], host_ports: [30003], is_inference: false },
        ],
      },
    ]);
  });

  test('status', async () => {
    const document = await cli(scriptedUseCases({}), ['status', '--json']);
    expect(json(document.stdout)).toEqual({
      ...{
        agent_id: 'i-test',
        version: '0.1.0',
        ready: true,
        slots: STATUS.slots,
        ports: STATUS.ports,
        kernels: STATUS.kernels,
      },
      dependencies: [{ group: 'container', component: 'docker', healthy: true, latency_ms: 2, error: null }],
    });
    const text = await cli(scriptedUseCases({}), ['status']);
    expect(text.stdout).toContain('agent i-test, version 0.1.0: ready');
    expect(text.stdout).toMatch(/cpu +4 +1 +3/);
    expect(text.stdout).toContain('kernels: 1 RUNNING');
  });

  test('health: a table and a document, and status 1 when something is wrong', async () => {
    const at = Date.UTC(2026, 0, 1);
    const dependency = { component: 'etcd', group: 'etcd', checkedAtMs: at, sinceMs: at };
    const degraded = scriptedUseCases({
      health: () =>
        Promise.resolve({
          ...{ status: 'degraded', version: '0.1.0', timestampMs: at },
          dependencies: [
            { ...dependency, healthy: false, latencyMs: null, error: 'away\u001b[2J' },
            { ...dependency, group: 'redis', component: 'stat', healthy: true, latencyMs: 1.25, error: null },
          ],
        }),
    });
    const table = await cli(degraded, ['health']);
    expect(table.status).toBe(1);
    expect(table.stdout).toMatch(/^degraded\n\nDEPENDENCY +STATE +LATENCY +SINCE/);
    expect(table.stdout).toMatch(/etcd\/etcd +FAILING +- +2026-01-01 00:00:00 +away\?\[2J/);
    expect(table.stdout).toMatch(/redis\/stat +ok +1\.3 ms/);
    const document = await cli(degraded, ['health', '--json']);
    expect(document.status).toBe(1);
    expect(json(document.stdout)).toMatchObject({
      status: 'degraded',
      dependencies: [
        { group: 'etcd', component: 'etcd', healthy: false, since: '2026-01-01T00:00:00.000Z' },
        { group: 'redis', healthy: true, latency_ms: 1.25 },
      ],
    });
  });

  test('health: status 0 when all is well', async () => {
    const { status, stdout } = await cli(scriptedUseCases({}), ['health']);
    expect({ status, head: stdout.split('\n')[0] }).toEqual({ status: 0, head: 'ok' });
  });

  test('create, execute with state, restart, destroy by a beginning of the id', async () => {
    const runs: string[] = [];
    const agent: FakeAgent = fakeAgent((call) => (runs.push(call.code), say(['stdout', `${runs.length}\n`])));
    const created = await cli(agent.useCases, ['create', '--json', '--image', 'a:1', '--port', '8000']);
    expect(json(created.stdout)).toMatchObject({
      kernel_id: '00000000-0000-4000-8000-000000000001',
      service_ports: [{ name: '8000', protocol: 'preopen', container_ports: [8000], host_ports: [30100] }],
    });
    expect(await cli(agent.useCases, ['execute', '0000', '-c', 'x = 1'])).toEqual({
      status: 0,
      stdout: '1\n',
      stderr: '',
    });
    const second = await cli(agent.useCases, ['execute', '--json', '00000000-0000', '-'], 'x');
    expect(json(second.stdout)).toMatchObject({
      kernel_id: '00000000-0000-4000-8000-000000000001',
      image: 'a:1',
      status: 'finished',
      console: [['stdout', '2\n']],
    });
    expect(runs).toEqual(['x = 1', 'x']);
    expect((await cli(agent.useCases, ['restart', '0'])).stdout).toBe('00000000-0000-4000-8000-000000000001\n');
    expect((await cli(agent.useCases, ['destroy', '0'])).status).toBe(0);
    expect(agent.calls).toEqual(['create', 'restart', 'destroy']);
  });

  test('ag run uses the running agent, and starts none', async () => {
    const agent = fakeAgent(() => say(['stdout', 'remote\n']));
    const run = await cli(agent.useCases, ['run', '-c', 'x']);
    expect(run).toMatchObject({ status: 0, stdout: 'remote\n' });
    expect(run.stderr).toContain('agent: the one that runs here');
    expect(agent.calls).toEqual(['create', 'destroy']);
  });

  test('a wrong token is not mistaken for no agent', async () => {
    server = await startServer(scriptedUseCases({}));
    const run = startCli(['ag', 'run', '-c', 'x'], { address: server.addresses[0]!, token: 'wrong-token-0123' });
    expect(await run.status).toBe(3);
    expect(run.stderr()).toContain('the agent refuses this token');
  });

  test('ids that fit none, several, or nothing at all', async () => {
    const ids = ['aa000000-0000-4000-8000-000000000001', 'aa000000-0000-4000-8000-000000000002'].map((id) =>
      parseKernelId(id),
    );
    const useCases = scriptedUseCases({ listKernels: () => ids.map((kernelId) => ({ ...KERNEL_VIEW, kernelId })) });
    for (const [id, message] of [
      ['aa', 'begins 2 kernel ids: aa0'],
      ['bb', "there is no kernel 'bb'"],
      ['zz', 'is no kernel id'],
      ['-', 'no kernel id'],
    ] as const) {
      const run = await cli(useCases, ['logs', id]);
      expect(run.status).toBe(2);
      expect(run.stderr).toContain(message);
    }
  });

  test('destroying several: each is tried, the worst decides', async () => {
    const ids = ['a', 'b', 'c'].map((digit) => parseKernelId(`${digit.repeat(8)}-0000-4000-8000-000000000000`));
    const destroyed: string[] = [];
    const useCases = scriptedUseCases({
      listKernels: () => ids.map((kernelId) => ({ ...KERNEL_VIEW, kernelId })),
      getKernel: (kernelId) => ({ ...KERNEL_VIEW, kernelId }),
      destroyKernel: ({ kernelId }) => {
        destroyed.push(kernelId.slice(0, 1));
        if (kernelId.startsWith('a')) return Promise.reject(portPoolExhausted('engine away'));
        return kernelId.startsWith('b') ? Promise.reject(kernelNotFound('gone')) : Promise.resolve();
      },
    });
    const run = await cli(useCases, ['destroy', 'a', 'b', 'c']);
    expect(run.status).toBe(3);
    expect(destroyed).toEqual(['a', 'b', 'c']);
    expect(run.stderr).toContain('error: engine away');
    expect(run.stderr).toContain(`✓ destroy ${ids[2]!}`);
  });

  test('logs go to stdout as they are', async () => {
    const useCases = scriptedUseCases({
      logs: async function* () {
        yield await Promise.resolve(Buffer.from('a\u001b[31m'));
        yield Buffer.from([0xff, 0x0a]);
      },
    });
    expect((await cli(useCases, ['logs', '1111'])).stdout).toBe(
      Buffer.concat([Buffer.from('a\u001b[31m'), Buffer.from([0xff, 0x0a])]).toString(),
    );
  });

  test('events: a line each, or JSON lines; -f ends by Ctrl-C as a success', async () => {
    const kept = keptEvents([
      {
        ...{ id: 7, timestampMs: Date.UTC(2026, 0, 1, 12), source: 'i-test' },
        event: {
          name: 'kernel_stage',
          body: {
            kernel_id: KERNEL_VIEW.kernelId,
            session_id: KERNEL_VIEW.sessionId,
            stage: 'image',
            elapsed_ms: 5,
            message: 'a\nb',
          },
        },
      },
    ]);
    const useCases = scriptedUseCases({ subscribe: kept });
    expect((await cli(useCases, ['events'])).stdout).toBe(
      '12:00:00.000 kernel_stage 11111111-1111 stage=image elapsed_ms=5 message=a?b\n',
    );
    expect(json((await cli(useCases, ['events', '--json'])).stdout)).toMatchObject({
      id: 7,
      name: 'kernel_stage',
      body: { stage: 'image' },
    });
    const run = startCli(['ag', 'events', '-f'], { address: server!.addresses[0]!, token: TOKEN });
    await run.until('kernel_stage');
    run.press('SIGINT');
    expect(await run.status).toBe(0);
  });
});
