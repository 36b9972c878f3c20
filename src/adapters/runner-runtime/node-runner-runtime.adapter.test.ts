import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NodeRunnerRuntime } from './node-runner-runtime.adapter.js';

const addon = join(
  dirname(createRequire(import.meta.url).resolve('zeromq/package.json')),
  `build/linux/${process.arch}/node/glibc-127-Release/addon.node`,
);
const call = () => ({ signal: AbortSignal.timeout(30_000) });
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'runtime-'));
  mkdirSync(join(root, 'bundle'));
  copyFileSync(addon, join(root, `bundle/zeromq-${process.arch}.node`));
  writeFileSync(join(root, 'bundle/zeromq-other.node'), 'of another architecture');
  writeFileSync(join(root, 'bundle/main.cjs'), 'console.log(process.argv.slice(2).join());');
});
afterEach(() => rmSync(root, { recursive: true }));

const create = () =>
  new NodeRunnerRuntime({ runtimeRoot: join(root, 'runtime'), bundleDirectory: join(root, 'bundle') });

/** Starts it as a container would, with the runtime's folder in place of the mount. */
const runLaunch = (runtime: NodeRunnerRuntime, type: string, path?: string): string => {
  const launch = runtime.launch(type, path);
  const { source, target } = launch.mounts[0]!;
  const [program = '', ...args] = [...launch.entrypoint, ...launch.cmd].map((part) => part.replace(target, source));
  return execFileSync(program, args, { env: {} }).toString().trim();
};

describe('NodeRunnerRuntime', () => {
  it('assembles a folder that runs by itself, once', async () => {
    const runtime = create();
    await runtime.prepare(call());
    expect(runLaunch(runtime, 'python', '/usr/bin/python3')).toBe('python,/usr/bin/python3');
    expect(runLaunch(runtime, 'app')).toBe('app');
    const [folder] = readdirSync(join(root, 'runtime'));
    expect(readdirSync(join(root, 'runtime', folder!, 'runner')).sort()).toEqual([
      'main.cjs',
      `zeromq-${process.arch}.node`,
    ]);
    const inode = statSync(join(root, 'runtime', folder!)).ino;
    await create().prepare(call());
    expect(readdirSync(join(root, 'runtime'))).toEqual([folder]);
    expect(statSync(join(root, 'runtime', folder!)).ino).toBe(inode);
  });

  it('mounts read-only, asks for three capabilities and blanks what would act on a root process', async () => {
    const runtime = create();
    await runtime.prepare(call());
    const launch = runtime.launch('app', undefined);
    expect(launch.mounts).toEqual([
      expect.objectContaining({ type: 'bind', target: '/opt/backend.ai', readOnly: true }),
    ]);
    expect(launch.capAdd).toEqual(['SETUID', 'SETGID', 'KILL']);
    expect(launch.env).toMatchObject({ LD_PRELOAD: '', NODE_OPTIONS: '', OPENSSL_CONF: '' });
  });

  it('can be made by several at the same time', async () => {
    for (let round = 0; round < 5; round += 1) {
      rmSync(join(root, 'runtime'), { recursive: true, force: true });
      await Promise.all([create(), create(), create(), create()].map((runtime) => runtime.prepare(call())));
      expect(readdirSync(join(root, 'runtime'))).toHaveLength(1);
    }
    const runtimes = [create(), create(), create()];
    rmSync(join(root, 'runtime', readdirSync(join(root, 'runtime'))[0]!, 'runner'), { recursive: true });
    await Promise.all(runtimes.map((runtime) => runtime.prepare(call())));
    for (const runtime of runtimes) expect(runLaunch(runtime, 'app')).toBe('app');
  });

  it('replaces a damaged folder and makes another one for another program', async () => {
    await create().prepare(call());
    const [folder] = readdirSync(join(root, 'runtime'));
    rmSync(join(root, 'runtime', folder!, 'runner/main.cjs'));
    const repaired = create();
    await repaired.prepare(call());
    expect(runLaunch(repaired, 'app')).toBe('app');
    truncateSync(join(root, 'bundle/main.cjs'));
    await create().prepare(call());
    expect(readdirSync(join(root, 'runtime')).filter((name) => !name.includes('.'))).toHaveLength(2);
  });

  it('says what is missing', async () => {
    expect(() => create().launch('app', undefined)).toThrow('before it was prepared');
    rmSync(join(root, 'bundle'), { recursive: true });
    await expect(create().prepare(call())).rejects.toMatchObject({ name: 'ConfigurationError' });
    const options = { runtimeRoot: root, bundleDirectory: root, architecture: 's390x' };
    await expect(new NodeRunnerRuntime(options).prepare(call())).rejects.toMatchObject({ allowed: 'x64, arm64' });
    const aborted = { signal: AbortSignal.abort() };
    await expect(create().prepare(aborted)).rejects.toMatchObject({ name: 'AbortError' });
  });
});
