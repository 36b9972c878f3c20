import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EtcdConfigSource } from '../../src/adapters/etcd/etcd-config-source.adapter.js';
import type { EtcdSettings } from '../../src/adapters/etcd/etcd-settings.js';
import { EmbeddedConfigSource } from '../../src/adapters/embedded/embedded-config-source.adapter.js';
import { EtcdServer, type EtcdMode } from '../support/etcd-server.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { configSourceContract } from './config-source.contract.js';

const { signal } = new AbortController();

configSourceContract('embedded', () =>
  Promise.resolve({ source: new EmbeddedConfigSource(), close: () => Promise.resolve() }),
);

describe.each(['plain', 'auth', 'tls'] as const)('etcd, %s', (mode: EtcdMode) => {
  let server: EtcdServer;
  beforeAll(async () => {
    server = await EtcdServer.start(mode);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  configSourceContract(`etcd, ${mode}`, async () => {
    await server.ctl('del', '--prefix', '');
    const source = new EtcdConfigSource(await server.settings(), new MemoryLogger());
    return {
      source,
      close: () => {
        source[Symbol.dispose]();
        return Promise.resolve();
      },
    };
  });
});

describe('etcd', () => {
  let server: EtcdServer;
  let peer: EtcdServer;
  beforeAll(async () => {
    server = await EtcdServer.start('plain');
    peer = await EtcdServer.start('plain');
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await peer[Symbol.asyncDispose]();
  });
  const open = async (extra: Partial<EtcdSettings> = {}, logger = new MemoryLogger()) =>
    new EtcdConfigSource(await server.settings(extra), logger);

  it('uses the keys of the reference', async () => {
    using source = await open();
    await source.put('', 'running', { scope: 'node' }, signal);
    await source.put('ip', '10.0.0.5', { scope: 'node' }, signal);
    await source.put('config/resource_slots/cuda.device:2', 'count', { scope: 'global' }, signal);
    await source.put('config/x', '1', { scope: 'group' }, signal);
    const keys = (await server.ctl('get', '--prefix', '--keys-only', '/sorna/'))
      .split('\n')
      .filter((key) => key !== '');
    expect(keys).toEqual([
      '/sorna/test/config/resource_slots/cuda.device%3A2',
      '/sorna/test/nodes/agents/i-test/',
      '/sorna/test/nodes/agents/i-test/ip',
      '/sorna/test/sgroup/default/config/x',
    ]);
    expect(await source.getEntries('config/x', signal)).toEqual([
      { path: [], value: '1', key: '/sorna/test/sgroup/default/config/x' },
    ]);
  });

  it('lets a value with a time to live go away by itself', async () => {
    using source = await open();
    await source.put('leased', 'x', { scope: 'global', ttlSeconds: 1 }, signal);
    const lease = /"lease":"?(\d+)/.exec(await server.ctl('get', '-w', 'json', '/sorna/test/leased'))?.[1];
    expect(Number(lease)).toBeGreaterThan(0);
    for await (const entries of source.watch('leased', signal)) if (entries.length === 0) break;
    expect(await source.get('leased', signal)).toBeUndefined();
  });

  it('goes to another endpoint while one is gone or silent', async () => {
    const both = [peer, server].map(({ port }) => ({ host: '127.0.0.1', port }));
    using source = await open({ endpoints: both });
    await source.put('where', 'peer', { scope: 'global' }, signal);
    using other = await open();
    await other.put('where', 'server', { scope: 'global' }, signal);
    expect(await source.get('where', signal)).toBe('peer');
    peer.pause();
    expect(await source.get('where', signal)).toBe('server');
    peer.resume();
    await peer.kill();
    await server.kill();
    await peer.start();
    expect(await source.get('where', signal)).toBe('peer');
    await server.start();
  });

  it('fails with a retryable error while nobody answers, and works again after', async () => {
    using source = await open();
    await source.put('k', 'v', { scope: 'global' }, signal);
    for (const [away, back] of [
      [() => server.kill(), () => server.start()],
      [() => server.pause(), () => server.resume()],
    ] as const) {
      await away();
      await expect(source.get('k', signal)).rejects.toMatchObject({
        name: 'ConfigSourceError',
        retryable: true,
        message: expect.stringContaining(`127.0.0.1:${server.port}`) as string,
      });
      await back();
      await expect.poll(() => source.get('k', signal).catch(() => 'away'), { timeout: 10_000 }).toBe('v');
    }
  });

  it('gives up a request as soon as its signal fires', async () => {
    using source = await open();
    await source.put('k', 'v', { scope: 'global' }, signal);
    server.pause();
    const stop = new AbortController();
    const asked = source.get('k', stop.signal);
    await sleep(50);
    stop.abort(new Error('leaving'));
    await expect(asked).rejects.toThrow('leaving');
    server.resume();
  });

  it('brings a watch back after a restart and after silence, and tells what changed meanwhile', async () => {
    const logger = new MemoryLogger();
    using source = await open({}, logger);
    const stop = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const entries of source.watch('w', stop.signal)) seen.push(entries.map(({ value }) => value).join());
    })();
    await expect.poll(() => seen.at(-1)).toBe('');
    await server.kill();
    await server.start();
    await server.ctl('put', '/sorna/test/w/a', 'after the restart');
    await expect.poll(() => seen.at(-1), { timeout: 15_000 }).toBe('after the restart');
    server.pause();
    // Longer than keep-alive takes to notice.
    await sleep(17_000);
    server.resume();
    await server.ctl('put', '/sorna/test/w/a', 'after the silence');
    await expect.poll(() => seen.at(-1), { timeout: 15_000 }).toBe('after the silence');
    stop.abort();
    await watching;
    expect(logger.lines.map(({ message }) => message)).toContain('a watch on etcd broke; trying on');
  });

  it('watches on after the revisions that it knew were compacted away', async () => {
    using source = await open();
    const stop = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const entries of source.watch('c', stop.signal)) seen.push(entries.map(({ value }) => value).join());
    })();
    await expect.poll(() => seen.length).toBe(1);
    await server.kill();
    await server.start();
    await server.ctl('put', '/sorna/test/c/a', '1');
    const revision = /"revision":(\d+)/.exec(await server.ctl('get', '-w', 'json', 'x'))?.[1] ?? '';
    await server.ctl('compact', revision);
    await server.ctl('put', '/sorna/test/c/a', '2');
    await expect.poll(() => seen.at(-1), { timeout: 15_000 }).toBe('2');
    stop.abort();
    await watching;
  });
});

describe('etcd with users', () => {
  let server: EtcdServer;
  beforeAll(async () => {
    server = await EtcdServer.start('auth');
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('renews its token when the server forgot it', async () => {
    using source = new EtcdConfigSource(await server.settings(), new MemoryLogger());
    await source.put('k', 'v', { scope: 'global' }, signal);
    await server.kill();
    await server.start();
    expect(await source.get('k', signal)).toBe('v');
  });

  it('brings a watch back when its token was forgotten', async () => {
    using source = new EtcdConfigSource(await server.settings(), new MemoryLogger());
    const stop = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const entries of source.watch('w', stop.signal)) seen.push(entries.map(({ value }) => value).join());
    })();
    await expect.poll(() => seen.length).toBe(1);
    await server.kill();
    await server.start();
    await server.ctl('put', '/sorna/test/w/a', 'again');
    await expect.poll(() => seen.at(-1), { timeout: 15_000 }).toBe('again');
    stop.abort();
    await watching;
  });

  it.each([
    ['a wrong password', { user: 'root', password: 'wrong' }],
    ['no user', undefined],
  ])('takes %s for a matter of the configuration', async (_, credentials) => {
    const { endpoints, namespace, scopes } = await server.settings();
    const given = { endpoints, namespace, scopes, ...(credentials === undefined ? {} : { credentials }) };
    using source = new EtcdConfigSource(given, new MemoryLogger());
    await expect(source.get('k', signal)).rejects.toMatchObject({
      name: 'ConfigurationError',
      field: 'etcd.user, etcd.password',
    });
  });

  it('does without users where the server has none', async () => {
    await using open = await EtcdServer.start('plain');
    using source = new EtcdConfigSource(
      await open.settings({ credentials: { user: 'root', password: 'x' } }),
      new MemoryLogger(),
    );
    expect(await source.get('k', signal)).toBeUndefined();
  });
});

describe('etcd with TLS', () => {
  let server: EtcdServer;
  beforeAll(async () => {
    server = await EtcdServer.start('tls');
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('takes a certificate that it cannot verify only if told so', async () => {
    const { tls, ...rest } = await server.settings();
    const own = { ...(tls?.client === undefined ? {} : { client: tls.client }) };
    using strict = new EtcdConfigSource({ ...rest, tls: { ...own, skipVerify: false } }, new MemoryLogger());
    await expect(strict.get('k', signal)).rejects.toMatchObject({ name: 'ConfigSourceError', retryable: true });
    using trusting = new EtcdConfigSource({ ...rest, tls: { ...own, skipVerify: true } }, new MemoryLogger());
    expect(await trusting.get('k', signal)).toBeUndefined();
  });

  it('is refused without its client certificate, and in plain text', async () => {
    const { tls, ...rest } = await server.settings();
    const anonymous = { ...(tls?.ca === undefined ? {} : { ca: tls.ca }), skipVerify: false };
    using nobody = new EtcdConfigSource({ ...rest, tls: anonymous }, new MemoryLogger());
    await expect(nobody.get('k', signal)).rejects.toMatchObject({ name: 'ConfigSourceError' });
    using plain = new EtcdConfigSource(rest, new MemoryLogger());
    await expect(plain.get('k', signal)).rejects.toMatchObject({ name: 'ConfigSourceError' });
  });
});
