import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep } from './sleep.js';

const PROGRAM = 'docker-registry';
const START_MS = 20_000;

/** Whether Debian's registry is installed here. */
export const hasDockerRegistry = spawnSync(PROGRAM, ['--version']).status === 0;

/** A real image registry on the loopback, which every engine accepts without TLS, for one user with a password. */
export class DockerRegistry implements AsyncDisposable {
  static readonly credentials = { username: 'tester', password: 'correct horse' };

  private constructor(
    /** `127.0.0.1:port`. */
    readonly host: string,
    private readonly folder: string,
    private readonly process: ChildProcess,
  ) {}

  static async start(): Promise<DockerRegistry> {
    const folder = await mkdtemp(join(tmpdir(), 'docker-registry-'));
    const host = `127.0.0.1:${await freePort()}`;
    // bcrypt of the password above; its cost is the least that there is.
    const hash = '$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e';
    await writeFile(join(folder, 'htpasswd'), `${DockerRegistry.credentials.username}:${hash}\n`);
    await writeFile(
      join(folder, 'config.yml'),
      `version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: "${join(folder, 'data')}"}}
http: {addr: "${host}"}
auth: {htpasswd: {realm: test, path: "${join(folder, 'htpasswd')}"}}
`,
    );
    const process = spawn(PROGRAM, ['serve', join(folder, 'config.yml')], { stdio: 'ignore' });
    const registry = new DockerRegistry(host, folder, process);
    for (const end = Date.now() + START_MS; !(await registry.answers());) {
      if (Date.now() > end) throw new Error('the registry does not answer');
      await sleep(50);
    }
    return registry;
  }

  private async answers(): Promise<boolean> {
    try {
      return (await fetch(`http://${this.host}/v2/`)).status === 401;
    } catch {
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await ended;
    await rm(this.folder, { recursive: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
