import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { EtcdSettings } from '../../src/adapters/etcd/etcd-settings.js';

const run = promisify(execFile);
const PROGRAMS = ['/usr/bin/etcd', '/usr/bin/etcdctl', '/usr/bin/openssl'];
const UP_MS = 20_000;
export const ROOT = { user: 'root', password: 'pass word/ä' };

export type EtcdMode = 'plain' | 'auth' | 'tls';

/** An etcd of one test file, at an address that stays the same when it is killed and started. */
export class EtcdServer implements AsyncDisposable {
  #process: ChildProcess | undefined;

  private constructor(
    readonly mode: EtcdMode,
    readonly port: number,
    private readonly peerPort: number,
    private readonly folder: string,
  ) {}

  static async start(mode: EtcdMode = 'plain'): Promise<EtcdServer> {
    const missing = PROGRAMS.filter((program) => !existsSync(program));
    if (missing.length > 0)
      throw new Error(`${missing.join(', ')} not found: apt-get install etcd-server etcd-client openssl`);
    const folder = await mkdtemp(join(tmpdir(), 'etcd-'));
    const server = new EtcdServer(mode, await freePort(), await freePort(), folder);
    try {
      if (mode === 'tls') await server.#makeCertificates();
      await server.start();
      if (mode === 'auth') await server.enableUsers();
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** With the credentials and certificates that it takes, and whatever is given on top. */
  async settings(extra: Partial<EtcdSettings> = {}): Promise<EtcdSettings> {
    return {
      endpoints: [{ host: '127.0.0.1', port: this.port }],
      namespace: 'test',
      scopes: { agentId: 'i-test', resourceGroup: 'default' },
      ...(this.mode === 'auth' ? { credentials: ROOT } : {}),
      ...(this.mode === 'tls'
        ? {
            tls: {
              ca: await readFile(this.file('ca.crt')),
              client: { cert: await readFile(this.file('client.crt')), key: await readFile(this.file('client.key')) },
              skipVerify: false,
            },
          }
        : {}),
      ...extra,
    };
  }

  /** A file of this server: `ca.crt`, `client.crt`, `client.key`. */
  file(name: string): string {
    return join(this.folder, name);
  }

  /** `etcdctl`, with what it needs to get in. */
  ctl(...args: string[]): Promise<string> {
    return this.#ctl(args);
  }

  async #ctl(args: readonly string[], input = ''): Promise<string> {
    const scheme = this.mode === 'tls' ? 'https' : 'http';
    const options = [
      `--endpoints=${scheme}://127.0.0.1:${this.port}`,
      ...(this.mode === 'tls'
        ? [`--cacert=${this.file('ca.crt')}`, `--cert=${this.file('client.crt')}`, `--key=${this.file('client.key')}`]
        : []),
      ...(this.#usersEnabled ? [`--user=${ROOT.user}`, `--password=${ROOT.password}`] : []),
    ];
    const running = run('etcdctl', [...options, ...args], { env: { ...process.env, ETCDCTL_API: '3' } });
    running.child.stdin?.end(input);
    return (await running).stdout;
  }

  #usersEnabled = false;

  /** A user who may do all. */
  async addUser(name: string, password: string): Promise<void> {
    await this.ctl('user', 'add', `${name}:${password}`);
    await this.ctl('user', 'grant-role', name, 'root');
  }

  /** Whoever got in with the old one is thrown out. No white space: the tool would end the password there. */
  async setPassword(name: string, password: string): Promise<void> {
    await this.#ctl(['user', 'passwd', name, '--interactive=false'], `${password}\n`);
  }

  /** From now on only users get in. */
  async enableUsers(): Promise<void> {
    await this.addUser(ROOT.user, ROOT.password);
    await this.ctl('auth', 'enable');
    this.#usersEnabled = true;
  }

  async start(): Promise<void> {
    const scheme = this.mode === 'tls' ? 'https' : 'http';
    const client = `${scheme}://127.0.0.1:${this.port}`;
    const peer = `http://127.0.0.1:${this.peerPort}`;
    const args = [
      ...['--name', 'test', '--data-dir', join(this.folder, 'data'), '--log-level', 'error'],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `test=${peer}`],
      ...(this.mode === 'tls' ? ['--cert-file', this.file('server.crt'), '--key-file', this.file('server.key')] : []),
      ...(this.mode === 'tls' ? ['--trusted-ca-file', this.file('ca.crt'), '--client-cert-auth'] : []),
    ];
    this.#process = spawn('etcd', args, { stdio: 'ignore' });
    const until = Date.now() + UP_MS;
    for (;;) {
      try {
        await this.ctl('get', 'x', '--command-timeout=1s');
        return;
      } catch (error) {
        if (Date.now() > until) throw error;
        await sleep(100);
      }
    }
  }

  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** Silent; connections stay open. */
  pause(): void {
    this.#process?.kill('SIGSTOP');
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #makeCertificates(): Promise<void> {
    const openssl = (...args: string[]) => run('openssl', args, { cwd: this.folder });
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    await openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=test CA', '-days', '2');
    for (const name of ['server', 'client']) {
      const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
      await openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, ...subject);
      const signing = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-copy_extensions', 'copy'];
      await openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-days', '2', '-out', `${name}.crt`);
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
