import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FileTree } from '../../../test/support/file-tree.js';
import type { Logger } from '../../application/ports/logger.port.js';
import { DockerLogins } from './registry-credentials.js';

describe('DockerLogins', () => {
  let tree: FileTree;
  const warn = vi.fn();
  const { signal } = new AbortController();
  beforeEach(() => (tree = new FileTree({ 'bin/x': '' })));
  afterEach(() => {
    tree[Symbol.dispose]();
    warn.mockReset();
  });

  const login = async (config: object | string, image: string, given?: { username: string; password: string }) => {
    tree.write({ 'config.json': typeof config === 'string' ? config : JSON.stringify(config) });
    const env = { PATH: `${join(tree.root, 'bin')}:${process.env['PATH'] ?? ''}` };
    const logger: Logger = { warn, debug: vi.fn(), info: vi.fn(), error: vi.fn(), child: () => logger };
    const header = await new DockerLogins({ configFolder: tree.root, env, logger }).headerFor(image, given, signal);
    return header === undefined ? undefined : (JSON.parse(Buffer.from(header, 'base64url').toString()) as unknown);
  };
  const helper = (name: string, script: string): void => {
    tree.write({ [`bin/docker-credential-${name}`]: `#!/bin/sh\n${script}\n` });
    chmodSync(join(tree.root, 'bin', `docker-credential-${name}`), 0o755);
  };
  const basic = (text: string): string => Buffer.from(text).toString('base64');

  it('sends the credentials of the call as given, and only if both parts are there', async () => {
    const config = { auths: { 'r.example.com': { auth: basic('stored:secret') } } };
    expect(await login(config, 'r.example.com/x:1', { username: 'u', password: 'p' })).toEqual({
      username: 'u',
      password: 'p',
      email: null,
      serveraddress: 'r.example.com',
    });
    expect(await login(config, 'r.example.com/x:1', { username: 'u', password: '' })).toMatchObject({
      username: 'stored',
    });
  });

  it('encodes for URLs', async () => {
    const given = { username: 'u', password: '>>>???ÿÿ' };
    const header = await new DockerLogins({ configFolder: tree.root }).headerFor('r.io/x', given, signal);
    expect(header).toMatch(/^[A-Za-z0-9_=-]+$/);
  });

  it('finds stored logins by host, with or without scheme and path, and Docker Hub under its own name', async () => {
    const config = {
      auths: {
        'https://r.example.com/v2/': { auth: basic('u:p:with:colons') },
        'https://index.docker.io/v1/': { auth: basic('hub:secret') },
        'token.example.com': { identitytoken: 'tok' },
      },
    };
    expect(await login(config, 'r.example.com/a/b:1')).toMatchObject({ username: 'u', password: 'p:with:colons' });
    expect(await login(config, 'python:3')).toMatchObject({
      username: 'hub',
      serveraddress: 'https://index.docker.io/v1/',
    });
    expect(await login(config, 'token.example.com/x')).toEqual({
      identitytoken: 'tok',
      serveraddress: 'token.example.com',
    });
    expect(await login(config, 'other.example.com/x')).toBeUndefined();
    expect(warn).not.toHaveBeenCalled();
  });

  it('asks a helper, one for the registry before the general one', async () => {
    helper(
      'one',
      'read server; echo "{\\"ServerURL\\":\\"$server\\",\\"Username\\":\\"<token>\\",\\"Secret\\":\\"$server\\"}"',
    );
    helper('all', 'echo \'{"Username":"a","Secret":"b"}\'');
    const config = { credsStore: 'all', credHelpers: { 'r.example.com': 'one' } };
    expect(await login(config, 'r.example.com/x')).toMatchObject({ identitytoken: 'r.example.com' });
    expect(await login(config, 'other.example.com/x')).toMatchObject({ username: 'a', password: 'b' });
  });

  it('pulls without credentials when a helper knows none, is broken or missing', async () => {
    helper('empty', 'echo "credentials not found in native keychain"; exit 1');
    helper('odd', 'echo secret-nonsense');
    expect(await login({ credsStore: 'empty' }, 'x')).toBeUndefined();
    expect(warn).not.toHaveBeenCalled();
    for (const credsStore of ['odd', 'missing', '../evil']) {
      expect(await login({ credsStore }, 'x')).toBeUndefined();
    }
    expect(await login('{"auths": secret-nonsense', 'x')).toBeUndefined();
    expect(warn).toHaveBeenCalledTimes(4);
    expect(JSON.stringify(warn.mock.calls)).not.toContain('secret');
  });

  it('has no configuration at all', async () => {
    const logins = new DockerLogins({ configFolder: join(tree.root, 'none') });
    expect(await logins.headerFor('x', undefined, signal)).toBeUndefined();
  });

  it('ends with the call', async () => {
    helper('slow', 'exec sleep 30');
    tree.write({ 'config.json': '{"credsStore":"slow"}' });
    const env = { PATH: `${join(tree.root, 'bin')}:${process.env['PATH'] ?? ''}` };
    const abort = new AbortController();
    const asking = new DockerLogins({ configFolder: tree.root, env }).headerFor('x', undefined, abort.signal);
    setTimeout(() => abort.abort(), 50);
    await expect(asking).rejects.toMatchObject({ name: 'AbortError' });
  });
});
