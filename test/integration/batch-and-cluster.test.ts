import { execFile } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import ssh2 from 'ssh2';
import type { CreatedKernel, ExecuteRequest } from '../../src/application/use-cases.js';
import type { KernelId } from '../../src/domain/kernel/kernel-id.js';
import { testImage } from '../support/images.js';
import type { SshKeypair } from '../../src/domain/kernel/kernel-spec.js';
import { docker, LocalAgent } from '../support/local-agent.js';

const run = promisify(execFile);
const WAIT_MS = 30_000;

let agent: LocalAgent;
let python: string;

beforeAll(async () => {
  python = await testImage('python');
  agent = await LocalAgent.start();
});
afterEach(async () => {
  await Promise.all(agent.useCases.listKernels().map(({ kernelId }) => agent.destroy(kernelId)));
  expect(await agent.leftovers()).toEqual([]);
});
afterAll(() => agent[Symbol.asyncDispose]());

async function until<T>(find: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + WAIT_MS; Date.now() < end;) {
    const found = await find();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('it did not happen');
}

/** As a Manager makes it: RSA in PKCS #1 (rpc.md §6.5.5). */
function sessionKeypair(): SshKeypair {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  const key = ssh2.utils.parseKey(privateKey);
  if (key instanceof Error) throw key;
  return { privateKey, publicKey: `ssh-rsa ${key.getPublicSSH().toString('base64')}` };
}

/** What a command in the kernel prints. */
async function shell(kernelId: KernelId, command: string): Promise<string> {
  const batch = { clean: '', build: '', exec: command };
  const texts: string[] = [];
  let runId: string | null = null;
  for (;;) {
    const mode: 'batch' | 'continue' = runId === null ? 'batch' : 'continue';
    const request: ExecuteRequest = { kernelId, runId, mode, code: '', batch, flushTimeoutMs: null };
    const result = await agent.useCases.execute(request, AbortSignal.timeout(WAIT_MS));
    runId = result.runId;
    texts.push(...result.console.map(([, text]) => String(text)));
    if (result.status === 'finished') return texts.join('');
  }
}

async function logOf(kernelId: KernelId): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of agent.useCases.logs(kernelId, {}, AbortSignal.timeout(WAIT_MS))) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('a batch session', () => {
  const trigger = ({ kernelId, sessionId }: CreatedKernel, code: string, timeoutMs: number | null = null) =>
    agent.useCases.kernelCare.triggerBatch({ kernelId, sessionId, code, timeoutMs }, AbortSignal.timeout(WAIT_MS));
  const outcomes = ({ sessionId }: CreatedKernel) =>
    agent.events.flatMap(({ event }) =>
      (event.name === 'session_success' || event.name === 'session_failure') && event.body.session_id === sessionId
        ? [[event.name, event.body.reason, event.body.exit_code]]
        : [],
    );
  const create = (image = python, changes: Parameters<LocalAgent['create']>[1] = {}) =>
    agent.create(image, { sessionType: 'batch', sessionId: crypto.randomUUID() as never, ...changes });

  it.each(['python', 'busybox'] as const)(
    'in %s ends with its exit code, and all it wrote is in the log',
    async (kind) => {
      const image = await testImage(kind);
      const [good, bad] = await Promise.all([create(image), create(image)]);
      await trigger(good, 'echo done; echo "and told" >&2');
      await trigger(bad, 'i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done; exit 3');
      expect(await until(() => outcomes(good)[0])).toEqual(['session_success', 'task-finished', 0]);
      expect(await until(() => outcomes(bad)[0])).toEqual(['session_failure', 'task-failed', 3]);
      expect(await logOf(good.kernelId)).toMatch(/done\r?\n/);
      expect(await logOf(good.kernelId)).toMatch(/and told\r?\n/);
      expect((await logOf(bad.kernelId)).match(/line \d+\r?\n/g)).toHaveLength(5000);
    },
  );

  it('is stopped at its limit, whatever it thinks of interrupts', async () => {
    const kernel = await create();
    await trigger(kernel, 'trap "" INT; echo begun; sleep 61273; sleep 61274', 500);
    expect(await until(() => outcomes(kernel)[0])).toEqual(['session_failure', 'task-timeout', -2]);
    await until(async () => ((await docker('top', kernel.containerId)).includes('sleep 6127') ? undefined : true));
    expect(outcomes(kernel)).toHaveLength(1);
  });

  it('that ends with its container is told by the kernel’s event alone', async () => {
    const kernel = await create();
    await trigger(kernel, 'sleep 600');
    await docker('kill', kernel.containerId);
    expect(await until(() => agent.endsOf(kernel.kernelId)[0])).toMatchObject({ reason: 'self-terminated' });
    expect(outcomes(kernel)).toEqual([]);
  });

  it.each([
    ['while no agent was there', 'sleep 1; echo late'],
    ['after an agent came back', 'sleep 2; echo late'],
  ])('goes on when the agent is killed, and its end is told once: %s', async (_when, code) => {
    const kernel = await create();
    await trigger(kernel, `echo early; ${code}; exit 5`);
    await until(async () => ((await logOf(kernel.kernelId)).includes('early') ? true : undefined));
    const hasEnded = async () => ((await docker('logs', kernel.containerId)).includes('late') ? true : undefined);
    agent = await agent.again(() => (code.includes('2') ? Promise.resolve() : until(hasEnded)));
    expect(await until(() => outcomes(kernel)[0])).toEqual(['session_failure', 'task-failed', 5]);
    expect((await logOf(kernel.kernelId)).match(/early|late/g)).toEqual(['early', 'late']);
    agent = await agent.again();
    expect(await agent.run(kernel.kernelId, 'print(1)')).toMatchObject({ exitCode: 0 });
    expect(outcomes(kernel)).toEqual([]);
  });
});

describe('a cluster of two kernels', () => {
  const network = `bai-test-cluster-${randomBytes(4).toString('hex')}`;
  const session = sessionKeypair();
  beforeAll(() => docker('network', 'create', network));
  afterAll(() => docker('network', 'rm', network));

  const create = (image: string, role: string) => {
    const name = `${role}1`;
    return agent.create(image, {
      sessionType: 'interactive',
      clusterRole: role,
      clusterHostname: name,
      environ: { BACKENDAI_CLUSTER_REPLICAS: 'main:1,sub:1' },
      cluster: {
        ...{ mode: 'single-node', size: 2, replicas: { main: 1, sub: 1 } },
        networkConfig: { mode: 'bridge', network_name: network },
        sshKeypair: session,
      },
    });
  };

  it.each(['python', 'busybox'] as const)('reaches each other by ssh without any question, in %s', async (kind) => {
    const image = await testImage(kind);
    const [main, sub] = await Promise.all([create(image, 'main'), create(image, 'sub')]);
    for (const [from, to] of [
      [main, 'sub1'],
      [sub, 'main1'],
    ] as const) {
      const command = `echo typed | ssh ${to} 'cat; cat /etc/hostname; id -u; exit 4' 2>&1; echo $?`;
      expect(await shell(from.kernelId, command)).toBe(`typed\n${to}\n9001\n4\n`);
    }
  });

  it('publishes SSH of every kernel', async () => {
    const kernel = await create(python, 'sub');
    expect(kernel.servicePorts.map(({ name, containerPorts }) => [name, containerPorts])).toEqual([
      ['sshd', [2200]],
      ['ttyd', [7681]],
    ]);
    const key = join(agent.home.folder, 'session-key');
    await writeFile(key, session.privateKey, { mode: 0o600 });
    const port = kernel.servicePorts[0]?.hostPorts[0];
    const login = [
      '-F',
      '/dev/null',
      '-i',
      key,
      '-p',
      String(port),
      '-o',
      'BatchMode=yes',
      '-o',
      'StrictHostKeyChecking=no',
    ];
    const known = ['-o', `UserKnownHostsFile=${key}.known`];
    const { stdout } = await run('ssh', [...login, ...known, 'work@127.0.0.1', 'cat /etc/hostname']);
    expect(stdout).toBe('sub1\n');
  });
});

describe('a kernel as a Manager asks for it', () => {
  const labels = {
    'ai.backend.envs.corecount': 'OPENBLAS_NUM_THREADS,OMP_NUM_THREADS,NPROC',
    'ai.backend.features': 'query batch uid-match user-input',
    'ai.backend.runtime-path': '/usr/bin/python3',
    'ai.backend.runtime-type': 'python',
    'ai.backend.service-ports': 'ipython:pty:3000,jupyter:http:8081,jupyterlab:http:8090',
  };
  const create = (changes: Parameters<LocalAgent['create']>[1] = {}) =>
    agent.create(python, { image: { canonical: python, isLocal: true, autoPull: 'none', labels }, ...changes });

  it('has its environment, its files and its bootstrap script, which ran once', async () => {
    const keys = sessionKeypair();
    const { kernelId } = await create({
      environ: { LAB_VAR: 'läb ✓', BACKENDAI_SESSION_NAME: 'lab', OMP_NUM_THREADS: '7', HOME: '/home/work' },
      bootstrapScript: '#!/bin/sh\necho booted as $(id -u) in $PWD | tee -a /home/work/boot.txt\n',
      dotfiles: [{ path: '.config/tool/rc', mode: 0o600, data: 'set x' }],
      sshKeypair: keys,
      dockerCredentials: { 'registry.example': { auth: 'secret' } },
    });
    expect(await logOf(kernelId)).toContain('booted as 9001 in /home/work');
    const env = await shell(kernelId, 'env');
    for (const line of ['LAB_VAR=läb ✓', 'NPROC=1', 'OPENBLAS_NUM_THREADS=1', 'OMP_NUM_THREADS=7', 'HOME=/home/work']) {
      expect(env.split('\n')).toContain(line);
    }
    expect(env).toMatch(/^BACKENDAI_KERNEL_ID=/m);
    expect(env).toMatch(/^BACKENDAI_CLUSTER_HOST=main1$/m);
    expect(await shell(kernelId, 'cat boot.txt')).toBe('booted as 9001 in /home/work\n');
    const modes = 'stat -c "%a %U %n" .bashrc .config/tool/rc .ssh .ssh/authorized_keys .ssh/id_rsa id_container';
    expect(await shell(kernelId, modes)).toBe(
      [
        ...['644 work .bashrc', '600 work .config/tool/rc', '700 work .ssh', '600 work .ssh/authorized_keys'],
        ...['600 work .ssh/id_rsa', '600 work id_container', ''],
      ].join('\n'),
    );
    expect(await shell(kernelId, 'cat /home/config/docker-creds.json id_container')).toBe(
      `{"registry.example":{"auth":"secret"}}${keys.privateKey}`,
    );
  });

  it('says at once that a service cannot be started, and why', async () => {
    const { kernelId, servicePorts } = await create();
    expect(servicePorts.map(({ name }) => name)).toEqual(['sshd', 'ttyd', 'jupyter', 'jupyterlab']);
    const start = (name: string) => agent.useCases.startService(kernelId, name, {}, AbortSignal.timeout(10_000));
    expect(await start('jupyter')).toMatchObject({ status: 'failed', error: expect.stringContaining('"notebook"') });
    expect(await start('ipython')).toEqual({ status: 'failed', error: 'invalid service name' });
    expect(await start('sshd')).toEqual({ status: 'running' });
  });

  it('takes two clients at once, and a run without a name', async () => {
    const { kernelId } = await create();
    const results = await Promise.all([1, 2, 3].map((number) => agent.run(kernelId, `print(${number} * 111)`)));
    expect(results.map(({ stdout, exitCode }) => [stdout, exitCode])).toEqual(
      [1, 2, 3].map((n) => [`${n * 111}\n`, 0]),
    );
  });

  it('tells an interrupt as one', async () => {
    const { kernelId } = await create();
    const running = agent.run(kernelId, 'import time\nprint("on", flush=True)\ntime.sleep(60)', (text) => {
      if (text.includes('on')) void agent.useCases.interrupt(kernelId, AbortSignal.timeout(WAIT_MS));
    });
    expect(await running).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('KeyboardInterrupt') });
  });
});
