import { describe, expect, it } from 'vitest';
import { parseKernelId, parseSessionId } from '../../../domain/kernel/kernel-id.js';
import { EnumWord, ImageRef } from '../dialect/wire-values.js';
import { readClusterInfo, readKernelConfig } from './kernel-creation-config.js';

const KERNEL = parseKernelId('11111111-2222-3333-4444-555555555555');
const SESSION = parseSessionId('aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee');
const CLUSTER = readClusterInfo(undefined);
const read = (config: unknown): ReturnType<typeof readKernelConfig> =>
  readKernelConfig(config, { kernelId: KERNEL, sessionId: SESSION, cluster: CLUSTER }, 'raw_configs[0]');
const small = { image: 'python:3.12' };

describe('readKernelConfig', () => {
  it('fills in what a small map leaves out', () => {
    expect(read(small)).toEqual({
      kernelId: KERNEL,
      sessionId: SESSION,
      image: { canonical: 'python:3.12', isLocal: false, autoPull: 'digest' },
      sessionType: 'interactive',
      clusterRole: 'main',
      clusterIdx: 1,
      clusterHostname: 'main1',
      cluster: { mode: 'single-node', size: 1, replicas: { main: 1 }, networkConfig: {} },
      identity: { supplementaryGids: [] },
      resourceSlots: {},
      allowFractionalFragmentation: true,
      environ: {},
      mounts: [],
      dotfiles: [],
      preventVfolderMounts: false,
      blockServicePorts: false,
      sudoSessionEnabled: false,
      preopenPorts: [],
      agentAddr: '',
      scalingGroup: 'default',
    });
  });

  it('reads everything that a Manager says', () => {
    const spec = read({
      image: {
        canonical: 'cr.example.com/stable/python:3.12',
        digest: 'sha256:abab',
        architecture: 'x86_64',
        registry: { name: 'cr.example.com', url: 'https://cr.example.com', username: 'u', password: 'p' },
        labels: { 'ai.backend.kernelspec': '1' },
        is_local: false,
        auto_pull: new EnumWord('AutoPullBehavior', 'digest'),
      },
      kernel_id: KERNEL,
      session_id: SESSION,
      owner_user_id: 'f38dea23-50fa-42a0-b5ae-338f5f4693f4',
      owner_project_id: null,
      session_type: new EnumWord('SessionTypes', 'batch'),
      cluster_mode: 'single-node',
      cluster_role: 'sub',
      cluster_idx: 2,
      cluster_hostname: 'sub2',
      uid: 1100,
      main_gid: null,
      supplementary_gids: [42],
      resource_slots: { cpu: 2, mem: '512m', 'cuda.shares': '0.5' },
      resource_opts: { shmem: '67108864', allow_fractional_resource_fragmentation: false, other: [] },
      environ: { A: '1' },
      mounts: [
        {
          name: 'v',
          vfid: 'user:x/y',
          vfsubpath: '.',
          host_path: '/m/v',
          kernel_path: '/home/work/v',
          mount_perm: new EnumWord('MountPermission', 'ro'),
          usage_mode: null,
          future: 1,
        },
      ],
      bootstrap_script: '#!/bin/sh\r\necho 1\r',
      internal_data: {
        dotfiles: [{ path: '.bashrc', perm: '644', data: 'a\r\nb' }],
        ssh_keypair: { public_key: 'PUB', private_key: 'PRV' },
        docker_credentials: { auths: {} },
        prevent_vfolder_mounts: true,
        block_service_ports: true,
        sudo_session_enabled: true,
      },
      auto_pull: new EnumWord('AutoPullBehavior', 'none'),
      preopen_ports: [8899],
      agent_addr: 'tcp://10.0.0.5:6001',
      scaling_group: 'gpu',
    });
    expect(spec).toMatchObject({
      ownerUserId: 'f38dea23-50fa-42a0-b5ae-338f5f4693f4',
      image: { digest: 'sha256:abab', credentials: { username: 'u', password: 'p' }, autoPull: 'none' },
      sessionType: 'batch',
      clusterHostname: 'sub2',
      identity: { uid: 1100, supplementaryGids: [42] },
      resourceSlots: { cpu: '2', mem: '512m', 'cuda.shares': '0.5' },
      shmemBytes: 67_108_864,
      allowFractionalFragmentation: false,
      mounts: [{ name: 'v', hostPath: '/m/v', kernelPath: '/home/work/v', permission: 'ro', usageMode: 'general' }],
      bootstrapScript: '#!/bin/sh\necho 1\n',
      dotfiles: [{ path: '.bashrc', mode: 0o644, data: 'a\nb' }],
      sshKeypair: { publicKey: 'PUB', privateKey: 'PRV' },
      dockerCredentials: { auths: {} },
      preventVfolderMounts: true,
      blockServicePorts: true,
      sudoSessionEnabled: true,
      preopenPorts: [8899],
      scalingGroup: 'gpu',
    });
    expect(spec).not.toHaveProperty('ownerProjectId');
    expect(spec.identity).not.toHaveProperty('mainGid');
  });

  it.each(['INTERACTIVE', 'Interactive', 'interactive'])('accepts the session type %s', (session_type) => {
    expect(read({ ...small, session_type }).sessionType).toBe('interactive');
  });

  it('takes the image of kernel_image_refs when the config has none', () => {
    const imageRef = new ImageRef('cr.example.com', 'stable', 'python', '3.12', 'x86_64', true);
    const spec = readKernelConfig({}, { kernelId: KERNEL, sessionId: SESSION, cluster: CLUSTER, imageRef }, 'config');
    expect(spec.image).toMatchObject({
      canonical: 'cr.example.com/stable/python:3.12',
      architecture: 'x86_64',
      isLocal: true,
    });
  });

  it('makes a session of its own for a kernel without one', () => {
    expect(readKernelConfig({ ...small, kernel_id: KERNEL }, { cluster: CLUSTER }, 'config').sessionId).toBe(KERNEL);
  });

  it.each<[unknown, string, string]>([
    [null, 'raw_configs[0]', 'a map'],
    [{}, 'raw_configs[0].image', "a map with 'canonical', or an image name"],
    [{ image: {} }, 'raw_configs[0].image.canonical', 'text'],
    [{ ...small, session_type: 'nap' }, 'raw_configs[0].session_type', 'one of interactive, batch, inference, system'],
    [{ ...small, auto_pull: 'always' }, 'raw_configs[0].auto_pull', 'one of digest, tag, none'],
    [{ ...small, resource_slots: { cpu: [] } }, 'raw_configs[0].resource_slots.cpu', 'text'],
    [{ ...small, resource_opts: { shmem: 'much' } }, 'raw_configs[0].resource_opts.shmem', 'a number'],
    [{ ...small, environ: { A: 1 } }, 'raw_configs[0].environ.A', 'text'],
    [{ ...small, preopen_ports: [8080, 70_000] }, 'raw_configs[0].preopen_ports[1]', 'at most 65535'],
    [{ ...small, mounts: [{ name: 'v' }] }, 'raw_configs[0].mounts[0].host_path', 'text'],
    [{ ...small, uid: -1 }, 'raw_configs[0].uid', 'at least 0'],
    [{ ...small, cluster_idx: 1.5 }, 'raw_configs[0].cluster_idx', 'a whole number'],
    [
      { ...small, internal_data: { dotfiles: [{ path: 'x', perm: 'rwx', data: '' }] } },
      'raw_configs[0].internal_data.dotfiles[0].perm',
      'an octal mode such as "644"',
    ],
    [{ ...small, kernel_id: SESSION }, 'raw_configs[0].kernel_id', 'the same id as in the call'],
    [{ ...small, session_id: KERNEL }, 'raw_configs[0].session_id', 'the same id as in the call'],
  ])('refuses %j, naming the key and what it may hold', (config, field, allowed) => {
    expect(() => read(config)).toThrow(expect.objectContaining({ name: 'InvalidArgumentError', field, allowed }));
  });

  it('tells every key at fault at once, and never a value', () => {
    const config = { ...small, environ: { PASSWORD: 12_345 }, uid: 'root', session_type: 'secret-word' };
    try {
      read(config);
      expect.unreachable();
    } catch (error) {
      const { message } = error as Error;
      for (const key of ['environ.PASSWORD', 'uid', 'session_type']) expect(message).toContain(key);
      expect(message).not.toMatch(/12345|root|secret-word/);
    }
  });
});

describe('readClusterInfo', () => {
  it('reads the six keys', () => {
    expect(
      readClusterInfo({
        mode: new EnumWord('ClusterMode', 'multi-node'),
        size: 2,
        replicas: { main: 1, sub: 1 },
        network_config: { mode: 'overlay', network_name: 'bai-multinode-x', plugin: { deep: true } },
        ssh_keypair: { public_key: 'PUB', private_key: 'PRV' },
        cluster_ssh_port_mapping: { 'node-1': ['10.0.0.1', 2200] },
      }),
    ).toEqual({
      mode: 'multi-node',
      size: 2,
      replicas: { main: 1, sub: 1 },
      networkConfig: { mode: 'overlay', network_name: 'bai-multinode-x', plugin: { deep: true } },
      sshKeypair: { publicKey: 'PUB', privateKey: 'PRV' },
      sshPortMapping: { 'node-1': ['10.0.0.1', 2200] },
    });
    expect(readClusterInfo({ mode: 'SINGLE_NODE' }).mode).toBe('single-node');
  });

  it('names the key at fault', () => {
    expect(() => readClusterInfo({ size: 'two' })).toThrow(expect.objectContaining({ field: 'cluster_info.size' }));
    expect(() => readClusterInfo([])).toThrow(expect.objectContaining({ field: 'cluster_info' }));
  });
});
