import { encode, ExtData } from '@msgpack/msgpack';
import { describe, expect, it } from 'vitest';
import { type Asked, plausibleUseCases, TASK } from '../../../../test/support/plausible-use-cases.js';
import { dispatchBench, oneCall } from '../../../../test/support/rpc-dispatch.js';
import { HEALTH, KERNEL, SESSION } from '../../../../test/support/scripted-use-cases.js';
import { agentNotReady, kernelNotFound } from '../../../domain/error/errors.js';
import { METHOD_TABLE } from './method-table.js';

const AGENT = { agent_id: 'i-lab' };
const hex = (text: string): ExtData => {
  const bytes = Buffer.from(text, 'hex');
  return new ExtData(bytes[2]!, bytes.subarray(3));
};
/** rpc.md §3.3. */
const TAG = hex(
  'c745068005953a000000000000008c1761692e6261636b656e642e636f6d6d6f6e2e7479706573948c104175746f50756c6c4265686176696f729493948c0374616794859452942e',
);
const IMAGE_REF = hex(
  'c8010407800595f9000000000000008c1861692e6261636b656e642e636f6d6d6f6e2e646f636b6572948c08496d6167655265669493942981947d94288c046e616d65948c06707974686f6e948c0770726f6a656374948c06737461626c65948c03746167948c0f332e392d7562756e747532302e3034948c087265676973747279948c0d63722e6261636b656e642e6169948c0c617263686974656374757265948c067838365f3634948c0869735f6c6f63616c94898c085f7461675f736574948c03332e399468008c0e506c6174666f726d5461675365749493942981944e7d948c055f64617461947d948c067562756e7475948c0532302e3034947373869462869475622e'.replace(
    'c80104',
    'c704',
  ),
);
const PYTHON = 'cr.backend.ai/stable/python:3.9-ubuntu20.04';
const CONFIG = {
  canonical: PYTHON,
  project: 'stable',
  architecture: 'x86_64',
  digest: 'sha256:abab',
  repo_digest: null,
  registry: { name: 'cr.backend.ai', url: 'https://cr.backend.ai', username: 'u', password: 'p' },
  labels: { 'ai.backend.kernelspec': '1' },
  is_local: false,
};

/** Every method of rpc.md §5 (and three of ours). */
const METHODS =
  'ping health health_v2 gather_hwinfo gather_hwinfo_v2 ping_kernel check_pulling check_creating check_running ' +
  'sync_kernel_registry check_and_pull create_kernels destroy_kernel interrupt_kernel get_completions get_logs ' +
  'restart_kernel execute trigger_batch_execution start_service shutdown_service get_commit_status commit push_image ' +
  'purge_images get_local_config upload_file download_file download_single list_files shutdown_agent ' +
  'create_local_network destroy_local_network reset_agent assign_port release_port scan_gpu_alloc_map update_scaling_group';

it('answers all 38 methods of the protocol', () => {
  const names = METHODS.split(' ');
  expect(names).toHaveLength(38);
  expect([...METHOD_TABLE.keys()].toSorted()).toEqual(
    [...names, 'create_kernel', 'execute_code', 'get_status'].toSorted(),
  );
});

const health = {
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
      },
    ],
    timestamp: '2026-01-01T00:00:00.000Z',
  },
};
const cuda = { status: 'healthy', status_info: null, metadata: { driver: '550.1' } };
const tpu = { status: 'unavailable', status_info: 'no driver', metadata: {} };
const pull = {
  image: {
    canonical: PYTHON,
    digest: 'sha256:abab',
    architecture: 'x86_64',
    credentials: { username: 'u', password: 'p' },
    labels: { 'ai.backend.kernelspec': '1' },
    isLocal: false,
    autoPull: 'tag',
  },
  project: 'stable',
  registryName: 'cr.backend.ai',
};

type Case = readonly [
  method: string,
  args: unknown[],
  kwargs: Record<string, unknown>,
  result: unknown,
  asked: Asked | undefined,
];

describe('each method, as a Manager sends it', () => {
  it.each<Case>([
    ['health', [], {}, health, undefined],
    ['health_v2', [], { req: {}, ...AGENT }, health, undefined],
    ['health_v2', [], { req: { future: 1 }, agent_id: null }, health, undefined],
    ['gather_hwinfo', [], AGENT, { cuda, tpu }, ['node.hardware']],
    [
      'gather_hwinfo_v2',
      [],
      { req: {}, ...AGENT },
      {
        devices: [
          { device_name: 'cuda', ...cuda },
          { device_name: 'tpu', ...tpu },
        ],
      },
      ['node.hardware'],
    ],
    ['ping_kernel', [KERNEL], AGENT, { started_at: 1_795_464_249.5 }, ['kernelCare.ping', KERNEL]],
    ['check_pulling', [PYTHON], AGENT, false, ['images.isPulling', PYTHON]],
    ['check_creating', [KERNEL], AGENT, true, ['kernelCare.isCreating', KERNEL]],
    ['check_running', [], { kernel_id: KERNEL, ...AGENT }, true, ['kernelCare.isRunning', KERNEL]],
    [
      'sync_kernel_registry',
      [[[KERNEL, SESSION]]],
      AGENT,
      null,
      ['kernelCare.syncRegistry', [{ kernelId: KERNEL, sessionId: SESSION }]],
    ],
    [
      'check_and_pull',
      [{ [PYTHON]: { ...CONFIG, auto_pull: TAG } }],
      AGENT,
      { [PYTHON]: TASK.replaceAll('-', '') },
      ['images.checkAndPull', [pull]],
    ],
    [
      'check_and_pull',
      [{ alias: { ...CONFIG, auto_pull: 'tag' } }],
      AGENT,
      { alias: TASK.replaceAll('-', '') },
      ['images.checkAndPull', [pull]],
    ],
    [
      'trigger_batch_execution',
      [SESSION, KERNEL, 'exit 0', 3.0],
      AGENT,
      null,
      ['kernelCare.triggerBatch', { kernelId: KERNEL, sessionId: SESSION, code: 'exit 0', timeoutMs: 3_000 }],
    ],
    [
      'trigger_batch_execution',
      [SESSION, KERNEL, 'exit 0'],
      { timeout: null, ...AGENT },
      null,
      ['kernelCare.triggerBatch', { kernelId: KERNEL, sessionId: SESSION, code: 'exit 0', timeoutMs: null }],
    ],
    ['shutdown_service', [KERNEL, 'ttyd'], AGENT, null, ['kernelCare.shutdownService', KERNEL, 'ttyd']],
    [
      'get_commit_status',
      [KERNEL, 'a_b.c'],
      AGENT,
      { kernel: KERNEL, status: 'ongoing' },
      ['images.commitStatus', KERNEL, 'a_b.c'],
    ],
    [
      'commit',
      [KERNEL, 'user_example.com'],
      { canonical: PYTHON, extra_labels: {}, filename: 'f.tar.gz', ...AGENT },
      { bgtask_id: TASK, kernel: KERNEL, path: 'user_example.com/f.tar.gz' },
      [
        'images.commit',
        { kernelId: KERNEL, subfolder: 'user_example.com', canonical: PYTHON, filename: 'f.tar.gz', labels: {} },
      ],
    ],
    [
      'commit',
      [KERNEL, 'user_example.com'],
      { canonical: PYTHON, extra_labels: { 'ai.backend.features': 'a "b" c' } },
      { bgtask_id: TASK, kernel: KERNEL, path: null },
      [
        'images.commit',
        {
          ...{ kernelId: KERNEL, subfolder: 'user_example.com', canonical: PYTHON, filename: null },
          labels: { 'ai.backend.features': 'a "b" c' },
        },
      ],
    ],
    [
      'push_image',
      [IMAGE_REF, { name: 'cr.backend.ai', url: 'https://cr.backend.ai', username: 'u', password: 'p' }],
      AGENT,
      { bgtask_id: TASK, canonical: PYTHON },
      ['images.push', { canonical: PYTHON, isLocal: false, credentials: { username: 'u', password: 'p' } }],
    ],
    [
      'push_image',
      [IMAGE_REF, { name: 'cr.backend.ai', url: 'https://cr.backend.ai', username: null, password: null }],
      AGENT,
      { bgtask_id: TASK, canonical: PYTHON },
      ['images.push', { canonical: PYTHON, isLocal: false }],
    ],
    [
      'purge_images',
      [['a:1', 'b:1'], false, true],
      AGENT,
      {
        responses: [
          { image: 'a:1', error: null },
          { image: 'b:1', error: 'is in use' },
        ],
      },
      ['images.purge', ['a:1', 'b:1'], { force: false, noPrune: true }],
    ],
    ['get_local_config', ['i-lab'], {}, { agent: { 'abuse-report-path': '' }, watcher: {} }, ['node.abuseReportPath']],
    [
      'upload_file',
      [KERNEL, 'a/✓.txt', Uint8Array.of(0, 1)],
      AGENT,
      null,
      ['files.upload', KERNEL, 'a/✓.txt', Uint8Array.of(0, 1)],
    ],
    [
      'download_file',
      [KERNEL, 'a'],
      AGENT,
      new Uint8Array(Buffer.alloc(2_048, 'tar')),
      ['files.downloadArchive', KERNEL, 'a'],
    ],
    ['download_single', [KERNEL, 'a'], AGENT, Uint8Array.of(0, 255, 10), ['files.downloadFile', KERNEL, 'a']],
    [
      'list_files',
      [KERNEL, '.'],
      AGENT,
      {
        files:
          '[{"mode":"-rw-r--r--","size":85,"ctime":1795464249.77,"mtime":1795464249.5,"atime":1795464250,"filename":"main ✓.py"}]',
        errors: '',
        abspath: '.',
      },
      ['files.list', KERNEL, '.'],
    ],
    ['shutdown_agent', [true], AGENT, null, undefined],
    ['create_local_network', ['bai-singlenode-x'], AGENT, null, ['networks.create', 'bai-singlenode-x']],
    ['destroy_local_network', ['bai-singlenode-x'], AGENT, null, ['networks.destroy', 'bai-singlenode-x']],
    ['reset_agent', [], {}, null, ['node.reset']],
    ['assign_port', [], AGENT, 30_123, ['networks.assignPort']],
    ['release_port', [30_123], AGENT, null, ['networks.releasePort', 30_123]],
    ['scan_gpu_alloc_map', [], AGENT, { 'GPU-0': '0.6429' }, ['node.gpuAllocations']],
    ['update_scaling_group', ['gpu', 'i-lab'], {}, null, ['node.changeResourceGroup', 'gpu']],
  ])('%s %j', async (method, args, kwargs, result, asked) => {
    const seen: Asked[] = [];
    const { call } = dispatchBench({ ...plausibleUseCases(seen), health: () => Promise.resolve(HEALTH) });
    expect(await call(method, args, kwargs)).toEqual(result);
    expect(seen).toEqual(asked === undefined ? [] : [asked]);
  });
});

describe('what is refused, before anything is done', () => {
  const text = expect.any(String);
  it.each<readonly [method: string, args: unknown[], kwargs: Record<string, unknown>, name: string, repr: string]>([
    ['ping', [new ExtData(99, Uint8Array.of(1))], {}, 'ValueError', 'msg: '],
    ['health_v2', [], AGENT, 'ValueError', `ValueError("v3 RPC body is missing the 'req' envelope field")`],
    [
      'gather_hwinfo_v2',
      [],
      { req: 3 },
      'BackendAISchemaValidationFailed',
      '<BackendAISchemaValidationFailed(400): Schema validation failed. (req must be a map)>',
    ],
    ['check_running', ['x'], AGENT, 'InvalidArgumentError', ''],
    ['get_local_config', ['i-other'], {}, 'AgentIdNotFoundError', ''],
    ['update_scaling_group', ['gpu', 'i-other'], {}, 'AgentIdNotFoundError', ''],
    ['upload_file', [KERNEL, 'a', 'text'], AGENT, 'InvalidArgumentError', 'filedata: must be bytes'],
    ['download_file', [KERNEL, 'a\0b'], AGENT, 'InvalidArgumentError', 'filepath'],
    ['restart_kernel', [SESSION, KERNEL, null, { environ: {} }], AGENT, 'InvalidArgumentError', 'updated_config'],
    ['restart_kernel', [SESSION, KERNEL, 7, {}], AGENT, 'InvalidArgumentError', 'kernel_image'],
    ['commit', [KERNEL, '../x'], { canonical: 'a:b' }, 'InvalidArgumentError', 'subdir'],
    ['commit', [KERNEL, 'x'], { filename: '..' }, 'InvalidArgumentError', 'filename'],
    ['commit', [KERNEL, 'x'], {}, 'InvalidArgumentError', 'canonical'],
    ['create_local_network', ['a b; rm'], AGENT, 'InvalidArgumentError', 'network_name'],
    ['release_port', ['x'], AGENT, 'InvalidArgumentError', 'port_no: must be a'],
    ['sync_kernel_registry', [[[KERNEL]]], AGENT, 'InvalidArgumentError', 'raw_kernel_session_ids'],
    ['trigger_batch_execution', [SESSION, KERNEL, 'x'], {}, 'TypeError', "'timeout_seconds'"],
    ['trigger_batch_execution', [SESSION, KERNEL, 'x', -1], {}, 'InvalidArgumentError', 'timeout_seconds'],
    ['check_and_pull', [{ a: 3 }], AGENT, 'InvalidArgumentError', 'image_configs.a'],
    ['purge_images', ['a:1', false, false], AGENT, 'InvalidArgumentError', 'image_canonicals'],
  ])('%s %j', async (method, args, kwargs, name, repr) => {
    const seen: Asked[] = [];
    const { call } = dispatchBench(plausibleUseCases(seen));
    expect(await call(method, args, kwargs)).toEqual([name, expect.stringContaining(repr), text]);
    expect(seen).toEqual([]);
  });

  it('never says that a kernel does not run as long as it is not known', async () => {
    const kernelCare = {
      ...plausibleUseCases().kernelCare!,
      isRunning: () => {
        throw agentNotReady('kernels are being looked for');
      },
      ping: () => Promise.reject(kernelNotFound('kernel not found')),
    };
    const { call } = dispatchBench({ kernelCare });
    expect(await call('check_running', [KERNEL])).toEqual(['NotReadyError', text, text]);
    expect(await call('ping_kernel', [KERNEL])).toEqual(['KernelNotFoundError', text, text]);
  });
});

it('decodes label names that are enumeration members', async () => {
  const seen: Asked[] = [];
  const { answer } = dispatchBench(plausibleUseCases(seen), 'i-x');
  // The recorded commit of rpc.md §8.
  const body = Buffer.from(
    '83a46172677392d92431313131313131312d323232322d333333332d343434342d353535353535353535353535b0757365725f6578616d706c652e636f6da66b776172677383a963616e6f6e6963616cbd63722e6261636b656e642e61692f737461626c652f707974686f6e3a78ac65787472615f6c6162656c7381c75d0680059552000000000000008c1861692e6261636b656e642e636f6d6d6f6e2e646f636b6572948c094c6162656c4e616d659493948c2161692e6261636b656e642e637573746f6d697a65642d696d6167652e6f776e657294859452942ea6757365723a31a86167656e745f6964a3692d78a86d6574616461746184aa726571756573745f6964c0a475736572c0ae7472696767657265645f75736572c0ab7472616365706172656e74c0',
    'hex',
  );
  expect(await answer('commit', body)).toHaveProperty('result');
  expect(seen).toMatchObject([['images.commit', { labels: { 'ai.backend.customized-image.owner': 'user:1' } }]]);
});

it('gives a port back that its caller did not wait for', async () => {
  const seen: Asked[] = [];
  const life = oneCall();
  const told = dispatchBench(plausibleUseCases(seen)).answer(
    'assign_port',
    encode({ args: [], kwargs: {} }),
    life.call,
  );
  life.leave();
  expect(await told).toBeUndefined();
  expect(seen).toEqual([['networks.assignPort'], ['networks.releasePort', 30_123]]);
});

it('tells of faults of ours, and of nothing else', async () => {
  const told: unknown[] = [];
  const { answer, logger } = dispatchBench({
    ...plausibleUseCases(),
    reportFault: (error, context) => told.push([(error as Error).message, context]),
    interrupt: () => Promise.reject(kernelNotFound('kernel not found')),
    destroyKernel: () => Promise.reject(new Error('boom')),
  });
  const body = (args: unknown[]): Uint8Array => encode({ args, kwargs: {}, metadata: { request_id: 'req-1' } });
  await answer('interrupt_kernel', body([KERNEL]));
  await answer('no_such_method', body([]));
  expect(told).toEqual([]);
  await answer('destroy_kernel', body([KERNEL, SESSION]));
  expect(told).toEqual([['boom', { rpc_method: 'destroy_kernel', request_id: 'req-1' }]]);
  expect(logger.lines.at(-1)).toMatchObject({
    level: 'error',
    fields: { method: 'destroy_kernel', peer: 'ab', request_id: 'req-1', outcome: 'InternalError', error: 'boom' },
  });
});
