import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ensureToken, readToken } from './watcher-token.js';

let folder: string;
let tokenFile: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'agent-token-'));
  tokenFile = join(folder, 'var', 'watcher-token');
});
afterEach(() => rmSync(folder, { recursive: true }));

test('is made once, readable by its owner alone, and found again', async () => {
  expect(await readToken({ token: null, tokenFile })).toBeUndefined();
  const token = await ensureToken({ token: null, tokenFile });
  expect(token).toMatch(/^[0-9a-f]{64}$/);
  expect(statSync(tokenFile).mode & 0o777).toBe(0o600);
  expect(readFileSync(tokenFile, 'utf8').trim()).toBe(token);
  expect(await ensureToken({ token: null, tokenFile })).toBe(token);
  expect(await readToken({ token: null, tokenFile })).toBe(token);
});

test('many starts at once agree, and leave no drafts', async () => {
  const tokens = await Promise.all(Array.from({ length: 20 }, () => ensureToken({ token: null, tokenFile })));
  expect(new Set(tokens).size).toBe(1);
  expect(readdirSync(join(folder, 'var'))).toEqual(['watcher-token']);
});

test('a configured token needs no file', async () => {
  expect(await ensureToken({ token: 'configured-token-1', tokenFile })).toBe('configured-token-1');
  expect(readdirSync(folder)).toEqual([]);
});

test('a planted or leaked file is refused', async () => {
  await ensureToken({ token: null, tokenFile });
  chmodSync(tokenFile, 0o644);
  await expect(readToken({ token: null, tokenFile })).rejects.toThrow('others may read');
  const linked = join(folder, 'link');
  symlinkSync(tokenFile, linked);
  await expect(ensureToken({ token: null, tokenFile: linked })).rejects.toThrow('symlink');
  const empty = join(folder, 'empty');
  writeFileSync(empty, '\n', { mode: 0o600 });
  await expect(ensureToken({ token: null, tokenFile: empty })).rejects.toThrow('does not hold a token');
});

test('a directory that cannot be made says which key to change', async () => {
  writeFileSync(join(folder, 'file'), '');
  const place = { token: null, tokenFile: join(folder, 'file', 'sub', 'token') };
  await expect(ensureToken(place)).rejects.toMatchObject({
    field: expect.stringMatching(/var-base-path|watcher.token/),
  });
});
