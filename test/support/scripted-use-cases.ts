import type {
  AgentStatus,
  CreatedKernel,
  HealthReport,
  KernelView,
  UseCases,
} from '../../src/application/use-cases.js';
import { kernelNotFound } from '../../src/domain/error/errors.js';
import { parseKernelId, parseSessionId } from '../../src/domain/kernel/kernel-id.js';

export const KERNEL = parseKernelId('11111111-1111-4111-8111-111111111111');
export const SESSION = parseSessionId('22222222-2222-4222-8222-222222222222');

export const KERNEL_VIEW: KernelView = {
  kernelId: KERNEL,
  sessionId: SESSION,
  state: 'RUNNING',
  image: 'python:3.12',
  containerId: 'c0ffee',
  slots: { cpu: '1', mem: '536870912' },
  servicePorts: [{ name: 'sshd', protocol: 'tcp', containerPorts: [2200], hostPorts: [30003], isInference: false }],
  kernelHost: '127.0.0.1',
  createdAtMs: Date.UTC(2026, 0, 1),
  startedAtMs: null,
  notice: null,
};

export const CREATED: CreatedKernel = {
  kernelId: KERNEL,
  sessionId: SESSION,
  containerId: 'c0ffee',
  kernelHost: '127.0.0.1',
  replInPort: 30001,
  replOutPort: 30002,
  servicePorts: KERNEL_VIEW.servicePorts,
  allocation: { cpu: { cpu: { '0': '1' } } },
  slots: KERNEL_VIEW.slots,
  attachedDevices: {},
  mounts: [],
  agentAddr: '',
  scalingGroup: '',
  timingsMs: { start: 12 },
  created: true,
};

const DEPENDENCY = {
  ...{ group: 'container', component: 'docker', healthy: true, latencyMs: 2, error: null },
  ...{ checkedAtMs: Date.UTC(2026, 0, 1), sinceMs: Date.UTC(2026, 0, 1) },
};

export const STATUS: AgentStatus = {
  agentId: 'i-test',
  version: '0.1.0',
  ready: true,
  slots: { total: { cpu: '4' }, occupied: { cpu: '1' }, available: { cpu: '3' } },
  ports: { free: 1000, used: 1 },
  kernels: { PREPARING: 0, RUNNING: 1, RESTARTING: 0, TERMINATING: 0, TERMINATED: 0 },
  dependencies: [DEPENDENCY],
};

export const HEALTH: HealthReport = {
  ...{ status: 'ok', version: '0.1.0', dependencies: [DEPENDENCY], timestampMs: Date.UTC(2026, 0, 1) },
};

/** Use cases that answer from a script; what a test does not script, throws by name. */
export function scriptedUseCases(script: Partial<UseCases>): UseCases {
  const defaults: Partial<UseCases> = {
    status: () => STATUS,
    health: () => Promise.resolve(HEALTH),
    listKernels: () => [KERNEL_VIEW],
    getKernel: (kernelId) => {
      if (kernelId !== KERNEL) throw kernelNotFound(`kernel ${kernelId} not found`, { field: 'kernel_id' });
      return KERNEL_VIEW;
    },
    reportFault: () => undefined,
    subscribe: () => ({ [Symbol.dispose]: () => undefined }),
  };
  return new Proxy({ ...defaults, ...script } as UseCases, {
    get(target, name: string) {
      const method: unknown = Reflect.get(target, name);
      if (method === undefined) throw new Error(`${name} was not expected to be called`);
      return method;
    },
  });
}
