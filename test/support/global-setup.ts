import { DockerContainerEngine } from '../../src/adapters/docker/docker-container-engine.adapter.js';
import { findDockerEndpoint } from '../../src/adapters/docker/docker-endpoint.js';
import { callosumMissing } from './callosum-python.js';

/**
 * The contract and integration suites need a live container engine; they say so at once instead of failing one by one.
 * An engine in an unusual place (rootless, a Docker context) is made known to the libraries that look for it themselves.
 */
export default async function setup(): Promise<void> {
  process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true';
  const endpoint = await findDockerEndpoint();
  await new DockerContainerEngine({ endpoint }).info({ signal: AbortSignal.timeout(20_000) });
  if (endpoint.kind === 'unix' && endpoint.socketPath !== '/var/run/docker.sock') {
    process.env['DOCKER_HOST'] ??= `unix://${endpoint.socketPath}`;
  }
  // Made here, since files that run beside each other would make it twice in one place; those that need it say if it is missing.
  await callosumMissing();
}
