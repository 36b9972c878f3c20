import { access } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { KernelTrace, Leftover } from '../adapters/cli/cli-dependencies.js';
import { TcpHostPorts } from '../adapters/host/tcp-host-ports.adapter.js';
import { LABELS } from '../domain/kernel/container-labels.js';
import { connectEngine } from './connect-engine.js';

const PAGE_DEADLINE_MS = 5_000;

export async function checkEngine(signal: AbortSignal): Promise<string> {
  const info = await (await connectEngine()).info({ signal });
  return `Docker ${info.version}, cgroup v${info.cgroupVersion}, ${info.cpus} cores`;
}

/** By node:http: fetch waits for its deadline when the engine's proxy closes a connection before the server listens. */
export function fetchPage(url: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { signal, timeout: PAGE_DEADLINE_MS, agent: false }, (response) => {
      if (response.statusCode === 200) text(response).then(resolve, reject);
      else reject(new Error(`${url} answered ${response.statusCode ?? 'nothing'}`));
    });
    request.on('timeout', () => request.destroy(new Error(`${url} did not answer in ${PAGE_DEADLINE_MS} ms`)));
    request.on('error', reject);
  });
}

/** Asks the engine, the network and the file system, not the agent's books. */
export async function leftovers(
  trace: KernelTrace,
  scratchRoot: string,
  signal: AbortSignal,
): Promise<readonly Leftover[]> {
  const engine = await connectEngine();
  const label = { [LABELS.kernelId]: trace.kernelId };
  const found: Leftover[] = [];
  const containers = await engine.listContainers(label, { signal });
  found.push(...containers.map(({ name }) => ({ kind: 'container' as const, what: name })));
  const networks = await engine.listNetworks(label, { signal });
  found.push(...networks.map(({ name }) => ({ kind: 'network' as const, what: name })));
  for (const port of trace.hostPorts) {
    const hold = await new TcpHostPorts().hold(port, '127.0.0.1');
    if (hold) await hold[Symbol.asyncDispose]();
    else found.push({ kind: 'port', what: String(port) });
  }
  const directory = join(scratchRoot, trace.kernelId);
  const exists = await access(directory).then(
    () => true,
    () => false,
  );
  if (exists) found.push({ kind: 'directory', what: directory });
  return found;
}
