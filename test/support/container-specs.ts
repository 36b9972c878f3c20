import { randomUUID } from 'node:crypto';
import type { ContainerSpec } from '../../src/application/ports/container-engine.port.js';

/** Label of everything that engine tests make, so that leftovers can be found. */
export const testLabel = 'ai.backend.test';

/** A small container with a name of its own that runs a shell script. */
export function shellSpec(image: string, script: string, change: Partial<ContainerSpec> = {}): ContainerSpec {
  return {
    name: `bai-test-${randomUUID()}`,
    image,
    entrypoint: ['/bin/sh', '-c'],
    cmd: [script],
    env: {},
    workingDir: '/',
    hostname: 'test',
    labels: { [testLabel]: '1' },
    user: '',
    tty: false,
    stopSignal: 'SIGTERM',
    mounts: [],
    ports: [],
    init: false,
    capAdd: [],
    capDrop: [],
    securityOpt: [],
    groupAdd: [],
    limits: { cpusetCpus: '', cpuQuotaCores: 0, memoryBytes: 0, memorySwapBytes: 0, pids: 0, shmBytes: 0 },
    ulimits: [],
    log: { driver: 'json-file', options: {} },
    devices: [],
    deviceRequests: [],
    extraHosts: [],
    ...change,
  };
}
