import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KernelSpec, VfolderMount } from '../../src/domain/kernel/kernel-spec.js';
import { testImage, type TestImageKind } from '../support/images.js';
import { docker, LocalAgent, newKernelId } from '../support/local-agent.js';
import { listenOn } from '../support/tcp-listener.js';

let agent: LocalAgent;
let folder: string;
let python: string;

beforeAll(async () => {
  python = await testImage('python');
  folder = await mkdtemp(join(tmpdir(), 'backend-ai-mounts-'));
  agent = await LocalAgent.start();
});
afterEach(async () => {
  await Promise.all(agent.useCases.listKernels().map(({ kernelId }) => agent.destroy(kernelId)));
  expect(await agent.leftovers()).toEqual([]);
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function mount(hostPath: string, change: Partial<VfolderMount> = {}): VfolderMount {
  const name = 'data';
  return { name, hostPath, kernelPath: `/home/work/${name}`, permission: 'rw', usageMode: 'general', ...change };
}

const PROGRAMS: Readonly<Record<Exclude<TestImageKind, 'redis' | 'musl'>, readonly [set: string, show: string]>> = {
  python: ['x = 6', 'print(x * 7)'],
  jupyter: ['x = 6', 'print(x * 7)'],
  node: ['var x = 6', 'console.log(x * 7)'],
  busybox: ['x=6', 'echo $((x * 7))'],
};

describe.each(Object.entries(PROGRAMS))('a kernel of image %s', (kind, [set, show]) => {
  it('runs code that keeps its state, forgets it at a restart, and is gone when it is destroyed', async () => {
    const image = await testImage(kind as TestImageKind);
    const made = await agent.create(image);
    const { kernelId } = made;
    expect(await agent.run(kernelId, set)).toMatchObject({ status: 'finished', exitCode: 0 });
    expect(await agent.run(kernelId, show)).toMatchObject({ stdout: '42\n', stderr: '', exitCode: 0 });

    const again = await agent.useCases.restartKernel(kernelId, AbortSignal.timeout(60_000));
    expect(again.containerId).not.toBe(made.containerId);
    expect(again.servicePorts).toEqual(made.servicePorts);
    expect((await agent.run(kernelId, show)).stdout).not.toBe('42\n');
    expect(await agent.run(kernelId, set)).toMatchObject({ exitCode: 0 });
    expect(await agent.run(kernelId, show)).toMatchObject({ stdout: '42\n', stderr: '', exitCode: 0 });
    expect(await agent.home.containers()).toEqual([again.containerId]);

    await agent.destroy(kernelId);
    expect(agent.endsOf(kernelId)).toMatchObject([{ reason: 'user-requested' }]);
  });
});

describe('what a kernel may use', () => {
  it('is limited as it was asked: cores, time, memory, processes, privileges', async () => {
    const { kernelId, containerId, allocation } = await agent.create(python, {
      resourceSlots: { cpu: '1', mem: '192m' },
    });
    const [inspected] = JSON.parse(await docker('inspect', containerId)) as {
      HostConfig: Record<string, unknown>;
      Config: { Labels: Record<string, string> };
    }[];
    const core = Object.keys(allocation['cpu']!['cpu']!)[0]!;
    expect(inspected!.HostConfig).toMatchObject({
      CpusetCpus: core,
      Memory: 192 * 2 ** 20,
      MemorySwap: 192 * 2 ** 20,
      PidsLimit: agent.settings.container.pidsLimit,
      SecurityOpt: expect.arrayContaining(['no-new-privileges']),
      CapDrop: ['ALL'],
      Privileged: false,
    });
    const code = `
import os
status = dict(line.split(':\\t', 1) for line in open('/proc/self/status').read().splitlines() if ':\\t' in line)
print(status['CapEff'], status['CapPrm'], status['CapBnd'] != '0' * 16, status['NoNewPrivs'], status['Cpus_allowed_list'])
print(os.getuid(), os.getgid(), os.getcwd())
def first(*paths):
    return next(open(path).read().split() for path in paths if os.path.exists(path))
print(first('/sys/fs/cgroup/memory/memory.limit_in_bytes', '/sys/fs/cgroup/memory.max')[0])
print(first('/sys/fs/cgroup/pids/pids.max', '/sys/fs/cgroup/pids.max')[0])
print(first('/sys/fs/cgroup/cpu/cpu.cfs_quota_us', '/sys/fs/cgroup/cpu.max')[0])`;
    const { stdout } = await agent.run(kernelId, code);
    const zero = '0'.repeat(16);
    expect(stdout.trim().split('\n')).toEqual([
      expect.stringMatching(new RegExp(`^${zero} ${zero} (True|False) 1 ${core}$`)),
      '9001 9001 /home/work',
      String(192 * 2 ** 20),
      String(agent.settings.container.pidsLimit),
      '100000',
    ]);
    expect(agent.useCases.status().slots.occupied).toMatchObject({ cpu: '1', mem: String(192 * 2 ** 20) });
  });

  it('shares out cores: two kernels have one each, a third is refused until one is gone', async () => {
    const { total } = agent.useCases.status().slots;
    const cores = Number(total['cpu']);
    const kernels = await Promise.all(
      Array.from({ length: cores }, () => agent.create(python, { resourceSlots: { cpu: '1', mem: '64m' } })),
    );
    const used = kernels.map(({ allocation }) => Object.keys(allocation['cpu']!['cpu']!)[0]);
    expect(new Set(used).size).toBe(cores);
    await expect(agent.create(python)).rejects.toMatchObject({
      name: 'InsufficientResource',
      field: expect.any(String),
    });
    await agent.destroy(kernels[0]!.kernelId);
    await agent.create(python, { resourceSlots: { cpu: '1', mem: '64m' } });
  });
});

describe('what a kernel sees', () => {
  it('has its environment, mounts by permission, and files of its own', async () => {
    for (const name of ['ro', 'rw']) {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, 'given'), name);
    }
    const { kernelId } = await agent.create(python, {
      environ: { GREETING: 'grüß "dich" $HOME', EMPTY: '' },
      mounts: [
        mount(join(folder, 'ro'), { name: 'ro', kernelPath: '/home/work/ro', permission: 'ro' }),
        mount(join(folder, 'rw'), { name: 'rw', kernelPath: '/mnt/rw' }),
      ],
      dotfiles: [{ path: '.config/mine', mode: 0o600, data: 'dot' }],
      bootstrapScript: '#!/bin/sh\necho booted > /home/work/booted\n',
    });
    const code = `
import os
print([os.environ[name] for name in ('GREETING', 'EMPTY', 'HOME', 'BACKENDAI_KERNEL_ID')])
print(open('/home/work/ro/given').read(), open('/mnt/rw/given').read(), open('/home/work/.config/mine').read())
for path in ('/home/work/ro/new', '/home/config/new', '/new'):
    try:
        open(path, 'w')
        print('wrote', path)
    except OSError as error:
        print(error.strerror)
with open('/home/work/new', 'w') as file:
    print(file.write('made inside'))`;
    const { stdout, stderr } = await agent.run(kernelId, code);
    expect(stderr).toBe('');
    expect(stdout.trim().split(/\n+/)).toEqual([
      expect.stringContaining("['grüß \"dich\" $HOME', '', '/home/work',"),
      ...['ro rw dot', 'Read-only file system', 'Read-only file system', 'Permission denied', '11'],
    ]);
    const work = join(agent.home.scratchRoot, kernelId, 'work');
    expect(await readFile(join(work, 'new'), 'utf8')).toBe('made inside');
    for (const name of ['.', 'new', '.config/mine'])
      expect(await stat(join(work, name))).toMatchObject({ uid: 9001, gid: 9001 });
    expect((await stat(join(work, '.config/mine'))).mode & 0o777).toBe(0o600);
    await agent.destroy(kernelId);
    expect(await readFile(join(folder, 'rw', 'given'), 'utf8')).toBe('rw');
  });

  it('is removed also where root wrote, where nobody may look, and not beyond a symlink', async () => {
    await writeFile(join(folder, 'precious'), 'kept');
    const { kernelId, containerId } = await agent.create(python);
    await docker('exec', '--user', '0', containerId, 'sh', '-c', 'true');
    const work = join(agent.home.scratchRoot, kernelId, 'work');
    await mkdir(join(work, 'of-root', 'deep'), { recursive: true, mode: 0o700 });
    await writeFile(join(work, 'of-root', 'deep', 'file'), 'x', { mode: 0o000 });
    await symlink(folder, join(work, 'out'));
    const code = `
import os
os.makedirs('closed/inner')
open('closed/inner/file', 'w').close()
os.chmod('closed/inner/file', 0); os.chmod('closed/inner', 0); os.chmod('closed', 0)`;
    expect(await agent.run(kernelId, code)).toMatchObject({ exitCode: 0, stderr: '' });
    await agent.destroy(kernelId);
    expect(await agent.leftovers()).toEqual([]);
    expect(await readFile(join(folder, 'precious'), 'utf8')).toBe('kept');
  });

  it('publishes a service port that can be reached, and is closed with it', async () => {
    const { kernelId, servicePorts } = await agent.create(python, { preopenPorts: [8123] });
    const port = servicePorts.find(({ name }) => name === '8123')!.hostPorts[0]!;
    await agent.run(
      kernelId,
      `
import http.server, threading
server = http.server.HTTPServer(('0.0.0.0', 8123), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
open('index.html', 'w').write('a page')`,
    );
    expect(await (await fetch(`http://127.0.0.1:${port}/index.html`)).text()).toBe('a page');
    await agent.destroy(kernelId);
    await expect(fetch(`http://127.0.0.1:${port}/index.html`)).rejects.toThrow();
  });
});

describe('a request that is wrong', () => {
  const cases: readonly (readonly [string, () => Partial<KernelSpec> | Promise<Partial<KernelSpec>>, object])[] = [
    [
      'an image that does not exist',
      () => ({ image: { canonical: 'no-such/image:1', isLocal: true, autoPull: 'none' } }),
      { name: 'ImageNotAvailable', field: 'image' },
    ],
    [
      'an image that no registry has',
      () => ({ image: { canonical: '127.0.0.1:1/no-such/image:1', isLocal: false, autoPull: 'tag' } }),
      { kind: 'operational', retryable: true, hint: expect.stringContaining('registry') },
    ],
    [
      'an image of another architecture',
      () => ({ image: { canonical: python, architecture: 'riscv64', isLocal: true, autoPull: 'none' } }),
      { name: 'ImageArchitectureMismatchError', field: 'image.architecture' },
    ],
    [
      '1,000 CPUs',
      () => ({ resourceSlots: { cpu: '1000', mem: '256m' } }),
      { name: 'InsufficientResource', field: 'resource_slots.cpu' },
    ],
    [
      'memory below the minimum',
      () => ({ resourceSlots: { cpu: '1', mem: '1m' } }),
      { field: 'resource_slots.mem', allowed: expect.any(String) },
    ],
    [
      '12 apples of memory',
      () => ({ resourceSlots: { cpu: '1', mem: '12 apples' } }),
      { field: 'resource_slots.mem', allowed: expect.any(String) },
    ],
    ['minus one CPU', () => ({ resourceSlots: { cpu: '-1', mem: '256m' } }), { field: 'resource_slots.cpu' }],
    [
      'a slot that nobody knows',
      () => ({ resourceSlots: { cpu: '1', mem: '256m', 'moon.rays': '1' } }),
      { field: expect.stringContaining('moon') },
    ],
    ['a mount of /', () => ({ mounts: [mount('/')] }), { field: expect.stringMatching(/^mounts\[0]/) }],
    [
      'a mount with ..',
      () => ({ mounts: [mount(`${folder}/../etc`)] }),
      { field: expect.stringMatching(/^mounts\[0]/) },
    ],
    [
      'a mount of the engine',
      () => ({ mounts: [mount('/var/run/docker.sock')] }),
      { field: expect.stringMatching(/^mounts\[0]/) },
    ],
    [
      "a mount of the agent's own",
      () => ({ mounts: [mount(agent.home.stateFolder)] }),
      { field: expect.stringMatching(/^mounts\[0]/) },
    ],
    [
      'a mount of nothing',
      () => ({ mounts: [mount(join(folder, 'missing'))] }),
      { field: expect.stringMatching(/^mounts\[0]/) },
    ],
    [
      'a mount of a symlink',
      async () => {
        await symlink('/etc', join(folder, 'link')).catch(() => undefined);
        return { mounts: [mount(join(folder, 'link'))] };
      },
      { field: expect.stringMatching(/^mounts\[0]/) },
    ],
    [
      'a mount out of the work folder',
      () => ({ mounts: [mount(folder, { kernelPath: '/home/work/../../etc' })] }),
      { field: expect.stringMatching(/^mounts\[0]/) },
    ],
    ['a variable with a newline', () => ({ environ: { A: 'a\nb' } }), { field: expect.stringContaining('environ') }],
    ['a variable with NUL', () => ({ environ: { A: 'a\0b' } }), { field: expect.stringContaining('environ') }],
    ['a variable without a name', () => ({ environ: { '': 'a' } }), { field: expect.stringContaining('environ') }],
    ['a host name of spaces', () => ({ clusterHostname: 'not a name' }), { field: 'cluster_hostname' }],
    ['the port of the runner', () => ({ preopenPorts: [2000] }), { name: 'ReservedPortError' }],
    ['a port twice', () => ({ preopenPorts: [8080, 8080] }), { name: 'PortConflictError' }],
    ['more shared memory than memory', () => ({ shmemBytes: 2 ** 40 }), { field: 'resource_opts.shmem' }],
  ];

  it.each(cases)('is refused with its reason and makes nothing: %s', async (_, changes, error) => {
    const kernelId = newKernelId();
    const refused = agent.create(python, { kernelId, ...(await changes()) });
    await expect(refused).rejects.toMatchObject({ kind: 'user', ...error });
    expect(await agent.leftovers()).toEqual([]);
    expect(agent.endsOf(kernelId)).toHaveLength(1);
  });

  it('finds the first kernel when it comes twice', async () => {
    const kernelId = newKernelId();
    const [first, second] = await Promise.all([agent.create(python, { kernelId }), agent.create(python, { kernelId })]);
    expect(second).toMatchObject({ containerId: first.containerId, created: false });
    expect(await agent.home.containers()).toEqual([first.containerId]);
  });

  it('is told when the port range is busy to the last port', async () => {
    const [first, last] = agent.settings.container.portRange;
    const others = await Promise.all(
      Array.from({ length: last - first - 1 }, (_, index) => listenOn('0.0.0.0', first + index)),
    );
    try {
      await expect(agent.create(python, { preopenPorts: [8080] })).rejects.toMatchObject({
        name: 'PortPoolExhaustedError',
        field: 'container.port-range',
        hint: expect.any(String),
      });
      expect(await docker('ps', '-aq', '--filter', `label=ai.backend.owner=${agent.settings.agentId}`)).toBe('');
    } finally {
      await Promise.all(others.map((listener) => listener[Symbol.asyncDispose]()));
    }
  });
});
