import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { curveKeyPair } from 'zeromq';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { curveKeys } from './curve-keys.js';

let folder: string;
let curve: { managerPublicKeyFile: string; agentKeypairFile: string; isGenerated: boolean };
const manager = curveKeyPair();
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'curve-keys-'));
  const [managerPublicKeyFile, agentKeypairFile] = [join(folder, 'manager.key'), join(folder, 'agent.key_secret')];
  writeFileSync(managerPublicKeyFile, `public-key = "${manager.publicKey}"\n`);
  curve = { managerPublicKeyFile, agentKeypairFile, isGenerated: false };
});
afterEach(() => rmSync(folder, { recursive: true }));

const keys = (changes: Partial<typeof curve> = {}) =>
  curveKeys({ listen: { host: '127.0.0.1', port: 1 }, curve: { ...curve, ...changes } });

test('there are none without configuration', async () => {
  expect(await curveKeys({ listen: { host: '127.0.0.1', port: 1 }, curve: null })).toBeUndefined();
});

test('a pair is made once, kept from others, and the same after a restart', async () => {
  const made = await keys({ isGenerated: true });
  expect(made).toMatchObject({ managerPublicKey: manager.publicKey });
  expect(made?.publicKey).toHaveLength(40);
  expect(statSync(curve.agentKeypairFile).mode & 0o777).toBe(0o600);
  expect(await keys({ isGenerated: true })).toEqual(made);
  expect(await keys()).toEqual(made);
});

test('one that is configured is never made', async () => {
  await expect(keys()).rejects.toMatchObject({ name: 'ConfigurationError', field: 'agent.rpc-auth-agent-keypair' });
});

test('nothing is made for a Manager whose key can not be read', async () => {
  writeFileSync(curve.managerPublicKeyFile, 'nothing of use');
  await expect(keys({ isGenerated: true })).rejects.toMatchObject({ field: 'agent.rpc-auth-manager-public-key' });
  expect(() => readFileSync(curve.agentKeypairFile)).toThrow('ENOENT');
});

test('a public half is no pair, and a folder that is not there is told with its key', async () => {
  writeFileSync(curve.agentKeypairFile, `public-key = "${manager.publicKey}"\n`);
  await expect(keys()).rejects.toThrow('holds no secret key');
  await expect(keys({ isGenerated: true, agentKeypairFile: join(folder, 'no', 'pair') })).rejects.toMatchObject({
    ...{ name: 'StorageError', field: 'agent.var-base-path' },
  });
});
