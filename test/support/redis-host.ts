import Docker from 'dockerode';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type NetConnectOpts } from 'node:net';
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
  /** In a network of its own with nothing else in it; its socket leads there. */
  readonly isolated?: boolean;
}

/** A `redis-server` process of a test's own on this host's network, which can be ended and stopped like any process. */
export interface RedisHost extends AsyncDisposable {
  readonly port: number;
  readonly address: { readonly host: string; readonly port: number };
  /** File by which it is reached from this machine, whatever its network. */
  readonly socket: string;
  /** While it runs. */
  pid(): Promise<number>;
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
  const { isolated = false } = options;
  const socket = join(folder, 'redis.sock');
  const config = [
    ...[`port ${port}`, `bind ${isolated ? '0.0.0.0' : '127.0.0.1'}`, 'protected-mode no', 'save ""'],
    ...['unixsocket /data/redis.sock', 'unixsocketperm 777', ...(options.config ?? [])],
  ];
  for (const [name, content] of Object.entries({ 'redis.conf': `${config.join('\n')}\n`, ...options.files })) {
    await writeFile(join(folder, name), content, { mode: 0o666 });
  }
  const mode = options.sentinel === true ? ['--sentinel'] : [];
  const container = await new Docker().createContainer({
    Image: await testImage('redis'),
    Cmd: ['redis-server', '/data/redis.conf', ...mode],
    WorkingDir: '/data',
    HostConfig: { NetworkMode: isolated ? 'none' : 'host', Binds: [`${folder}:/data`] },
  });
  const start = async (): Promise<void> => {
    await container.start();
    await listening(isolated ? { path: socket } : { host: '127.0.0.1', port });
  };
  await start();
  return {
    port,
    address: { host: '127.0.0.1', port },
    socket,
    pid: async () => (await container.inspect()).State.Pid,
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

async function listening(where: NetConnectOpts): Promise<void> {
  const until = performance.now() + READY_MS;
  while (!(await accepts(where))) {
    if (performance.now() > until) throw new Error(`nothing listens at ${JSON.stringify(where)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function accepts(where: NetConnectOpts): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(where);
    socket.once('connect', () => socket.destroy());
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(!socket.errored));
  });
}
