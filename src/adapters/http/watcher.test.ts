import { afterEach, describe, expect, it } from 'vitest';
import { scriptedUseCases } from '../../../test/support/scripted-use-cases.js';
import { type StartedServer, startServer } from '../../../test/support/http-server.js';
import type { HostUseCases } from '../../application/use-cases.js';
import { permissionDenied } from '../../domain/error/errors.js';

let server: StartedServer | undefined;
afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
});

/** What the controller asked of the host. */
async function serve(host: Partial<HostUseCases> = {}): Promise<{ asked: unknown[]; call: StartedServer['call'] }> {
  const asked: unknown[] = [];
  server = await startServer(
    scriptedUseCases({
      host: {
        serviceState: () => Promise.resolve('active'),
        control: (action) => Promise.resolve(asked.push(action) > 0),
        fstab: () => Promise.resolve('# fstab\n'),
        listMounts: () => Promise.resolve(['/mnt/a']),
        mount: (request) => Promise.resolve((asked.push(request), `/mnt/${request.name}`)),
        unmount: (name, forget) => Promise.resolve((asked.push([name, forget]), `/mnt/${name}`)),
        ...host,
      },
    }),
  );
  return { asked, call: server.call };
}

async function text(path: string, init: RequestInit = {}): Promise<{ status: number; body: string }> {
  const response = await fetch(`${server?.url ?? ''}${path}`, {
    ...init,
    headers: { 'x-backendai-watcher-token': 'a-token-for-tests-0123456789abcdef', 'content-type': 'application/json' },
  });
  return { status: response.status, body: await response.text() };
}

describe('control calls', () => {
  it('say what the service manager says', async () => {
    const { call } = await serve();
    expect(await call('GET', '/')).toEqual({
      status: 200,
      body: { 'agent-status': 'active', 'watcher-status': 'active' },
    });
  });

  it.each(['agent/start', 'agent/stop', 'agent/restart', 'soft-reset', 'hard-reset', 'shutdown'])(
    'POST /%s',
    async (path) => {
      const { asked, call } = await serve();
      expect(await call('POST', `/${path}`)).toEqual({ status: 200, body: { result: 'ok' } });
      expect(asked).toEqual([path.replace('agent/', '')]);
    },
  );

  it('answer like the reference on a machine without a service manager', async () => {
    const { call } = await serve({ control: () => Promise.resolve(false), serviceState: () => Promise.resolve(null) });
    expect(await call('POST', '/agent/restart')).toEqual({
      status: 200,
      body: { message: 'Agent is not loaded with systemctl.' },
    });
    expect((await call('GET', '/')).body).toMatchObject({ 'agent-status': 'active' });
  });

  it('refuse an action that there is not, and what is not allowed', async () => {
    const { asked, call } = await serve({
      control: () => Promise.reject(permissionDenied('soft resets are not allowed')),
    });
    expect((await call('POST', '/agent/explode')).status).toBe(404);
    expect((await call('POST', '/soft-reset')).status).toBe(403);
    expect(asked).toEqual([]);
  });

  it('need the token', async () => {
    await serve();
    expect((await fetch(`${server?.url ?? ''}/`)).status).toBe(403);
  });
});

describe('mounts', () => {
  it('are listed, mounted and unmounted', async () => {
    const { asked, call } = await serve();
    expect(await call('GET', '/mounts')).toEqual({ status: 200, body: ['/mnt/a'] });
    const body = JSON.stringify({ name: 'a', fs_location: 'nas:/a', edit_fstab: true });
    expect(await text('/mounts', { method: 'POST', body })).toEqual({ status: 200, body: 'mounted at /mnt/a' });
    expect(await text('/mounts', { method: 'DELETE', body: '{"name":"a"}' })).toEqual({
      ...{ status: 200, body: 'unmounted /mnt/a' },
    });
    expect(asked).toEqual([{ name: 'a', source: 'nas:/a', type: 'nfs', options: '', persist: true }, ['a', false]]);
  });

  it.each([
    ['no location', { name: 'a' }, 'fs_location'],
    ['a location that is an option', { name: 'a', fs_location: '-o exec' }, 'fs_location'],
    ['another fstab', { name: 'a', fs_location: 'nas:/a', fstab_path: '/etc/shadow' }, 'fstab_path'],
    ['a control character', { name: 'a', fs_location: 'nas:/a', options: 'ro\nrw' }, 'options'],
  ])('are refused with %s', async (_, body, field) => {
    const { asked, call } = await serve();
    expect(await call('POST', '/mounts', body)).toMatchObject({ status: 400, body: { field } });
    expect(asked).toEqual([]);
  });

  it('show this machine’s fstab and no other file', async () => {
    await serve();
    expect(await text('/fstab')).toEqual({ status: 200, body: '# fstab\n' });
    expect((await text('/fstab?fstab_path=/etc/shadow')).status).toBe(400);
  });
});
