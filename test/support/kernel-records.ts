import { parseKernelId, parseSessionId } from '../../src/domain/kernel/kernel-id.js';
import type { KernelRecord } from '../../src/domain/kernel/kernel-record.js';
import type { KernelSpec } from '../../src/domain/kernel/kernel-spec.js';

export const KERNEL_ID = parseKernelId('7f3d2c1b-0000-4000-8000-000000000001');

/** A kernel specification as small as they come. */
export function kernelSpec(changes: Partial<KernelSpec> = {}): KernelSpec {
  return {
    kernelId: KERNEL_ID,
    sessionId: parseSessionId('7f3d2c1b-0000-4000-8000-000000000002'),
    image: { canonical: 'python:3.11', isLocal: true, autoPull: 'none' },
    sessionType: 'interactive',
    clusterRole: 'main',
    clusterIdx: 1,
    clusterHostname: 'main1',
    cluster: { mode: 'single-node', size: 1, replicas: { main: 1 }, networkConfig: {} },
    identity: { supplementaryGids: [] },
    resourceSlots: { cpu: '1', mem: '536870912' },
    allowFractionalFragmentation: true,
    environ: {},
    mounts: [],
    dotfiles: [],
    preventVfolderMounts: false,
    blockServicePorts: false,
    sudoSessionEnabled: false,
    preopenPorts: [],
    agentAddr: 'tcp://127.0.0.1:6011',
    scalingGroup: 'default',
    ...changes,
  };
}

/** A record with every kind of content that a record can have. */
export function kernelRecord(changes: Partial<KernelRecord> = {}): KernelRecord {
  return {
    version: 1,
    agentId: 'i-test',
    spec: kernelSpec({
      ownerUserId: 'user-1',
      image: {
        canonical: 'registry.example/project/python:3.11',
        digest: 'sha256:00',
        architecture: 'x86_64',
        credentials: { username: 'u', password: 'p' },
        labels: { 'ai.backend.role': 'COMPUTE' },
        isLocal: false,
        autoPull: 'digest',
      },
      identity: { uid: 1000, mainGid: 1000, supplementaryGids: [10, 2] },
      cluster: {
        mode: 'multi-node',
        size: 2,
        replicas: { main: 1, 10: 1, 2: 1 },
        networkConfig: { mode: 'overlay', network_name: 'bai' },
        sshKeypair: { publicKey: 'ssh-rsa …', privateKey: '-----' },
        sshPortMapping: { main1: ['10.0.0.1', 30001] },
      },
      environ: { GREETING: 'grüß ✓ "quoted"\n', EMPTY: '' },
      mounts: [{ name: 'data', hostPath: '/srv/d', kernelPath: '/home/work/d', permission: 'rw', usageMode: 'data' }],
      dotfiles: [{ path: '.vimrc', mode: 0o644, data: 'set nu' }],
      dockerCredentials: { 'registry.example': { auth: ['a', null, 1.5] } },
      shmemBytes: 67_108_864,
      preopenPorts: [8080],
    }),
    state: 'RUNNING',
    allocation: { cpu: { cpu: { '0': '1', '1': '1' } }, mem: { mem: { root: '536870912' } } },
    slots: { cpu: '2', mem: '536870912' },
    servicePorts: [
      { name: 'jupyter', protocol: 'http', containerPorts: [8080], hostPorts: [30003], isInference: false },
    ],
    replInPort: 30001,
    replOutPort: 30002,
    containerId: 'c0ffee',
    createdAtMs: 1_700_000_000_000,
    startedAtMs: 1_700_000_001_234.5,
    terminationReason: null,
    ...changes,
  };
}
