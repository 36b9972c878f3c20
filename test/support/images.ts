import { createServer, type Server } from 'node:net';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';
import {
  DebianImageBuilder,
  PYTHON_PACKAGES,
  type BuildRequest,
} from '../../src/adapters/image-builder/debian-image-builder.js';

/** Grows when an image is built differently; older ones are then built anew. */
const VERSION = '3';
const LABEL = 'ai.backend.test-image';
const WAIT_MS = 600_000;

const BUSYBOX_APPLETS =
  'sh ls cat echo sleep env id kill ps mkdir rm cp mv ln grep sed awk head tail wc nc httpd true false test expr seq yes dd stat touch chmod chown date df du find sort tr cut hostname uname wget mount umount';

const busyboxLinks = () =>
  Object.fromEntries(BUSYBOX_APPLETS.split(' ').map((applet) => [`usr/bin/${applet}`, 'busybox']));

/** The Node binary that the project's dependencies bring along for containers. */
function nodeBinary(): string {
  const name = `node-linux-${process.arch}`;
  return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), 'bin', 'node');
}

const RECIPES = {
  /** Debian with python3 and no ipykernel. */
  python: () => ({ packages: PYTHON_PACKAGES, changes: ['CMD ["python3"]', 'ENV LANG=C.UTF-8'] }),
  /** Debian with python3 and ipykernel. */
  jupyter: () => ({
    packages: [...PYTHON_PACKAGES, 'python3-ipykernel'],
    changes: ['CMD ["python3"]', 'ENV LANG=C.UTF-8'],
  }),
  /** One static binary: no libc, no loader, no /etc/passwd. */
  busybox: () => ({ packages: ['busybox-static'], links: busyboxLinks(), changes: ['CMD ["/bin/sh"]'] }),
  /** The same with musl in place of glibc. */
  musl: () => ({ packages: ['busybox-static', 'musl'], links: busyboxLinks(), changes: ['CMD ["/bin/sh"]'] }),
  /** A Node binary with the libraries it is linked to, and busybox as the shell. */
  node: () => ({
    packages: ['busybox-static', 'libc6', 'libstdc++6'],
    files: [{ path: 'usr/bin/node', source: nodeBinary(), mode: 0o755 }],
    links: busyboxLinks(),
    changes: ['CMD ["node"]', 'LABEL ai.backend.runtime-type=node', 'LABEL ai.backend.runtime-path=/usr/bin/node'],
  }),
  /** A Redis server in the foreground, for testcontainers. */
  redis: () => ({
    packages: ['redis-server', 'bash', 'dash', 'coreutils'],
    changes: [
      'CMD ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "", "--daemonize", "no"]',
      'EXPOSE 6379',
    ],
  }),
} satisfies Record<string, () => Omit<BuildRequest, 'reference'>>;

/** Root file systems that the suites run on. */
export type TestImageKind = keyof typeof RECIPES;

/**
 * The name of an image of this kind. Builds it from this machine's Debian packages if it isn't there, once, also when
 * several test processes ask at the same time; that takes some seconds and is told on stderr.
 */
export async function testImage(kind: TestImageKind): Promise<string> {
  const reference = `bai-test/${kind}:1`;
  const docker = new Docker();
  if (await isCurrent(docker, reference)) return reference;
  const lock = await takeLock(`backend.ai-test-image-${kind}`);
  try {
    if (!(await isCurrent(docker, reference))) await build(docker, kind, reference);
  } finally {
    await new Promise((resolve) => lock.close(resolve));
  }
  return reference;
}

async function isCurrent(docker: Docker, reference: string): Promise<boolean> {
  try {
    const { Config } = await docker.getImage(reference).inspect();
    return (Config.Labels as Record<string, string> | null)?.[LABEL] === VERSION;
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return false;
    throw error;
  }
}

async function build(docker: Docker, kind: TestImageKind, reference: string): Promise<void> {
  const started = performance.now();
  const say = (text: string) => process.stderr.write(`test image ${reference}: ${text}\n`);
  const recipe = RECIPES[kind]();
  let step = '';
  await new DebianImageBuilder({ importImage: (tar, name, changes) => importImage(docker, tar, name, changes) }).build(
    {
      ...recipe,
      reference,
      changes: [...recipe.changes, `LABEL ${LABEL}=${VERSION}`],
      onProgress: (progress) => {
        if (progress.step !== step) say(progress.message);
        step = progress.step;
      },
    },
    { signal: AbortSignal.timeout(WAIT_MS) },
  );
  say(`ready after ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

/** The engine call by itself: these images must not depend on the adapter that is tested with them. */
async function importImage(
  docker: Docker,
  tar: AsyncIterable<Uint8Array>,
  reference: string,
  changes: readonly string[],
): Promise<void> {
  const [repo, tag] = reference.split(':');
  const stream = await docker.importImage(Readable.from(tar, { objectMode: false }), { repo, tag, changes });
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve()));
  });
}

/** A lock that its holder's death sets free: an abstract socket name can be bound once. */
async function takeLock(name: string): Promise<Server> {
  const until = performance.now() + WAIT_MS;
  for (;;) {
    const server = createServer().unref();
    const taken = await new Promise<boolean>((resolve, reject) => {
      server.once('listening', () => resolve(true));
      server.once('error', (error: NodeJS.ErrnoException) =>
        error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
      );
      server.listen(`\0${name}`);
    });
    if (taken) return server;
    if (performance.now() > until) throw new Error(`Another test process holds ${name} for too long`);
    await sleep(200);
  }
}
