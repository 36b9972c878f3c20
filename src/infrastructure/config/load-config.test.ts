import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isAgentError, type AgentError } from '../../domain/error/agent-error.js';
import { effectiveConfig } from './effective-config.js';
import { loadConfig, type LoadedConfig, type LoadOptions } from './load-config.js';
import { describeOrigin } from './origin.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'agent-config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(toml: string, name = 'given.toml'): string {
  const file = join(folder, name);
  writeFileSync(file, toml);
  return file;
}

function load(toml: string, options: Partial<LoadOptions> = {}): LoadedConfig {
  return loadConfig({ file: write(toml), env: {}, cwd: folder, home: join(folder, 'home'), ...options });
}

function failure(toml: string, options: Partial<LoadOptions> = {}): AgentError {
  try {
    load(toml, options);
  } catch (error) {
    if (isAgentError(error)) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

describe('sources', () => {
  const base = (): LoadOptions => ({ env: {}, cwd: folder, home: join(folder, 'home') });

  test('no file at all gives a machine of its own that can run one core on two', () => {
    const config = loadConfig(base());
    expect(config).toMatchObject({ file: null, standalone: true, warnings: [] });
    expect(config.values.agent).toMatchObject({
      'rpc-listen-addr': { host: '127.0.0.1', port: 6011 },
      'var-base-path': '/tmp/backend.ai/var',
    });
    expect(config.values.watcher['service-addr']).toEqual({ host: '127.0.0.1', port: 6009 });
    expect(config.values.resource).toMatchObject({ 'reserved-cpu': 0, 'reserved-mem': 256 * 1024 ** 2 });
    expect(config.values.container).toMatchObject({
      'port-range': [30000, 31000],
      'pids-limit': 4096,
      'scratch-root': '/tmp/backend.ai/scratches',
      'kernel-uid': -1,
    });
  });

  test('with [etcd], even empty, the reference keeps a core and 1 GiB', () => {
    const config = load('[etcd]');
    expect(config.standalone).toBe(false);
    expect(config.values.resource).toMatchObject({ 'reserved-cpu': 1, 'reserved-mem': 1024 ** 3 });
    expect(config.values.agent['var-base-path']).toBe(join(folder, 'var/lib/backend.ai'));
    expect(config.values.container['scratch-root']).toBe(join(folder, 'scratches'));
  });

  test('with [etcd] the addresses are those of the reference, but RPC listens outside only with CURVE keys', () => {
    const [secret, open] = [write('x', 'a.key'), write('x', 'm.key')];
    const keys = `rpc-auth-agent-keypair = "${secret}"\nrpc-auth-manager-public-key = "${open}"`;
    expect(load('[etcd]').values.agent).toMatchObject({
      'rpc-listen-addr': { host: '127.0.0.1', port: 6001 },
      'internal-addr': { host: '0.0.0.0', port: 6003 },
    });
    expect(load(`[etcd]\n[agent]\n${keys}`).values.agent['rpc-listen-addr']).toEqual({ host: '0.0.0.0', port: 6001 });
    expect(load('').values.agent['internal-addr']).toBeNull();
  });

  test('option before variable before ./agent.toml before the home directory', () => {
    mkdirSync(join(folder, 'home/.config/backend.ai'), { recursive: true });
    write('[agent]\nid = "home"', 'home/.config/backend.ai/agent.toml');
    const id = (options: Partial<LoadOptions>) => loadConfig({ ...base(), ...options }).values.agent.id;
    expect(id({})).toBe('home');
    write('[agent]\nid = "here"', 'agent.toml');
    expect(id({})).toBe('here');
    const env = { BACKEND_CONFIG_FILE: write('[agent]\nid = "variable"', 'variable.toml') };
    expect(id({ env })).toBe('variable');
    expect(id({ env, file: write('[agent]\nid = "option"', 'option.toml') })).toBe('option');
  });

  test('a file that was asked for and is not there is an error that names it', () => {
    const run = () => loadConfig({ ...base(), file: 'absent.toml' });
    expect(run).toThrow(expect.objectContaining({ name: 'ConfigurationError', field: '--config' }));
    expect(run).toThrow(join(folder, 'absent.toml'));
  });

  test('broken TOML is told with file, line and column, without the lines around', () => {
    const error = failure('[etcd]\npassword = "hunter2"\naddr = = 3\n');
    expect(error.message).toMatch(/given\.toml:3:\d+: not valid TOML/);
    expect(error.message).not.toContain('hunter2');
  });

  test('every value knows its origin', () => {
    const config = load('[container]\nport_range = [40000, 40010]\n[logging]\nlevel = "debug"', {
      env: { BACKEND_SCRATCH_ROOT: '/s' },
      logLevel: 'warning',
    });
    const origin = (path: string) => describeOrigin(config.origins.get(path)!);
    expect(origin('container.port-range')).toBe(`${join(folder, 'given.toml')}: container.port_range`);
    expect(origin('container.scratch-root')).toBe('env BACKEND_SCRATCH_ROOT');
    expect(origin('logging.level')).toBe('option --log-level');
    expect(origin('agent.id')).toBe('default');
    expect(config.values.logging.level).toBe('WARNING');
  });
});

describe('environment', () => {
  test.each(['30500-30600', '30500,30600', '[30500, 30600]'])('BACKEND_CONTAINER_PORT_RANGE=%s', (text) => {
    const config = load('[container]\nport-range = [1, 2]', { env: { BACKEND_CONTAINER_PORT_RANGE: text } });
    expect(config.values.container['port-range']).toEqual([30500, 30600]);
  });

  test('host and port variables replace their half', () => {
    const listen = (env: Record<string, string>) =>
      load('[agent]\nrpc-listen-addr = "127.0.0.2:7000"', { env }).values.agent['rpc-listen-addr'];
    expect(listen({ BACKEND_AGENT_PORT: '7001' })).toEqual({ host: '127.0.0.2', port: 7001 });
    expect(listen({ BACKEND_AGENT_HOST_OVERRIDE: '127.0.0.3' })).toEqual({ host: '127.0.0.3', port: 7000 });
    expect(listen({ BACKEND_AGENT_HOST_OVERRIDE: '::1', BACKEND_AGENT_PORT: '9' })).toEqual({ host: '::1', port: 9 });
  });

  test('an etcd address makes this machine part of a cluster', () => {
    const config = load('', { env: { BACKEND_ETCD_ADDR: '10.0.0.1:2379, 10.0.0.2:2379' } });
    expect(config.standalone).toBe(false);
    expect(config.values.etcd.addr).toEqual([
      { host: '10.0.0.1', port: 2379 },
      { host: '10.0.0.2', port: 2379 },
    ]);
  });

  test('a wrong variable is named as such', () => {
    const error = failure('', { env: { BACKEND_CONTAINER_PORT_RANGE: 'many' } });
    expect(error.message).toContain('env BACKEND_CONTAINER_PORT_RANGE: container.port-range = "many"');
  });
});

describe('errors', () => {
  test('all of them at once, each with file, key, value and what is allowed', () => {
    const error = failure(`
      [agent]
      backend = "podman"
      kernel-creation-concurrency = 33
      [container]
      port_range = [31000, 30000]
      [resource]
      reserved-mem = "12 apples"
      affinity-policy = "PACKED"
      [watcher]
      service-addr = "127.0.0.1:0"
    `);
    const file = join(folder, 'given.toml');
    for (const line of [
      `${file}: agent.backend = "podman": allowed: one of "docker"`,
      `${file}: agent.kernel-creation-concurrency = 33: allowed: a whole number from 1 to 32`,
      `${file}: container.port_range = [31000,30000]: allowed: two ports`,
      `${file}: resource.reserved-mem = "12 apples": allowed: bytes, or a size`,
      `${file}: resource.affinity-policy = "PACKED": allowed: "INTERLEAVED" or`,
      `${file}: watcher.service-addr = "127.0.0.1:0": wrong at port; allowed: "host:port"`,
    ])
      expect(error.message).toContain(line);
    expect(error.message).toContain('6 errors');
    expect(error).toMatchObject({ kind: 'user', field: 'agent.backend' });
    expect(error.hint).toContain('config sample');
  });

  test('secrets are never shown', () => {
    const error = failure(`
      [etcd]
      password = 4711
      [redis]
      password = ["s3cret"]
      [watcher]
      token = "short one"
    `);
    expect(error.message).toContain('watcher.token = ***');
    for (const secret of ['4711', 's3cret', 'short one']) expect(error.message).not.toContain(secret);
  });

  test.each([
    ['a renamed key', '[agent]\nscaling-group = "default"', 'initial-resource-group-name'],
    ['a key and its alias', '[agent]\nmode = "docker"\nbackend = "docker"', 'set twice, also as agent.mode'],
    ['both spellings of a key', '[agent]\npublic-host = "a"\npublic_host = "b"', 'set twice'],
    ['a value where a table belongs', 'agent = 3', 'allowed: a table'],
    ['a link-local RPC address', '[agent]\nrpc-listen-addr = "169.254.1.1:6011"', 'link-local'],
    [
      'one CURVE key of two',
      '[agent]\nrpc-auth-agent-keypair = "/etc/hostname"',
      'rpc-auth-manager-public-key: missing',
    ],
    [
      'key files that are not there',
      '[agent]\nrpc-auth-agent-keypair = "/no/a"\nrpc-auth-manager-public-key = "/no/b"',
      'no such file',
    ],
    [
      'two listeners on one address',
      '[watcher]\nservice-addr = "127.0.0.1:6011"',
      'the same address as agent.rpc-listen-addr',
    ],
    [
      'a listener among the service ports',
      '[watcher]\nservice-addr = "127.0.0.1:30100"',
      'port lies in container.port-range',
    ],
    ['several agents in one process', '[[agents]]\n[[agents]]', 'one process runs one agent; run a process for each'],
    ['sentinels without a name', '[redis]\nsentinel = "10.0.0.1:26379"', 'redis.service-name: missing'],
    ['a role that nobody has', '[redis.override_configs.cache]\naddr = "a:1"', 'one of "statistics", "rate_limit"'],
    ['another server without address', '[redis.override_configs.live]\npassword = "x"', 'live has no addr'],
    ['one of two TLS files', '[etcd]\ntls-cert = "/etc/hostname"', 'etcd.tls-key: missing'],
    ['a TLS file that is not there', '[etcd]\ntls-ca = "/no/ca"', 'etcd.tls-ca = "/no/ca": no such file'],
    ['TLS of the watcher', '[watcher]\nssl-enabled = true', 'watcher.ssl-enabled = true: Managers call it without TLS'],
    ['TLS without a certificate', '[etcd]\n[agent]\nssl-enabled = true', 'ssl-cert: missing, while agent.ssl-enabled'],
    ['TLS without an address', '[agent]\nssl-enabled = true', 'agent.internal-addr: missing'],
    [
      'TLS files that are not there',
      '[etcd]\n[agent]\nssl-enabled = true\nssl-cert = "/no/a"\nssl-key = "/no/b"',
      'agent.ssl-key = "/no/b": no such file',
    ],
    ['a log file without a directory', '[logging]\ndrivers = ["file"]', 'logging.file.path: missing'],
    ['a log file in another directory', '[logging.file]\nfilename = "../x"', 'allowed: a file name without "/"'],
    ['two devices with one id', '[accelerator.mock]\ndevices = [{ id = "a" }, { id = "a" }]', 'different ids'],
  ])('%s', (_, toml, message) => {
    expect(failure(toml).message).toContain(message);
  });
});

describe('warnings', () => {
  test('an unknown key is ignored and told with the nearest known one', () => {
    const config = load('[container]\nport-rnage = [1, 2]\n[contianer]\nx = 1');
    expect(config.values.container['port-range']).toEqual([30000, 31000]);
    expect(config.warnings).toEqual([
      expect.stringContaining('container.port-rnage: unknown key, ignored; nearest known key: container.port-range'),
      expect.stringContaining('contianer: unknown key, ignored; nearest known key: container'),
    ]);
  });

  test('known keys without effect are accepted, checked and told', () => {
    const config = load('[agent]\nevent-loop = "uvloop"\n[otel]\nenabled = true\n[pyroscope]\n');
    expect(config.warnings).toEqual(['known, but without effect here yet: [otel], [pyroscope], agent.event-loop']);
    expect(failure('[agent]\nevent-loop = "libuv"').message).toContain('"asyncio", "uvloop"');
  });

  test('an open RPC address without keys, and kernels as root', () => {
    const config = load('[agent]\nrpc-listen-addr = "0.0.0.0:6011"\n[container]\nkernel-uid = 0');
    expect(config.warnings).toEqual([expect.stringContaining('CURVE'), expect.stringContaining('kernels run as root')]);
  });

  test('a cluster that is not told where to call', () => {
    expect(load('[etcd]').warnings).toEqual([expect.stringContaining('only this host is listened at')]);
    expect(load('[etcd]\n[agent]\nrpc-listen-addr = "127.0.0.1:1"').warnings).toEqual([]);
  });

  test('log drivers that are not served', () => {
    const config = load('[logging]\ndrivers = ["console", "logstash"]\n[logging.logstash]\nprotocol = "tcp"');
    expect(config.warnings).toEqual([
      expect.stringContaining('"logstash" is not served'),
      'known, but without effect here yet: logging.logstash',
    ]);
  });

  test('a flood of unknown keys is cut', () => {
    const config = load(Array.from({ length: 500 }, (_, index) => `zz${index} = 1`).join('\n'));
    expect(config.warnings).toHaveLength(51);
    expect(config.warnings.at(-1)).toBe('… and 450 more unknown keys');
  });
});

test('with the CURVE key of the Manager RPC listens everywhere', () => {
  const [secret, open] = [write('x', 'a.key'), write('x', 'm.key')];
  const config = load(`[agent]\nrpc-auth-agent-keypair = "${secret}"\nrpc-auth-manager-public-key = "${open}"`);
  expect(config.values.agent['rpc-listen-addr'].host).toBe('0.0.0.0');
  expect(config.warnings).toEqual([]);
  const alone = load(`[agent]\nrpc-auth-manager-public-key = "${open}"`);
  expect(alone.values.agent['rpc-listen-addr'].host).toBe('0.0.0.0');
  expect(alone.warnings).toEqual([]);
});

test('mock devices get their defaults, in both spellings', () => {
  const config = load(`[accelerator.mock]
    fractional = true
    devices = [{ id = "a", memory = "1G", processing_units = 4, "numa-node" = 1 }, { id = "b" }]`);
  expect(config.values['accelerator.mock']).toEqual({
    devices: [
      { id: 'a', model: 'Mock Device', memoryBytes: 1024 ** 3, processingUnits: 4, numaNode: 1 },
      { id: 'b', model: 'Mock Device', memoryBytes: 8 * 1024 ** 3, processingUnits: 1, numaNode: null },
    ],
    slot: 'mock.device',
    fractional: true,
    quantum: '0.1',
  });
});

test('paths start at the working directory or at home', () => {
  const config = load('[container]\nscratch-root = "~/s"\n[agent]\nipc-base-path = "run"');
  expect(config.values.container['scratch-root']).toBe(join(folder, 'home/s'));
  expect(config.values.agent['ipc-base-path']).toBe(join(folder, 'run'));
});

test('what is shown to people has origins and hides secrets', () => {
  const config = load('[watcher]\ntoken = "0123456789abcdef0123"\n[agent]\nevent-loop = "uvloop"');
  const shown = new Map(effectiveConfig(config).map(({ key, ...rest }) => [key, rest]));
  expect(config.values.watcher.token).toBe('0123456789abcdef0123');
  expect(shown.get('watcher.token')).toMatchObject({ value: '***', toml: '"***"' });
  expect(shown.get('container-logs.max-length')).toEqual({ value: 10485760, toml: '"10M"', origin: 'default' });
  expect(shown.get('watcher.service-addr')?.toml).toBe('"127.0.0.1:6009"');
  expect(shown.get('agent.id')).toEqual({ value: null, toml: '(unset)', origin: 'default' });
  expect(shown.get('agent.event-loop')?.origin).toContain('given.toml: agent.event-loop');
  expect(shown.has('agent.docker-mode')).toBe(false);
});
