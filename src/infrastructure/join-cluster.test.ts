import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EmbeddedConfigSource } from '../adapters/embedded/embedded-config-source.adapter.js';
import type { ConfigSource } from '../application/ports/config-source.port.js';
import { configSourceFailure, configurationInvalid } from '../domain/error/errors.js';
import { ManualClock } from '../../test/support/manual-clock.js';
import { MemoryLogger } from '../../test/support/memory-logger.js';
import type { ClusterConfig } from './config/cluster-config.js';
import { loadConfig } from './config/load-config.js';
import { joinCluster } from './join-cluster.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'agent-join-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const { signal } = new AbortController();
const load = (cluster?: ClusterConfig) =>
  loadConfig({
    ...{ env: { BACKEND_ETCD_ADDR: 'etcd:2379' }, cwd: folder, home: folder },
    ...(cluster === undefined ? {} : { cluster }),
  });

/** An etcd that is away until it is told otherwise. */
function shaky(failure: Error): { source: ConfigSource; held: EmbeddedConfigSource; heal(): void } {
  const held = new EmbeddedConfigSource({ config: { redis: { addr: 'r:1' } }, nodes: { manager: { m: 'up' } } });
  let away = true;
  const source = Object.assign(Object.create(held) as EmbeddedConfigSource, {
    probe: () => (away ? Promise.reject(failure) : Promise.resolve(1)),
    getEntries: (prefix: string) => (away ? Promise.reject(failure) : held.getEntries(prefix, signal)),
    watch: (prefix: string, one: AbortSignal) => held.watch(prefix, one),
  });
  return { source, held, heal: () => (away = false) };
}

test('waits for etcd, says so once and then every half a minute, and goes on when it is there', async () => {
  const [clock, logger] = [new ManualClock(), new MemoryLogger()];
  const { source, heal } = shaky(configSourceFailure('away', { retryable: true }));
  const joining = joinCluster(source, load(), load, { clock, logger }, signal);
  await clock.advance(35_000);
  expect(logger.lines.map(({ message }) => message)).toEqual(['waiting for etcd', 'waiting for etcd']);
  heal();
  await clock.advance(1_000);
  const config = await joining;
  expect(config.values.redis.addr).toEqual({ host: 'r', port: 1 });
  expect(logger.lines.map(({ message }) => message).slice(2)).toEqual(['etcd is there', 'found a Manager']);
  expect(clock.pending).toBe(0);
});

test('does not wait for what waiting will not change', async () => {
  const { source } = shaky(configurationInvalid('wrong password'));
  const tools = { clock: new ManualClock(), logger: new MemoryLogger() };
  await expect(joinCluster(source, load(), load, tools, signal)).rejects.toThrow('wrong password');
});

test('stops waiting with its signal', async () => {
  const clock = new ManualClock();
  const { source } = shaky(configSourceFailure('away', { retryable: true }));
  const stop = new AbortController();
  const joining = joinCluster(source, load(), load, { clock, logger: new MemoryLogger() }, stop.signal);
  await clock.advance(2_500);
  stop.abort(new Error('leaving'));
  await expect(joining).rejects.toThrow();
  expect(clock.pending).toBe(0);
});
