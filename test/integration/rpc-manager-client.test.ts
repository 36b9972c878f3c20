import { basename } from 'node:path';
import { curveKeyPair } from 'zeromq';
import { describe, expect, it } from 'vitest';
import {
  managerClient,
  type ManagerClientOptions,
  managerPythonMissing,
  OLDER_COMMONS,
} from '../support/manager-python.js';
import { type Asked, plausibleUseCases, TASK } from '../support/plausible-use-cases.js';
import { startScripted } from '../support/rpc-peer.js';
import { KERNEL, SESSION } from '../support/scripted-use-cases.js';

const missing = await managerPythonMissing();
if (missing !== undefined)
  process.stderr.write(`\nSKIPPED the RPC tests with the Manager's own client: ${missing}\n\n`);

const agent = curveKeyPair();
const manager = curveKeyPair();
const canonical = 'cr.backend.ai/stable/python:3.9-ubuntu20.04';

describe.skipIf(missing !== undefined)("the Manager's own client", () => {
  it.each<readonly [string, ManagerClientOptions]>([
    ['without keys', {}],
    ['by CURVE', { keys: { public: manager.publicKey, secret: manager.secretKey, server: agent.publicKey } }],
    ...OLDER_COMMONS.map((common) => [`of ${basename(common)}`, { common }] as const),
  ])('decodes every answer %s', async (_, options) => {
    const asked: Asked[] = [];
    const curve = options.keys && { ...agent, managerPublicKey: manager.publicKey };
    await using scripted = await startScripted(plausibleUseCases(asked), { ...(curve && { curve }) });
    const told = await managerClient(scripted.endpoint, options);
    expect(told).toMatchObject({
      ping: 'ping',
      health: { status: 'ok', component: 'agent', connectivity: { overall_healthy: true } },
      gather_hwinfo: {
        devices: [
          { device_name: 'cuda', status: 'healthy', status_info: null, metadata: { driver: '550.1' } },
          { device_name: 'tpu', status: 'unavailable', status_info: 'no driver' },
        ],
      },
      scan_gpu_alloc_map: { 'GPU-0': '0.6429' },
      check_and_pull: { [canonical]: TASK.replaceAll('-', '') },
      purge_images: {
        responses: [
          { image: canonical, error: null },
          { image: 'b:1', error: 'is in use' },
        ],
      },
      create_local_network: null,
      destroy_local_network: null,
      assign_port: 30_123,
      create_kernels: [{ id: KERNEL, container_id: 'c0ffee', repl_in_port: 30_001, agent_addr: 'tcp://10.0.0.5:6001' }],
      restart_kernel: { container_id: 'c0ffee', repl_in_port: 30_001, repl_out_port: 30_002, stdin_port: 0 },
      sync_kernel_registry: null,
      check_pulling: false,
      check_creating: true,
      check_running: true,
      execute: {
        runId: 'run-1',
        status: 'finished',
        console: [
          ['stdout', '42 ✓\n'],
          ['media', ['image/png', 'aGk=']],
        ],
      },
      interrupt_kernel: { status: 'finished' },
      trigger_batch_execution: null,
      get_completions: { result: { status: 'finished', error: null, suggestions: ['os.getcwd'] } },
      start_service: { status: 'started' },
      shutdown_service: null,
      upload_file: null,
      download_file: Buffer.alloc(2_048, 'tar').toString('hex'),
      download_single: '00ff0a',
      list_files: { errors: '', abspath: '.' },
      get_logs: { logs: 'Kernel started ✓\r\n' },
      commit: { bgtask_id: TASK, kernel: KERNEL, path: null },
      push_image: { bgtask_id: TASK, canonical },
      get_local_config: { agent: { 'abuse-report-path': '' }, watcher: {} },
      destroy_kernel: null,
      not_called: [],
      failure: ['InvalidArgumentError', expect.stringContaining('kernel_id')],
      after: 'ping',
    });
    expect(JSON.parse((told['list_files'] as { files: string }).files)).toMatchObject([
      { mode: '-rw-r--r--', size: 85, mtime: 1_795_464_249.5, filename: 'main ✓.py' },
    ]);
    const of = (name: string): readonly unknown[] => asked.find(([first]) => first === name)?.slice(1) ?? [];
    expect(of('createKernel')).toMatchObject([
      { kernelId: KERNEL, sessionId: SESSION, sessionType: 'interactive', image: { autoPull: 'tag' } },
    ]);
    expect(of('destroyKernel')).toMatchObject([{ reason: 'user-requested', suppressEvents: false }]);
    expect(of('images.commit')).toMatchObject([{ labels: { 'ai.backend.customized-image.owner': 'user:1' } }]);
    expect(of('files.upload').slice(0, 2)).toEqual([KERNEL, 'a.bin']);
    expect((of('files.upload')[2] as Uint8Array).length).toBe(1_048_576);
    const log = scripted.logger.lines.filter(({ message }) => message === 'RPC call');
    // Older Managers tell nothing of the request that they serve.
    const requestId = options.common === undefined ? 'req-from-manager' : undefined;
    expect(log[0]?.fields).toMatchObject({ method: 'ping', ...(requestId && { request_id: requestId }) });
    expect(scripted.server.counters).toMatchObject({ inFlight: 0, dropped: 0, ignored: 0 });
  });
});
