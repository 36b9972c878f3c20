import { expect, it } from 'vitest';
import { shellSpec } from '../../../test/support/container-specs.js';
import { containerCreateRequest } from './container-create-request.js';

it('has every field under the name that the engine knows', () => {
  const spec = shellSpec('img:1', 'true', {
    name: 'kernel.img.1',
    env: { A: 'b=c', B: '' },
    workingDir: '/home/work',
    hostname: 'main1',
    user: '1000:1000',
    tty: true,
    stopSignal: 'SIGINT',
    init: true,
    mounts: [
      { type: 'bind', source: '/scratch', target: '/home/work', readOnly: false },
      { type: 'volume', source: 'krunner', target: '/opt', readOnly: true },
      { type: 'tmpfs', source: '', target: '/tmp', readOnly: false },
    ],
    ports: [
      { containerPort: 2000, hostPort: 30000, hostIp: '127.0.0.1' },
      { containerPort: 8080, hostPort: 30001, hostIp: '0.0.0.0' },
      { containerPort: 8080, hostPort: 30002, hostIp: '127.0.0.1' },
    ],
    network: { name: 'cluster', aliases: ['main1'] },
    capAdd: ['SYS_NICE'],
    capDrop: ['ALL'],
    securityOpt: ['no-new-privileges'],
    groupAdd: ['44'],
    limits: {
      cpusetCpus: '0,2',
      cpuQuotaCores: 0.25,
      memoryBytes: 1000,
      memorySwapBytes: 1000,
      pids: 64,
      shmBytes: 512,
    },
    ulimits: [{ name: 'nofile', soft: 1, hard: 2 }],
    log: { driver: 'local', options: { 'max-size': '2m' } },
    devices: [{ hostPath: '/dev/a', containerPath: '/dev/b', permissions: 'rw' }],
    deviceRequests: [{ driver: 'nvidia', deviceIds: ['GPU-1'], capabilities: [['gpu']] }],
    extraHosts: ['sub1:10.0.0.2'],
  });
  expect(containerCreateRequest(spec)).toEqual({
    Image: 'img:1',
    Entrypoint: ['/bin/sh', '-c'],
    Cmd: ['true'],
    Env: ['A=b=c', 'B='],
    WorkingDir: '/home/work',
    Hostname: 'main1',
    Labels: spec.labels,
    User: '1000:1000',
    Tty: true,
    OpenStdin: true,
    StopSignal: 'SIGINT',
    ExposedPorts: { '2000/tcp': {}, '8080/tcp': {} },
    NetworkingConfig: { EndpointsConfig: { cluster: { Aliases: ['main1'] } } },
    HostConfig: {
      Privileged: false,
      Init: true,
      PublishAllPorts: false,
      PortBindings: {
        '2000/tcp': [{ HostIp: '127.0.0.1', HostPort: '30000' }],
        '8080/tcp': [
          { HostIp: '0.0.0.0', HostPort: '30001' },
          { HostIp: '127.0.0.1', HostPort: '30002' },
        ],
      },
      NetworkMode: 'cluster',
      CapAdd: ['SYS_NICE'],
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      GroupAdd: ['44'],
      ExtraHosts: ['sub1:10.0.0.2'],
      Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }],
      LogConfig: { Type: 'local', Config: { 'max-size': '2m' } },
      Mounts: [
        {
          Type: 'bind',
          Source: '/scratch',
          Target: '/home/work',
          ReadOnly: false,
          BindOptions: { Propagation: 'rprivate' },
        },
        { Type: 'volume', Source: 'krunner', Target: '/opt', ReadOnly: true, VolumeOptions: {} },
        { Type: 'tmpfs', Target: '/tmp', ReadOnly: false, TmpfsOptions: {} },
      ],
      Devices: [{ PathOnHost: '/dev/a', PathInContainer: '/dev/b', CgroupPermissions: 'rw' }],
      DeviceRequests: [{ Driver: 'nvidia', DeviceIDs: ['GPU-1'], Capabilities: [['gpu']] }],
      CpusetCpus: '0,2',
      NanoCpus: 250_000_000,
      Memory: 1000,
      MemorySwap: 1000,
      PidsLimit: 64,
      ShmSize: 512,
    },
  });
});

it('leaves to the engine what is not limited', () => {
  const body = containerCreateRequest(shellSpec('img:1', 'true', { entrypoint: [], cmd: [] }));
  expect(body).toMatchObject({ Entrypoint: null, Cmd: null });
  expect(body).not.toHaveProperty('NetworkingConfig');
  for (const field of ['CpusetCpus', 'NanoCpus', 'Memory', 'MemorySwap', 'PidsLimit', 'ShmSize', 'NetworkMode']) {
    expect(body['HostConfig']).not.toHaveProperty(field);
  }
});
