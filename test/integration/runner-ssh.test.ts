import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildRunner } from '../../scripts/build-runner.mjs';
import { ed25519Key } from '../../runner/ssh/ed25519-key.js';
import { NodeRunnerRuntime } from '../../src/adapters/runner-runtime/node-runner-runtime.adapter.js';
import { testImage } from '../support/images.js';
import { RunnerContainer } from '../support/runner-container.js';

const run = promisify(execFile);
const CLIENT_MS = 30_000;

async function hasOpenSsh(): Promise<boolean> {
  try {
    await run('ssh', ['-V']);
    return true;
  } catch {
    return false;
  }
}

const isHere = await hasOpenSsh();
if (!isHere) process.stderr.write('SKIPPED: no OpenSSH client here (Debian: apt-get install openssh-client)\n');

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program of OpenSSH with something typed into it. */
function client(program: string, args: readonly string[], input?: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { timeout: CLIENT_MS });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (data: Buffer) => out.push(data));
    child.stderr.on('data', (data: Buffer) => err.push(data));
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }),
    );
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

describe.runIf(isHere)('sshd of the runner', () => {
  const user = ed25519Key(randomBytes(32), 'user');
  const seed = randomBytes(32);
  const started: RunnerContainer[] = [];
  let root: string;
  let runtime: NodeRunnerRuntime;
  let python: RunnerContainer;
  let options: string[];

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'runner-ssh-'));
    await buildRunner(join(root, 'bundle'));
    runtime = new NodeRunnerRuntime({ runtimeRoot: join(root, 'runtime'), bundleDirectory: join(root, 'bundle') });
    await runtime.prepare({ signal: AbortSignal.timeout(60_000) });
    await writeFile(join(root, 'id'), user.privateKey, { mode: 0o600 });
    python = await start('python');
    options = await clientOptions(python);
  });
  afterAll(async () => {
    await Promise.all(started.map((container) => container.remove()));
    await rm(root, { recursive: true, force: true });
  });

  async function start(image: 'python' | 'busybox' | 'musl'): Promise<RunnerContainer> {
    const container = await RunnerContainer.start(await testImage(image), runtime.launch('app', undefined), {
      config: { 'ssh/host_key.seed': seed.toString('hex'), 'ssh/id_cluster.pub': user.publicKey },
      environTxt: 'MINE=of the kernel\n',
      args: ['--publish', '127.0.0.1::2200'],
    });
    started.push(container);
    await container.ask('status', '', 'status');
    return container;
  }

  /** Without anything of this machine's user. */
  async function clientOptions(container: RunnerContainer, key = join(root, 'id')): Promise<string[]> {
    const port = await container.portOf(2200);
    const settings = [`Port=${port}`, 'User=work', `IdentityFile=${key}`, 'IdentitiesOnly=yes', 'BatchMode=yes'];
    const known = ['StrictHostKeyChecking=no', `UserKnownHostsFile=${join(root, `known-${port}`)}`, 'LogLevel=ERROR'];
    return ['-F', '/dev/null', ...[...settings, ...known].flatMap((setting) => ['-o', setting])];
  }

  it.each(['python', 'busybox', 'musl'] as const)('runs commands in %s as the kernel’s user', async (image) => {
    const own = image === 'python' ? options : await clientOptions(await start(image));
    const command = 'echo "$MINE"; id -u; pwd; cat; echo oops >&2; exit 7';
    expect(await client('ssh', [...own, '127.0.0.1', command], 'typed\n')).toEqual({
      code: 7,
      stdout: 'of the kernel\n9001\n/home/work\ntyped\n',
      stderr: 'oops\n',
    });
    const killed = await client('ssh', [...own, '127.0.0.1', 'kill -9 $$']);
    expect(killed.code).toBe(255);
    const terminal = await client('ssh', [...own, '-tt', '127.0.0.1'], 'tty; stty size 2>/dev/null; exit 3\n');
    expect(terminal.code).toBe(3);
    // busybox as it is here has no tty applet.
    if (image === 'python') expect(terminal.stdout).toMatch(/\/dev\/pts\/\d+\r\n0 0|\/dev\/pts\/\d+\r\n24 80/);
  });

  it('has the host key of its seed and takes no other login', async () => {
    await client('ssh', [...options, '127.0.0.1', 'true']);
    const known = await readFile(join(root, `known-${await python.portOf(2200)}`), 'utf8');
    expect(known).toContain(ed25519Key(seed, '').publicKey.trim());
    const stranger = ed25519Key(randomBytes(32), '');
    await writeFile(join(root, 'stranger'), stranger.privateKey, { mode: 0o600 });
    const refused = await client('ssh', [
      ...(await clientOptions(python, join(root, 'stranger'))),
      '127.0.0.1',
      'true',
    ]);
    expect(refused).toMatchObject({ code: 255, stderr: expect.stringContaining('Permission denied (publickey)') });
    const administrator = options.map((word) => (word === 'User=work' ? 'User=root' : word));
    expect((await client('ssh', [...administrator, '127.0.0.1', 'true'])).code).toBe(255);
  });

  it('has a key to download for a user who brought none', async () => {
    const key = join(root, 'id_container');
    await run('docker', ['cp', `${python.id}:/home/work/id_container`, key]);
    await chmod(key, 0o600);
    const login = await client('ssh', [
      ...(await clientOptions(python, key)),
      '127.0.0.1',
      'cat ~/.ssh/authorized_keys',
    ]);
    expect(login).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ssh-ed25519 /) });
  });

  it('forwards ports both ways', async () => {
    const server = `python3 -c "
import socket
s = socket.create_server(('127.0.0.1', 8765))
c = s.accept()[0]
c.sendall(b'forwarded ' + c.recv(100))"`;
    const [local, remote] = [await freePort(), await freePort()];
    const echo = createServer((socket) => socket.end('from outside')).listen(remote, '127.0.0.1');
    try {
      const args = [...options, '-L', `${local}:127.0.0.1:8765`, '-R', `8766:127.0.0.1:${remote}`, '127.0.0.1'];
      const probe = `python3 -c "import socket; print(socket.create_connection(('127.0.0.1', 8766)).recv(100).decode())"`;
      const session = client('ssh', [...args, `${probe}; ${server}`]);
      expect(await askUntil(local, 'hello')).toBe('forwarded hello');
      expect(await session).toMatchObject({ code: 0, stdout: 'from outside\n' });
    } finally {
      echo.close();
    }
  });

  it('copies files and folders there and back', async () => {
    const data = randomBytes(3 << 20);
    await writeFile(join(root, 'data.bin'), data, { mode: 0o750 });
    const scp = (...args: string[]) => client('scp', [...options, '-p', '-r', ...args]);
    expect(await scp(join(root, 'data.bin'), '127.0.0.1:sub.bin')).toMatchObject({ code: 0 });
    const sum = createHash('sha256').update(data).digest('hex');
    const there = await client('ssh', [
      ...options,
      '127.0.0.1',
      'sha256sum < sub.bin; stat -c %a sub.bin; mkdir -p d/e; echo x > d/e/f',
    ]);
    expect(there.stdout).toBe(`${sum}  -\n750\n`);
    expect(await scp('127.0.0.1:d', '127.0.0.1:sub.bin', root)).toMatchObject({ code: 0 });
    expect(data.equals(await readFile(join(root, 'sub.bin')))).toBe(true);
    expect(await readFile(join(root, 'd/e/f'), 'utf8')).toBe('x\n');
    const missing = await scp('127.0.0.1:nothing', root);
    expect(missing.stderr).toContain('No such file');
  });

  it('speaks SFTP', async () => {
    const batch = [
      'mkdir s',
      'cd s',
      `put ${join(root, 'id')} one`,
      'rename one two',
      'symlink two three',
      'ls -l',
      'chmod 600 two',
    ];
    const done = await client(
      'sftp',
      [...options, '-b', '-', '127.0.0.1'],
      [...batch, 'rm three', 'pwd', ''].join('\n'),
    );
    expect(done).toMatchObject({ code: 0, stderr: '' });
    expect(done.stdout).toMatch(/lrwxrwxrwx .* three/);
    expect(done.stdout).toContain('Remote working directory: /home/work/s');
    const refused = await client('sftp', [...options, '-b', '-', '127.0.0.1'], `put ${join(root, 'id')} /etc/passwd\n`);
    expect(refused.stderr).toContain('Permission denied');
  });

  it('is a service that runs, and lives on when its process is killed', async () => {
    const request = { name: 'sshd', port: 2200, ports: [2200], protocol: 'tcp', options: {} };
    const reply = await python.ask('start-service', JSON.stringify(request), 'service-result');
    expect(JSON.parse(reply.toString())).toEqual({ status: 'running' });
    await client('ssh', [...options, '127.0.0.1', 'pkill -9 bai-sshd || true']);
    expect(await client('ssh', [...options, '127.0.0.1', 'echo again'])).toMatchObject({ code: 0, stdout: 'again\n' });
    expect(await python.run('exec', 'echo alive')).toMatchObject({ stdout: 'alive\n', exitCode: 0 });
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Says something and gives the answer, as soon as somebody listens and answers. */
async function askUntil(port: number, text: string): Promise<string> {
  for (const until = Date.now() + CLIENT_MS; Date.now() < until;) {
    try {
      const code = `import socket; s = socket.create_connection(('127.0.0.1', ${port})); s.sendall(b'${text}'); print(s.recv(100).decode(), end='')`;
      const { stdout } = await run('python3', ['-c', code]);
      if (stdout !== '') return stdout;
    } catch {
      // Not yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('no answer');
}
