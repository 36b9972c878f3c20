import { DockerContainerEngine } from '../../src/adapters/docker/docker-container-engine.adapter.js';
import { findDockerEndpoint } from '../../src/adapters/docker/docker-endpoint.js';
import { EngineProxy } from '../support/engine-proxy.js';
import { FakeContainerEngine } from '../support/fake-container-engine.js';
import { testImage } from '../support/images.js';
import { containerEngineContract, execs, programs } from './container-engine.contract.js';
import { imageEngineContract } from './image-engine.contract.js';

async function docker() {
  const proxy = await EngineProxy.start();
  // The greeting goes through, so that it is the request itself that hangs.
  proxy.stalling = (request) => !request.includes('/_ping');
  return {
    engine: new DockerContainerEngine({ endpoint: await findDockerEndpoint() }),
    stalled: new DockerContainerEngine({
      endpoint: { kind: 'unix', socketPath: proxy.socketPath, origin: 'the stalling proxy' },
    }),
    image: await testImage('busybox'),
    dispose: () => proxy[Symbol.asyncDispose](),
  };
}

function fake() {
  const engine = new FakeContainerEngine();
  engine.images.add('fake/shell:1');
  engine.onStart = (container) => {
    const [script] = container.spec.cmd;
    container.ignoresStopSignal = script === programs.ignoreTerm;
    if (script === programs.printAndFail) {
      container.print('out\nerr\n');
      engine.exit(container.id, 3);
    }
    if (script === programs.countSlowly) {
      [1, 2, 3].forEach((number) => setTimeout(() => container.print(`${number}\n`), number * 20));
      setTimeout(() => engine.exit(container.id, 0), 100);
    }
  };
  engine.onExec = (_, { command }) =>
    command.includes(execs.flood)
      ? { exitCode: 0, stdout: '0123456789\n'.repeat(300_000), stderr: '' }
      : { exitCode: 7, stdout: 'out\n', stderr: 'err\n' };
  const stalled = new FakeContainerEngine();
  stalled.fail('*', { with: 'hang', times: Number.POSITIVE_INFINITY });
  return Promise.resolve({ engine, stalled, image: 'fake/shell:1', dispose: () => Promise.resolve() });
}

for (const declare of [containerEngineContract, imageEngineContract]) {
  declare('Docker', docker);
  declare('fake', fake);
}
