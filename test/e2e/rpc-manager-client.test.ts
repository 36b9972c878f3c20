import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { AgentHome } from '../support/agent-home.js';
import type { Daemon } from '../support/daemon.js';
import { testImage } from '../support/images.js';
import { managerOnAgent, managerPythonMissing, OLDER_COMMONS } from '../support/manager-python.js';

/** As in test/fixtures/rpc/manager_client.py and manager_on_agent.py. */
const KERNEL = '11111111-1111-4111-8111-111111111111';
const OTHER = '33333333-3333-4333-8333-333333333333';
const NOBODY = '44444444-4444-4444-8444-444444444444';
/** Those that fail for a kernel which is not here. */
const KERNEL_METHODS = [
  ...['ping_kernel', 'interrupt_kernel', 'get_completions', 'get_logs', 'restart_kernel', 'execute', 'start_service'],
  ...['get_commit_status', 'commit', 'upload_file', 'download_file', 'download_single', 'list_files'],
];

const NUMBER: unknown = expect.any(Number);
const UUID: unknown = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const CONTAINER: unknown = expect.stringMatching(/^[0-9a-f]{64}$/);
const failure = (name: string): unknown => ({ failure: name, repr: expect.stringContaining(name) as string });

const missing = await managerPythonMissing();
if (missing !== undefined)
  process.stderr.write(`\nSKIPPED a real agent under the Manager's own client: ${missing}\n\n`);

interface Created {
  readonly container_id: string;
  readonly repl_in_port: number;
  readonly service_ports: readonly unknown[];
}

interface Told {
  readonly creation: { readonly created: readonly [Created, Created] };
  readonly restart: { readonly restarted: Created; readonly asked: number };
  readonly use: { readonly list_files: { readonly files: string } };
  readonly images: Readonly<Record<'commit' | 'push_image' | 'push_absent', { readonly bgtask_id: string }>> & {
    readonly check_and_pull: Readonly<Record<'here' | 'none' | 'tag', string>>;
  };
}

const releases = [
  ['26.9.6', undefined],
  ...OLDER_COMMONS.map((folder) => [basename(folder), folder] as const),
] as const;

describe.skipIf(missing !== undefined).each(releases)(
  "a real agent under the client of a Manager's library %s",
  (_, common) => {
    let image: string;
    beforeAll(async () => {
      image = await testImage('python');
    });

    it('does all that can be asked of it', { timeout: 120_000 }, async () => {
      await using home = await AgentHome.make();
      await using daemon = await home.startDaemon();
      const endpoint = `tcp://127.0.0.1:${home.rpcPort}`;
      const told = await managerOnAgent(endpoint, { agent: home.agentId, image, common });
      const { created } = (told as unknown as Told).creation;
      expect(told).toMatchObject({
        agent: {
          ping: 'ping',
          health: { status: 'ok', component: 'agent' },
          health_v2: { status: 'ok', component: 'agent' },
          gather_hwinfo: {},
          gather_hwinfo_v2: { devices: [] },
          get_local_config: { agent: { 'abuse-report-path': '' }, watcher: {} },
          scan_gpu_alloc_map: {},
          assign_port: 2,
          release_port: [null, null, null, null, null],
          update_scaling_group: null,
          shutdown_agent: null,
          still: 'ping',
        },
        nobody: {
          check_creating: false,
          check_running: false,
          ...Object.fromEntries(KERNEL_METHODS.map((method) => [method, failure('KernelNotFoundError')])),
          shutdown_service: null,
          destroy_kernel: null,
          trigger_batch_execution: null,
        },
        creation: {
          network: [null, null],
          created: [
            { id: KERNEL, container_id: CONTAINER, repl_in_port: NUMBER },
            { id: OTHER, container_id: CONTAINER },
          ],
          ...{ same: true, check_creating: true, check_running: true, neighbour: 'True\n' },
          in_use: failure('ContainerEngineConflictError'),
        },
        use: {
          ping_kernel: { started_at: NUMBER },
          ...{ execute: '42 ✓\n', interrupt_kernel: { status: 'finished' }, interrupted: true },
          get_completions: {
            result: { status: 'finished', error: null, suggestions: expect.arrayContaining(['print(']) },
          },
          get_logs: { logs: expect.stringContaining('serving') },
          start_service: { status: expect.stringMatching(/^(started|running)$/) },
          no_service: { status: 'failed', error: 'invalid service name' },
          shutdown_service: [null, null],
          list_files: { errors: '', abspath: 'a' },
          download_file: [[expect.stringContaining('b ✓.bin'), 1_024_000]],
          download_single: true,
          escapes: [failure('PermissionError'), failure('PermissionError')],
        },
        restart: {
          restarted: {
            container_id: CONTAINER,
            repl_in_port: NUMBER,
            repl_out_port: NUMBER,
            stdin_port: 0,
            stdout_port: 0,
          },
          ...{ once: true, running: true, late: 'kept False\n', neighbour: 'True\n', other: true },
          changed: { failure: 'InvalidArgumentError', repr: expect.stringContaining('updated_config') },
        },
        images: {
          commit: { bgtask_id: UUID, kernel: KERNEL, path: null },
          committed_twice: failure('ImageCommitError'),
          commit_status: ['ongoing', 'ready'],
          check_and_pull: { here: expect.stringMatching(/^[0-9a-f]{32}$/) },
          check_pulling: expect.any(Boolean),
          push_image: { bgtask_id: UUID, canonical: image },
          purge_images: {
            responses: [
              { error: null },
              { error: expect.stringContaining('no image') },
              { image, error: expect.any(String) },
            ],
          },
        },
        end: {
          ...{ spared: [true, true], destroy_kernel: [null, null], gone: false, reset_agent: null, reset: false },
          network: [null, null],
        },
        other_agent: failure('AgentIdNotFoundError'),
        unknown: failure('NotImplementedError'),
      });
      expect(JSON.parse((told as unknown as Told).use.list_files.files)).toMatchObject([
        { filename: 'b ✓.bin', size: 1_024_000, mode: expect.stringMatching(/^-rw/) },
      ]);
      expect((told as unknown as Told).restart.asked).toBeGreaterThan(0);
      expect(JSON.parse(await readFile(join(home.stateFolder, 'resource-group.json'), 'utf8'))).toMatchObject({
        resourceGroup: 'gpu-nodes',
      });
      expect(created[0].container_id).not.toBe(created[1].container_id);
      await expectRestart(daemon, created[0], (told as unknown as Told).restart.restarted);
      await expectTold(daemon, (told as unknown as Told).images);
      expect(await home.containers()).toEqual([]);
      expect((await home.scratches()).filter((name) => !name.startsWith('.'))).toEqual([]);
      expect(daemon.log.filter(({ level }) => level === 'error')).toEqual([]);
    });
  },
);

/** A new container where the old one was, told once more, and no end of the old one. */
async function expectRestart(daemon: Daemon, made: Created, remade: Created): Promise<void> {
  expect(remade.container_id).not.toBe(made.container_id);
  expect(remade.service_ports).toEqual(made.service_ports);
  const events = await daemon.events(0, `&kernel_id=${KERNEL}`);
  const told = events.filter(({ name }) => name === 'kernel_started').map(({ body }) => body['creation_info']);
  expect(told).toMatchObject([
    { container_id: made.container_id, repl_in_port: made.repl_in_port, service_ports: made.service_ports },
    { container_id: remade.container_id, repl_in_port: remade.repl_in_port, service_ports: remade.service_ports },
  ]);
  expect(await daemon.story(KERNEL)).toEqual([
    ...['kernel_preparing', 'kernel_creating', 'kernel_started', 'kernel_started', 'kernel_terminated'],
    // It was destroyed once more, by a Manager that may have missed its end.
    'kernel_terminated',
  ]);
}

/** What the Manager learns by events alone. */
async function expectTold(daemon: Daemon, images: Told['images']): Promise<void> {
  const events = await daemon.events();
  const ends = (kernel: string) =>
    events.flatMap(({ name, body }) =>
      name === 'kernel_terminated' && body['kernel_id'] === kernel ? [body['reason']] : [],
    );
  expect([KERNEL, OTHER, NOBODY].map(ends)).toEqual([
    ['force-terminated', 'already-terminated'],
    ['agent-termination'],
    ['already-terminated', 'already-terminated'],
  ]);
  const endOf = (task: string) =>
    events.find(
      ({ name, body }) =>
        /^bgtask_(done|failed|cancelled)$/.test(name) && String(body['task_id']).replaceAll('-', '') === task,
    )?.name;
  const { commit, push_image: push, push_absent: absent, check_and_pull: pulls } = images;
  const tasks = [commit.bgtask_id, push.bgtask_id, absent.bgtask_id, pulls.here, pulls.none, pulls.tag];
  expect(tasks.map((task) => endOf(task.replaceAll('-', '')))).toEqual([
    ...['bgtask_done', 'bgtask_done', 'bgtask_failed', 'bgtask_done', 'bgtask_failed', 'bgtask_failed'],
  ]);
  expect(events.filter(({ name }) => name === 'image_pull_failed')).toHaveLength(2);
  expect(events.filter(({ name }) => name.startsWith('session_')).map(({ body }) => body)).toMatchObject([
    { session_id: NOBODY, reason: 'task-failed' },
    { reason: 'task-failed', exit_code: 3 },
  ]);
}
