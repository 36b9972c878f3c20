import { readFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { DockerContainerEngine } from '../../../src/adapters/docker/docker-container-engine.adapter.js';
import { findDockerEndpoint } from '../../../src/adapters/docker/docker-endpoint.js';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly system: string;
  readonly kernel: string;
  readonly docker: string;
  readonly cgroup: number;
  readonly node: string;
}

export async function describeMachine(signal: AbortSignal): Promise<Machine> {
  const engine = await new DockerContainerEngine({ endpoint: await findDockerEndpoint() }).info({ signal });
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    system: /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux',
    kernel: release(),
    docker: engine.version,
    cgroup: engine.cgroupVersion,
    node: process.versions.node,
  };
}

/** One-minute load average. */
export const load = (): number => loadavg()[0] ?? 0;

/** Waits until others have left the machine alone, at most `minutes`. */
export async function untilQuiet(below: number, minutes: number, signal: AbortSignal): Promise<void> {
  const until = performance.now() + minutes * 60_000;
  while (load() >= below && performance.now() < until) await sleep(2_000, undefined, { signal });
}
