import { describe, expect, it } from 'vitest';
import { KERNEL_ID, kernelSpec } from '../../../test/support/kernel-records.js';
import type { ClusterInfo } from '../kernel/kernel-spec.js';
import {
  assignedSshPort,
  checkNetworkName,
  clusterHosts,
  clusterNetwork,
  intrinsicPortsFile,
} from './cluster-network.js';

const withMapping = (sshPortMapping: NonNullable<ClusterInfo['sshPortMapping']>) =>
  kernelSpec({ clusterHostname: 'sub1', cluster: { ...kernelSpec().cluster, sshPortMapping } });

describe('clusterNetwork', () => {
  // What Managers send (lifecycle.md §9.1).
  it.each([
    [{}, { kind: 'default' }],
    [{ mode: null }, { kind: 'default' }],
    [{ mode: '' }, { kind: 'default' }],
    [{ mode: 'host' }, { kind: 'host' }],
    [
      { mode: 'bridge', network_name: 'bai-singlenode-7f3d2c1b' },
      { kind: 'named', name: 'bai-singlenode-7f3d2c1b' },
    ],
    [
      { mode: 'overlay', network_name: 'bai-multinode-7f3d2c1b', network_id: 'x1', more: { of: 'a plug-in' } },
      { kind: 'named', name: 'bai-multinode-7f3d2c1b' },
    ],
  ])('reads %j', (config, network) => {
    expect(clusterNetwork(config)).toEqual(network);
  });

  it.each([
    [{ mode: 'bridge' }, 'cluster_info.network_config.network_name'],
    [{ mode: 'bridge', network_name: 5 }, 'cluster_info.network_config.network_name'],
    [{ mode: 'bridge', network_name: 'container:abc' }, 'cluster_info.network_config.network_name'],
    [{ mode: 'overlay', network_name: 'none' }, 'cluster_info.network_config.network_name'],
    [{ mode: 'rdma', network_name: 'x' }, 'cluster_info.network_config.mode'],
    [{ mode: ['host'] }, 'cluster_info.network_config.mode'],
  ])('refuses %j', (config, field) => {
    expect(() => clusterNetwork(config)).toThrow(expect.objectContaining({ name: 'InvalidArgumentError', field }));
  });
});

describe('checkNetworkName', () => {
  it('lets no other network of the engine be named', () => {
    for (const name of ['a', 'bai-singlenode-0', 'x_y.z', 'n'.repeat(128)]) expect(checkNetworkName(name)).toBe(name);
    for (const name of ['', 'host', 'docker_gwbridge', '.x', 'a b', 'a\n', 'ü', 'n'.repeat(129)]) {
      expect(() => checkNetworkName(name)).toThrow(/is not a name/);
    }
  });
});

describe('assignedSshPort', () => {
  it('looks for the host name first, then for the name with the kernel id', () => {
    expect(assignedSshPort(kernelSpec())).toBeUndefined();
    expect(assignedSshPort(withMapping({}))).toBeUndefined();
    expect(assignedSshPort(withMapping({ other: ['10.0.0.1', 1] }))).toBeUndefined();
    const byId = { [`node-${KERNEL_ID}`]: ['10.0.0.1', 30_001] } as const;
    expect(assignedSshPort(withMapping(byId))).toBe(30_001);
    expect(assignedSshPort(withMapping({ ...byId, sub1: ['10.0.0.1', 30_002] }))).toBe(30_002);
  });
});

describe('clusterHosts', () => {
  it('names only what an engine takes: names and addresses', () => {
    const hosts = clusterHosts(
      withMapping({
        'node-1': ['10.0.0.1', 1],
        'node-2': ['fd00::2', 1],
        'node-3': ['agent.example', 1],
        'node 4': ['10.0.0.4', 1],
        'a:b': ['10.0.0.5', 1],
      }),
    );
    expect(hosts).toEqual(['node-1:10.0.0.1', 'node-2:fd00::2']);
  });
});

describe('intrinsicPortsFile', () => {
  it('is what a runner reads', () => {
    const file = intrinsicPortsFile({ replin: 30_000, replout: 30_001 });
    expect(file).toEqual({
      ...{ path: 'config/intrinsic-ports.json', mode: 0o644, owned: false },
      data: '{"replin":30000,"replout":30001}',
    });
  });
});
