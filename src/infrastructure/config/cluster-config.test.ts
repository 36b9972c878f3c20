import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EmbeddedConfigSource } from '../../adapters/embedded/embedded-config-source.adapter.js';
import type { ConfigEntry } from '../../application/ports/config-source.port.js';
import { readClusterConfig, tableOf } from './cluster-config.js';
import { effectiveConfig } from './effective-config.js';
import { loadConfig } from './load-config.js';
import { describeOrigin } from './origin.js';
import { toRedisSettings } from './to-redis-settings.js';

const { signal } = new AbortController();
const REDIS = { redis: { addr: '10.0.0.9:6379' } };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'agent-cluster-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const read = (config: object) => readClusterConfig(new EmbeddedConfigSource({ config }), signal);

async function load(config: object, toml = '', env: Readonly<Record<string, string>> = {}) {
  const file = join(folder, 'agent.toml');
  writeFileSync(file, `[etcd]\n${toml}`);
  return loadConfig({ file, env, cwd: folder, home: folder, cluster: await read(config) });
}

describe('tableOf', () => {
  const entry = (path: string, value: string): ConfigEntry => ({ path: path.split('/'), value, key: `/ns/p/${path}` });

  test('what lies deeper becomes tables; names are kebab-case; keys are the stored ones', () => {
    const table = tableOf([entry('addr', 'a:1'), entry('override_configs/live/use_tls', '1')], 0);
    expect(Object.fromEntries(table)).toEqual({
      addr: { value: 'a:1', key: '/ns/p/addr' },
      'override-configs': { value: { live: { 'use-tls': '1' } }, key: '/ns/p/override_configs/' },
    });
  });

  test('a name that has a value and is a parent keeps its value under the empty name', () => {
    expect(tableOf([entry('a', 'own'), entry('a/b', 'below')], 0).get('a')?.value).toEqual({ '': 'own', b: 'below' });
  });

  test('starts below the names that are left out', () => {
    expect([...tableOf([entry('api/pull-timeout', '9')], 1)]).toEqual([
      ['pull-timeout', { value: '9', key: '/ns/p/api/pull-timeout' }],
    ]);
  });
});

describe('precedence', () => {
  const FILE = `
    [api]
    pull-timeout = 100
    push-timeout = 200
    [container-logs]
    driver = "json-file"
    [kernel-lifecycles]
    init-timeout-sec = 7
    [container]
    kernel-uid = 1111
    kernel-gid = 2222
    port-range = [40000, 40010]
    [redis]
    addr = "file:6379"
    password = "from-file"`;

  test.each([
    [
      'without any of it the file holds, and [redis] of the file is taken',
      {},
      { pull: 100, push: 200, driver: 'json-file', init: 7, uid: 1111, gid: 2222, redis: 'file' },
    ],
    [
      'any key below config/agent replaces three sections as a whole: what etcd does not say is the default',
      { agent: { api: { 'pull-timeout': '300' } } },
      { pull: 300, push: null, driver: 'local', init: 60, uid: 1111, gid: 2222, redis: 'file' },
    ],
    [
      'even a key of another section',
      { agent: { something: { else: 'x' } } },
      { pull: 7200, push: null, driver: 'local', init: 60, uid: 1111, gid: 2222, redis: 'file' },
    ],
    [
      'kernel-uid and kernel-gid one by one',
      { container: { 'kernel-uid': '1500', 'port-range': '1,2' } },
      { pull: 100, push: 200, driver: 'json-file', init: 7, uid: 1500, gid: 2222, redis: 'file' },
    ],
    [
      '[redis] as a whole',
      { redis: { addr: 'etcd:6379' } },
      { pull: 100, push: 200, driver: 'json-file', init: 7, uid: 1111, gid: 2222, redis: 'etcd' },
    ],
  ])('%s', async (_, config, expected) => {
    const { values } = await load(config, FILE);
    expect({
      pull: values.api['pull-timeout'],
      push: values.api['push-timeout'],
      driver: values['container-logs'].driver,
      init: values['kernel-lifecycles']['init-timeout-sec'],
      uid: values.container['kernel-uid'],
      gid: values.container['kernel-gid'],
      redis: values.redis.addr?.host,
    }).toEqual(expected);
    expect(values.container['port-range']).toEqual([40000, 40010]);
    expect(values.redis.password).toBe(expected.redis === 'file' ? 'from-file' : null);
  });

  test('what of the file has no effect any more is told', async () => {
    const { warnings } = await load({ ...REDIS, agent: { x: '1' } }, FILE);
    expect(warnings.at(-1)).toBe(
      'without effect in the file, because etcd replaces the whole section: container-logs.driver, api.pull-timeout, ' +
        'api.push-timeout, kernel-lifecycles.init-timeout-sec, redis.addr, redis.password',
    );
  });

  test('what the reference does not know is not replaced with the rest', async () => {
    const { values } = await load(
      { ...REDIS, agent: { x: '1' } },
      '[kernel-lifecycles]\nstop-grace-sec = 9\n[redis]\ntls-ca = "/etc/hostname"',
    );
    expect(values['kernel-lifecycles']['stop-grace-sec']).toBe(9);
    expect(values.redis['tls-ca']).toBe('/etc/hostname');
  });

  test('an option still counts more, and each value tells where it is from', async () => {
    const config = await load({ ...REDIS, agent: { api: { pull_timeout: '5' } } }, '[agent]\nregion = "here"', {
      BACKEND_NAMESPACE: 'other',
    });
    const origin = (path: string) => describeOrigin(config.origins.get(path) ?? { kind: 'default' });
    expect(origin('redis.addr')).toBe('etcd config/redis/addr');
    expect(origin('api.pull-timeout')).toBe('etcd config/agent/api/pull_timeout');
    expect(origin('api.push-timeout')).toBe('default');
    expect(origin('etcd.namespace')).toBe('env BACKEND_NAMESPACE');
    expect(origin('agent.region')).toMatch(/agent\.toml: agent\.region$/);
  });

  test('secrets of etcd are masked as well', async () => {
    const config = await load({
      redis: { ...REDIS.redis, password: 'hush', override_configs: { live: { addr: 'x:1' } } },
    });
    const shown = JSON.stringify(effectiveConfig(config));
    expect(shown).not.toContain('hush');
    expect(shown).toContain('etcd config/redis/password');
  });
});

describe('what cannot be used', () => {
  test.each([
    ['a value', { redis: { addr: 'nowhere' } }, 'etcd config/redis/addr: redis.addr = "nowhere": allowed: "host:port"'],
    [
      'a secret',
      { redis: { addr: 'a:1', request_timeout: 'x', password: 'hush' } },
      'etcd config/redis/request_timeout',
    ],
    ['a user', { ...REDIS, container: { 'kernel-uid': 'a b' } }, 'etcd config/container/kernel-uid'],
    ['a deadline', { ...REDIS, agent: { api: { 'pull-timeout': 'soon' } } }, 'etcd config/agent/api/pull-timeout'],
    ['Redis that is nowhere', {}, 'redis.addr: missing: without Redis no Manager hears of this agent'],
    ['sentinels without a name', { redis: { sentinel: 'a:1,b:2' } }, 'redis.service-name: missing'],
    ['an address range', { network: { subnet: { agent: '10.0.0.0/33' } } }, 'etcd config/network/subnet/agent'],
  ])('%s is told with its key', async (_, config, message) => {
    const failure = await load(config).then(
      () => undefined,
      (error: unknown) => error as Error,
    );
    expect(failure).toMatchObject({ name: 'ConfigurationError' });
    expect(failure?.message).toContain(message);
    expect(failure?.message).not.toContain('hush');
  });

  test('unknown keys are told and ignored; those of the reference client are not', async () => {
    const { warnings } = await read({ redis: { addr: 'a:1', helper: { socket_timeout: '5' }, colour: 'red' } });
    expect(warnings).toEqual(['etcd config/redis/colour: unknown key, ignored']);
  });
});

describe('the token of watchers', () => {
  test.each([
    ['a-long-enough-token', 'a-long-enough-token', 0],
    ['short', 'short', 1],
    ['insecure', null, 1],
    ['with space', null, 1],
  ])('%s', async (token, expected, warned) => {
    const cluster = await read({ watcher: { token } });
    expect(cluster.watcherToken).toBe(expected);
    expect(cluster.warnings).toHaveLength(warned);
  });
});

describe('Redis settings', () => {
  const settings = async (redis: object) => toRedisSettings((await load({ redis })).values);

  test('every text form of etcd', async () => {
    expect(
      await settings({
        ...{ addr: '10.0.0.1:6379', password: 'p', use_tls: 'True', tls_skip_verify: '1', request_timeout: '2500' },
        helper: { socket_timeout: '5.0' },
      }),
    ).toEqual({
      address: { host: '10.0.0.1', port: 6379 },
      password: 'p',
      tls: { skipVerify: true },
      requestTimeoutMs: 2500,
    });
    expect(await settings({ addr: { host: 'r', port: '7' }, password: '', use_tls: 'no' })).toEqual({
      address: { host: 'r', port: 7 },
    });
  });

  test('Sentinel, with either spelling of its password', async () => {
    for (const spelling of ['sentinel_password', 'sentinel-password']) {
      expect(
        await settings({ addr: 'x:1', sentinel: 'a:1, b:2', service_name: 'm', password: 'p', [spelling]: 's' }),
      ).toMatchObject({
        sentinels: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
        ...{ serviceName: 'm', password: 'p', sentinelPassword: 's' },
      });
    }
  });

  test('other servers by role; roles that only Managers use are left out', async () => {
    expect(
      await settings({
        addr: 'x:1',
        override_configs: {
          container_log: { addr: 'logs:1', password: 'l', use_tls: '1' },
          'stream-lock': { addr: 'lock:1' },
          live: { sentinel: 'a:1', service_name: 'm' },
          image: { addr: '', sentinel: 'a:1, b:2', service_name: 'm', password: '' },
        },
      }),
    ).toEqual({
      address: { host: 'x', port: 1 },
      overrides: {
        container_log: { address: { host: 'logs', port: 1 }, password: 'l', tls: { skipVerify: false } },
        live: { address: { host: 'a', port: 1 }, sentinels: [{ host: 'a', port: 1 }], serviceName: 'm' },
        image: {
          address: { host: 'a', port: 1 },
          sentinels: [
            { host: 'a', port: 1 },
            { host: 'b', port: 2 },
          ],
          serviceName: 'm',
        },
      },
    });
  });

  test('empty texts stand for nothing', async () => {
    const nothing = { sentinel: '', service_name: '', password: '', use_tls: '', request_timeout: '' };
    expect(await settings({ addr: 'x:1', ...nothing })).toEqual({ address: { host: 'x', port: 1 } });
  });

  test('certificates to trust hold for every server with TLS', async () => {
    const ca = join(folder, 'ca.crt');
    writeFileSync(ca, 'PEM');
    const redis = { addr: 'x:1', use_tls: '1', override_configs: { live: { addr: 'y:1', use_tls: '1' } } };
    const { values } = await load({ redis }, `[redis]\ntls-ca = "${ca}"`);
    expect(toRedisSettings(values)).toMatchObject({ tls: { ca: 'PEM' }, overrides: { live: { tls: { ca: 'PEM' } } } });
  });

  test('the same from a file, without etcd', () => {
    const file = join(folder, 'alone.toml');
    writeFileSync(file, '[redis]\naddr = "x:1"\nuse-tls = true\n[redis.override-configs.bgtask]\naddr = "y:2"');
    const { values, standalone } = loadConfig({ file, env: {}, cwd: folder, home: folder });
    expect(standalone).toBe(true);
    expect(toRedisSettings(values)).toEqual({
      ...{ address: { host: 'x', port: 1 }, tls: { skipVerify: false } },
      overrides: { bgtask: { address: { host: 'y', port: 2 } } },
    });
  });
});
