import type {
  CommitRequest,
  ExecuteRequest,
  FileEntry,
  HardwareInfo,
  PullRequest,
  UseCases,
} from '../../src/application/use-cases.js';
import type { ExecutionResult } from '../../src/domain/execution/execution.js';
import type { KernelId } from '../../src/domain/kernel/kernel-id.js';
import type { KernelSpec } from '../../src/domain/kernel/kernel-spec.js';
import { CREATED } from './scripted-use-cases.js';

/** What was asked of the use cases, in order: `images.commit` and its arguments without the signal. */
export type Asked = readonly [name: string, ...args: unknown[]];

export const TASK = '5f1d3c1e-8a3f-4f0e-9b1a-1c2d3e4f5a6b';
export const RUN: ExecutionResult = {
  ...{ runId: 'run', status: 'finished', exitCode: 0, options: null },
  console: [
    ['stdout', '42 ✓\n'],
    ['media', ['image/png', 'aGk=']],
  ],
};
const ENTRY: FileEntry = {
  ...{ mode: '-rw-r--r--', sizeBytes: 85, name: 'main ✓.py' },
  ...{ changedAtMs: 1_795_464_249_770, modifiedAtMs: 1_795_464_249_500, accessedAtMs: 1_795_464_250_000 },
};

/** Use cases that all succeed with values such as an agent at work has, and write down what they were asked. */
export function plausibleUseCases(asked: Asked[] = []): Partial<UseCases> {
  const told =
    <Args extends unknown[], Result>(name: string, answer: (...args: Args) => Result) =>
    (...args: Args): Result => {
      asked.push([name, ...args.filter((arg) => !(arg instanceof AbortSignal))]);
      return answer(...args);
    };
  const done = (): Promise<void> => Promise.resolve();
  return {
    createKernel: told('createKernel', ({ kernelId, sessionId, agentAddr, scalingGroup }: KernelSpec) =>
      Promise.resolve({ ...CREATED, kernelId, sessionId, agentAddr, scalingGroup }),
    ),
    destroyKernel: told('destroyKernel', done),
    restartKernel: told('restartKernel', () => Promise.resolve(CREATED)),
    execute: told('execute', ({ runId }: ExecuteRequest) => Promise.resolve({ ...RUN, runId: runId ?? 'made-here' })),
    usage: told('usage', () => undefined),
    interrupt: told('interrupt', done),
    complete: told('complete', () => Promise.resolve(['os.getcwd'])),
    startService: told('startService', (_: KernelId, service: string) =>
      Promise.resolve(
        service === 'jupyter'
          ? { status: 'failed' as const, error: 'not in the image' }
          : { status: 'started' as const },
      ),
    ),
    logs: told('logs', async function* () {
      await Promise.resolve();
      yield Buffer.from('Kernel started ✓\r\n');
    }),
    kernelCare: {
      isCreating: told('kernelCare.isCreating', () => true),
      isRunning: told('kernelCare.isRunning', () => true),
      ping: told('kernelCare.ping', () => Promise.resolve({ startedAt: 1_795_464_249.5 })),
      syncRegistry: told('kernelCare.syncRegistry', done),
      triggerBatch: told('kernelCare.triggerBatch', done),
      shutdownService: told('kernelCare.shutdownService', done),
    },
    images: {
      isPulling: told('images.isPulling', () => false),
      checkAndPull: told('images.checkAndPull', (images: readonly PullRequest[]) =>
        Promise.resolve(new Map(images.map(({ image }) => [image.canonical, TASK]))),
      ),
      push: told('images.push', () => Promise.resolve(TASK)),
      purge: told('images.purge', (canonicals: readonly string[]) =>
        Promise.resolve(canonicals.map((image, index) => ({ image, error: index === 1 ? 'is in use' : null }))),
      ),
      commit: told('images.commit', ({ subfolder, filename }: CommitRequest) =>
        Promise.resolve({ taskId: TASK, path: filename === null ? null : `${subfolder}/${filename}` }),
      ),
      commitStatus: told('images.commitStatus', () => 'ongoing' as const),
    },
    files: {
      upload: told('files.upload', done),
      downloadArchive: told('files.downloadArchive', () => Promise.resolve(Buffer.alloc(2_048, 'tar'))),
      downloadFile: told('files.downloadFile', () => Promise.resolve(Uint8Array.of(0, 255, 10))),
      list: told('files.list', (_: KernelId, path: string) => Promise.resolve({ files: [ENTRY], errors: '', path })),
    },
    networks: {
      create: told('networks.create', done),
      destroy: told('networks.destroy', done),
      assignPort: told('networks.assignPort', () => Promise.resolve(30_123)),
      releasePort: told('networks.releasePort', () => undefined),
    },
    node: {
      hardware: told('node.hardware', () =>
        Promise.resolve<HardwareInfo[]>([
          { deviceName: 'cuda', status: 'healthy', statusInfo: null, metadata: { driver: '550.1' } },
          { deviceName: 'tpu', status: 'unavailable', statusInfo: 'no driver', metadata: {} },
        ]),
      ),
      gpuAllocations: told('node.gpuAllocations', () => ({ 'GPU-0': '0.6429' })),
      abuseReportPath: told('node.abuseReportPath', () => ''),
      reset: told('node.reset', done),
      changeResourceGroup: told('node.changeResourceGroup', done),
    },
  };
}
