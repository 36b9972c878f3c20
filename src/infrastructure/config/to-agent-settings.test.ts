import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readHostFacts, type HostFacts } from './host-facts.js';
import { loadConfig } from './load-config.js';
import { toAgentSettings } from './to-agent-settings.js';
import { toDaemonSettings } from './to-daemon-settings.js';

const HOST: HostFacts = {
  hostname: 'node01',
  architecture: 'x86_64',
  uid: 0,
  gid: 0,
  addresses: ['127.0.0.1', '10.0.0.5', '172.16.0.5', 'fd00::5'],
  cloud: null,
  primaryAddress: '10.0.0.5',
  openFilesLimit: 4096,
  timeZoneFiles: ['/etc/localtime'],
  userId: (name) => (name === 'work' ? 1234 : undefined),
  groupId: () => undefined,
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'agent-settings-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function load(toml: string) {
  const file = join(folder, 'agent.toml');
  writeFileSync(file, toml);
  return loadConfig({ env: {}, cwd: folder, home: folder });
}
const settings = (toml: string, host = HOST) => toAgentSettings(load(toml), host, '1.2.3');

test('the defaults', () => {
  expect(settings('')).toMatchObject({
    agentId: 'i-node01',
    version: '1.2.3',
    region: 'local',
    architecture: 'x86_64',
    resourceGroup: null,
    advertisedRpcAddress: 'tcp://127.0.0.1:6011',
    publicHost: '127.0.0.1',
    rpcPublicKey: null,
    heartbeatIntervalMs: 20_000,
    usageIntervalMs: 5000,
    reconcileIntervalMs: 10_000,
    kernelCreationConcurrency: 4,
    container: {
      bindHost: '127.0.0.1',
      advertisedHost: '127.0.0.1',
      uid: 9001,
      gid: 9001,
      portRange: [30000, 31000],
      portCooldownMs: 60_000,
      pidsLimit: 4096,
      alternativeBridge: null,
      logDriver: 'local',
      logMaxLengthBytes: 10 * 1024 ** 2,
      openFilesLimit: 4096,
      timeZoneFiles: ['/etc/localtime'],
      protectedPaths: [
        ...['/tmp/backend.ai/scratches', '/tmp/backend.ai/ipc', '/tmp/backend.ai/var'],
        expect.stringMatching(/tmp\/backend\.ai\/commit$/),
      ],
    },
    resource: {
      reservedCpu: 0,
      reservedMemBytes: 256 * 1024 ** 2,
      memoryAlignBytes: 16 * 1024 ** 2,
      allocationOrder: ['cuda', 'rocm', 'tpu', 'cpu', 'mem'],
      affinityPolicy: 'INTERLEAVED',
    },
    timeouts: { pullMs: 7_200_000, initMs: 60_000, stopGraceMs: 5000, engineCallMs: 30_000 },
  });
});

describe('the user of kernels', () => {
  const identity = (toml: string, host = HOST) => {
    const { uid, gid } = settings(toml, host).container;
    return [uid, gid];
  };
  test.each([
    ['', HOST, [9001, 9001]],
    ['', { ...HOST, uid: 1000, gid: 1001 }, [1000, 1001]],
    // A process of root's with a group of its own still must not lend root's user.
    ['', { ...HOST, uid: 0, gid: 5 }, [9001, 9001]],
    ['[container]\nkernel-uid = 0\nkernel-gid = 7', HOST, [0, 7]],
    ['[container]\nkernel-uid = "work"', HOST, [1234, 9001]],
    ['[container]\nkernel-uid = "1000"', HOST, [1000, 9001]],
  ])('%j', (toml, host, expected) => expect(identity(toml, host)).toEqual(expected));

  test('unknown names are both told', () => {
    const run = () => settings('[container]\nkernel-uid = "nobody-here"\nkernel-gid = "none-here"');
    expect(run).toThrow(/nobody-here[^]*none-here/);
  });
});

test('addresses: wildcards are advertised as the address others can reach', () => {
  const open = settings('[agent]\nrpc-listen-addr = "0.0.0.0:6011"');
  expect(open).toMatchObject({
    advertisedRpcAddress: 'tcp://10.0.0.5:6011',
    publicHost: '10.0.0.5',
    container: { bindHost: '0.0.0.0', advertisedHost: '10.0.0.5' },
  });
  expect(toDaemonSettings(load('[agent]\nrpc-listen-addr = ":6011"'), HOST).rpc.listen.host).toBe('10.0.0.5');
  expect(settings('[agent]\nadvertised-rpc-addr = "[fd00::1]:7"').advertisedRpcAddress).toBe('tcp://[fd00::1]:7');
});

test('addresses: the range that etcd names tells which of several own addresses counts', () => {
  const within = (agent: string | null, container: string | null) => {
    const cluster = { values: new Map(), replaced: new Map(), watcherToken: null, warnings: [] };
    const config = {
      ...load('[agent]\nrpc-listen-addr = ":6011"'),
      cluster: { ...cluster, subnets: { agent, container } },
    };
    const {
      advertisedRpcAddress,
      container: { bindHost },
    } = toAgentSettings(config, HOST, '1');
    return [advertisedRpcAddress, bindHost];
  };
  expect(within('172.16.0.0/12', null)).toEqual(['tcp://172.16.0.5:6011', '172.16.0.5']);
  expect(within('172.16.0.0/12', '10.0.0.0/8')).toEqual(['tcp://172.16.0.5:6011', '10.0.0.5']);
  expect(within('fd00::/64', '0.0.0.0/0')).toEqual(['tcp://[fd00::5]:6011', 'fd00::5']);
  expect(within('192.168.0.0/16', '0.0.0.0/0')).toEqual(['tcp://10.0.0.5:6011', '10.0.0.5']);
});

test('switched off: reconciling and the pull deadline', () => {
  const off = settings('[agent.sync-container-lifecycles]\nenabled = false\n[api]\npull-timeout = "none"');
  expect(off).toMatchObject({ reconcileIntervalMs: 0, timeouts: { pullMs: null } });
});

test('what the composition root needs besides', () => {
  const daemon = toDaemonSettings(
    load(`
      [agent]
      service-addr = "127.0.0.1:6003"
      var-base-path = "/v"
      [watcher]
      token = "0123456789abcdef"
      [etcd]
      addr = { host = "etcd", port = 2379 }
      [redis]
      addr = "redis:6379"
      [debug]
      enabled = true
    `),
    HOST,
  );
  expect(daemon).toEqual({
    rpc: { listen: { host: '127.0.0.1', port: 6001 }, curve: null },
    http: {
      listen: [
        { host: '127.0.0.1', port: 6009 },
        { host: '127.0.0.1', port: 6003 },
      ],
      token: '0123456789abcdef',
      clusterToken: null,
      tokenFile: '/v/watcher-token',
    },
    logging: { level: 'DEBUG', console: { format: 'auto', colored: null }, file: null },
    pidFile: null,
    paths: {
      scratchRoot: join(folder, 'scratches'),
      ipcBase: '/tmp/backend.ai/ipc',
      varBase: '/v',
      runtime: '/v/runtime',
    },
    needsManager: true,
    redis: { address: { host: 'redis', port: 6379 } },
    mockAccelerator: null,
  });
});

test('a cloud names what the configuration does not', () => {
  const host = { ...HOST, cloud: { instanceId: 'i-0abc', region: 'amazon/us-east-1' } };
  expect(settings('[etcd]', host)).toMatchObject({ agentId: 'i-0abc', region: 'amazon/us-east-1' });
  const named = settings('[etcd]\n[agent]\nid = "i-mine"\nregion = "here"', host);
  expect(named).toMatchObject({ agentId: 'i-mine', region: 'here' });
  const silent = { ...HOST, cloud: { instanceId: undefined, region: 'azure/unknown', problem: 'status 404' } };
  expect(settings('[etcd]', silent)).toMatchObject({ agentId: 'i-node01', region: 'azure/unknown' });
});

test('logs go where the drivers say', () => {
  const logging = (toml: string) => toDaemonSettings(load(toml), HOST).logging;
  const file = '[logging.file]\npath = "/var/log/b"\nfilename = "a.log"\nrotation-size = "10MB"\nbackup-count = 3';
  expect(logging(`[logging]\ndrivers = ["console", "file"]\n${file}`)).toMatchObject({
    console: { format: 'auto' },
    file: { file: '/var/log/b/a.log', maxBytes: 10 * 1024 ** 2, backups: 3 },
  });
  expect(logging(`[logging]\ndrivers = ["file"]\n${file}`)).toMatchObject({ console: null, file: { backups: 3 } });
  expect(logging(file).file).toBeNull();
});

test('a key pair of its own is made where only the Manager has one', () => {
  writeFileSync(join(folder, 'm.key'), '');
  const keys = '[agent]\nvar-base-path = "/v"\nrpc-auth-manager-public-key = "m.key"';
  const curveOf = (toml: string) => toDaemonSettings(load(toml), HOST).rpc.curve;
  const managerPublicKeyFile = join(folder, 'm.key');
  expect(curveOf(keys)).toEqual({
    ...{ managerPublicKeyFile, agentKeypairFile: '/v/rpc-keypair.key_secret', isGenerated: true },
  });
  expect(curveOf(`${keys}\nrpc-auth-agent-keypair = "m.key"`)).toEqual({
    ...{ managerPublicKeyFile, agentKeypairFile: managerPublicKeyFile, isGenerated: false },
  });
});

test('TLS is for the second address alone', () => {
  const toml = `[agent]\nservice-addr = "127.0.0.1:6003"\nssl-enabled = true\nssl-cert = "c"\nssl-key = "k"`;
  writeFileSync(join(folder, 'c'), '');
  writeFileSync(join(folder, 'k'), '');
  expect(toDaemonSettings(load(toml), HOST).http.listen).toEqual([
    { host: '127.0.0.1', port: 6009 },
    { host: '127.0.0.1', port: 6003, tls: { certFile: join(folder, 'c'), keyFile: join(folder, 'k') } },
  ]);
});

test('the facts of this machine are plausible', () => {
  const facts = readHostFacts();
  expect(facts.uid).toBe(process.getuid?.());
  expect(['x86_64', 'aarch64']).toContain(facts.architecture);
  expect(facts.userId('root')).toBe(0);
  expect(facts.groupId('no-such-group')).toBeUndefined();
});
