import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemdServices } from './systemd-services.adapter.js';

const call = { signal: new AbortController().signal, timeoutMs: 5_000 };
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'systemd-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** A program that writes down its arguments, says `stdout` and `stderr`, and exits with `code`. */
async function services(code: number, stdout: string, stderr = ''): Promise<SystemdServices> {
  const path = join(folder, 'systemctl');
  await writeFile(
    path,
    `#!/bin/sh\nprintf '%s\\n' "$@" > ${folder}/args\necho "${stdout}"\necho "${stderr}" >&2\nexit ${code}\n`,
  );
  await chmod(path, 0o755);
  return new SystemdServices({ systemctl: path, systemdRun: path });
}

const given = async () => (await readFile(join(folder, 'args'), 'utf8')).trimEnd().split('\n');

describe('SystemdServices', () => {
  it('tells the state of a unit, whatever exit status it comes with', async () => {
    expect(await (await services(0, 'active')).state('a.service', call)).toBe('active');
    expect(await (await services(3, 'inactive')).state('a.service', call)).toBe('inactive');
    expect(await given()).toEqual(['is-active', 'a.service']);
  });

  it('queues an action without waiting for its end', async () => {
    expect(await (await services(0, '')).act('restart', 'a.service', call)).toBe(true);
    expect(await given()).toEqual(['--no-block', 'restart', 'a.service']);
  });

  it('gives unit names to the shell as arguments, never as text of the script', async () => {
    expect(await (await services(0, '')).cycle('a.service', 'docker.service', call)).toBe(true);
    const args = await given();
    expect(args.slice(-3)).toEqual(['sh', 'a.service', 'docker.service']);
  });

  it('knows a machine without systemd, by a missing program or by what it says', async () => {
    const missing = new SystemdServices({ systemctl: join(folder, 'none'), systemdRun: join(folder, 'none') });
    expect(await missing.state('a.service', call)).toBeUndefined();
    expect(await missing.powerOff(call)).toBe(false);
    const container = await services(1, '', 'System has not been booted with systemd as init system (PID 1).');
    expect(await container.act('stop', 'a.service', call)).toBe(false);
  });

  it('tells what systemd refused', async () => {
    const refusing = await services(5, '', 'Unit nope.service not found.');
    await expect(refusing.act('start', 'nope.service', call)).rejects.toThrow('Unit nope.service not found');
  });
});
