import Docker from 'dockerode';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:net';
import { testImage } from './images.js';
import { freePort } from './tcp-listener.js';

export interface RedisHostOptions {
  /** Lines of its configuration, besides the port. */
  readonly config?: readonly string[];
  /** Port it answers at; a free one if none is given. */
  readonly port?: number;
  /** Files put into its folder, by name. */
  readonly files?: Readonly<Record<string, string | Buffer>>;
  readonly sentinel?: boolean;
}

/** A `redis-server` process of a test's own on this host's network, which can be ended and stopped like any process. */
export interface RedisHost extends AsyncDisposable {
  readonly port: number;
  readonly address: { readonly host: string; readonly port: number };
  signal(name: 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  kill(): Promise<void>;
  start(): Promise<void>;
}

const READY_MS = 15_000;

/** `/data` inside is a folder with `redis.conf` and the given files. */
export async function startRedisHost(options: RedisHostOptions = {}): Promise<RedisHost> {
  const port = options.port ?? (await freePort());
  const folder = await mkdtemp(join(tmpdir(), 'redis-host-'));
  await chmod(folder, 0o777);
  const config = [`port ${port}`, 'bind 127.0.0.1', 'protected-mode no', 'save ""', ...(options.config ?? [])];
  for (const [name, content] of Object.entries({ 'redis.conf': `${config.join('\n')}\n`, ...options.files })) {
    await writeFile(join(folder, name), content, { mode: 0o666 });
  }
  const mode = options.sentinel === true ? ['--sentinel'] : [];
  const container = await new Docker().createContainer({
    Image: await testImage('redis'),
    Cmd: ['redis-server', '/data/redis.conf', ...mode],
    WorkingDir: '/data',
    HostConfig: { NetworkMode: 'host', Binds: [`${folder}:/data`] },
  });
  const start = async (): Promise<void> => {
    await container.start();
    await listening(port);
  };
  await start();
  return {
    port,
    address: { host: '127.0.0.1', port },
    signal: (name) => container.kill({ signal: name }),
    kill: async () => {
      await container.kill({ signal: 'SIGKILL' });
      await container.wait();
    },
    start,
    [Symbol.asyncDispose]: async () => {
      await container.remove({ force: true, v: true });
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function listening(port: number): Promise<void> {
  const until = performance.now() + READY_MS;
  while (!(await accepts(port))) {
    if (performance.now() > until) throw new Error(`nothing listens on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => socket.destroy());
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(!socket.errored));
  });
}
