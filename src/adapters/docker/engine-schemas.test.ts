import { describe, expect, it } from 'vitest';
import { parseJson } from './engine-connection.js';
import { containerListSchema, containerSchema, imageSchema, infoSchema, progressSchema } from './engine-schemas.js';

const container = {
  Id: 'c1',
  Name: '/kernel.x.1',
  Image: 'sha256:1',
  Config: { Image: 'x:1', Labels: null },
  State: {
    Status: 'exited',
    Pid: 0,
    ExitCode: 137,
    OOMKilled: true,
    Error: '',
    StartedAt: '2026-01-02T03:04:05.123456789Z',
    FinishedAt: '0001-01-01T00:00:00Z',
  },
  HostConfig: {
    CgroupParent: '',
    PortBindings: { '2000/tcp': [{ HostIp: '127.0.0.1', HostPort: '30000' }], '9/tcp': null },
    CpuQuota: 150_000,
    CpuPeriod: 100_000,
    PidsLimit: null,
  },
  NetworkSettings: { Ports: {}, Networks: { bridge: { IPAddress: '' }, mine: { IPAddress: '10.0.0.2' } } },
  Mounts: null,
};

describe('engine JSON', () => {
  it('takes Go nulls, the zero time and older ways of limits', () => {
    const { details, tty } = parseJson(JSON.stringify(container), containerSchema);
    expect(tty).toBe(false);
    expect(details).toMatchObject({
      name: 'kernel.x.1',
      labels: {},
      state: 'exited',
      oomKilled: true,
      exitCode: 137,
      startedAtMs: Date.UTC(2026, 0, 2, 3, 4, 5, 123),
      finishedAtMs: 0,
      ports: [{ containerPort: 2000, hostPort: 30000, hostIp: '127.0.0.1' }],
      mounts: [],
      ipAddress: '10.0.0.2',
      limits: { cpuQuotaCores: 1.5, pids: 0, memoryBytes: 0, cpusetCpus: '' },
    });
  });

  it('takes the states of Podman and refuses unknown ones by field', () => {
    const list = (State: string): string => JSON.stringify([{ Id: '1', Names: ['/a'], State, Labels: null }]);
    expect(parseJson(list('Stopped'), containerListSchema)[0]?.state).toBe('exited');
    expect(() => parseJson(list('melting'), containerListSchema)).toThrow(
      /0\.State: unknown container state "melting"/,
    );
  });

  it('spells architectures as Linux does and finds a rootless engine', () => {
    const image = { Id: 'i', RepoTags: ['<none>:<none>', 'a:1'], Architecture: 'arm64', Config: { Cmd: 'one' } };
    expect(parseJson(JSON.stringify(image), imageSchema)).toMatchObject({
      architecture: 'aarch64',
      tags: ['a:1'],
      cmd: ['one'],
      env: [],
    });
    const info = {
      Architecture: 'x86_64',
      CgroupVersion: '2',
      SecurityOptions: ['name=seccomp,profile=x', 'name=rootless'],
    };
    expect(parseJson(JSON.stringify(info), infoSchema)).toMatchObject({
      architecture: 'x86_64',
      cgroupVersion: 2,
      rootless: true,
    });
    expect(parseJson('{}', infoSchema)).toMatchObject({ cgroupVersion: 1, rootless: false, runtimes: [] });
  });

  it('finds the failure of a progress item', () => {
    const failed = { error: 'short', errorDetail: { message: 'long' } };
    expect(parseJson(JSON.stringify(failed), progressSchema).failure).toBe('long');
    expect(parseJson('{"error":"short"}', progressSchema).failure).toBe('short');
    const item = { id: 'l', status: 'Downloading', progressDetail: { current: 1, total: 2 } };
    expect(parseJson(JSON.stringify(item), progressSchema)).toEqual({
      failure: '',
      progress: { layer: 'l', status: 'Downloading', currentBytes: 1, totalBytes: 2 },
    });
  });

  it.each(['', 'nonsense', '[]', '{"Id":5}'])('refuses %j', (text) => {
    expect(() => parseJson(text, containerSchema)).toThrow(/The container engine sent an answer/);
  });
});
