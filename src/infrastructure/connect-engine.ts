import { DockerContainerEngine } from '../adapters/docker/docker-container-engine.adapter.js';
import { findDockerEndpoint } from '../adapters/docker/docker-endpoint.js';

/** The container engine of this user, found as the Docker command finds it; nothing is asked of it yet. */
export async function connectEngine(): Promise<DockerContainerEngine> {
  return new DockerContainerEngine({ endpoint: await findDockerEndpoint() });
}
