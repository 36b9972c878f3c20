import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { configSample } from './config-sample.js';
import { ALL_KEYS } from './config-schema.js';
import { loadConfig } from './load-config.js';

const shipped = (name: string) => new URL(`../../../configs/agent/${name}`, import.meta.url).pathname;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'agent-sample-'));
});
afterEach(() => rmSync(folder, { recursive: true }));
const load = (file: string) => loadConfig({ file, env: {}, cwd: folder, home: folder });

test('configs/agent/sample.toml is what the schema says (else write it anew: ag config sample)', () => {
  expect(readFileSync(shipped('sample.toml'), 'utf8')).toBe(configSample());
});

test('as it stands the sample changes nothing', () => {
  const config = load(shipped('sample.toml'));
  expect(config.values).toEqual(loadConfig({ env: {}, cwd: folder, home: folder }).values);
  expect(config.warnings).toEqual([]);
  expect(config.standalone).toBe(true);
});

test('with every comment sign of a key removed it is still valid, and holds every key', () => {
  const every = configSample().replaceAll(/^#(?=\S)/gm, '');
  const file = join(folder, 'every.toml');
  writeFileSync(join(folder, 'a.key'), '');
  // The examples of files that must exist, and a token that is an ellipsis.
  const runnable = every
    .replaceAll(
      /^(rpc-auth-[a-z-]+|ssl-cert|ssl-key|tls-ca|tls-cert|tls-key) = .*$/gm,
      `$1 = "${join(folder, 'a.key')}"`,
    )
    .replaceAll('token = "…"', 'token = "0123456789abcdef"');
  writeFileSync(file, runnable);
  const config = load(file);
  expect(config.warnings.filter((warning) => warning.includes('unknown'))).toEqual([]);
  const absent = ALL_KEYS.filter(({ path }) => config.origins.get(path)?.kind !== 'file').map(({ path }) => path);
  expect(absent).toEqual([]);
});

test('configs/agent/halfstack.toml is valid and has no unknown key', () => {
  const config = load(shipped('halfstack.toml'));
  expect(config.warnings.filter((warning) => warning.includes('unknown'))).toEqual([]);
  expect(config.standalone).toBe(false);
});
