import Docker from 'dockerode';
import { createServer } from 'node:net';
import { GenericContainer, Wait } from 'testcontainers';
import type { RedisSettings } from '../../src/adapters/redis/redis-settings.js';
import { testImage } from './images.js';

/** A Redis of one test file, on a host port that stays the same when it is stopped and started. */
export interface RedisServerUnderTest extends AsyncDisposable {
  readonly settings: RedisSettings;
  /** Silent, connections stay open. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  kill(): Promise<void>;
  start(): Promise<void>;
}

export async function startRedis(): Promise<RedisServerUnderTest> {
  const port = await freePort();
  const started = await new GenericContainer(await testImage('redis'))
    .withCommand(['redis-server', '--save', '', '--protected-mode', 'no'])
    .withExposedPorts({ container: 6379, host: port })
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
    .start();
  const container = new Docker().getContainer(started.getId());
  return {
    settings: { address: { host: '127.0.0.1', port } },
    pause: () => container.pause(),
    resume: () => container.unpause(),
    kill: () => container.kill(),
    start: () => container.start(),
    [Symbol.asyncDispose]: () => container.remove({ force: true, v: true }),
  };
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
