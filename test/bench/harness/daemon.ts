import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { KernelSpec } from '../../../src/domain/kernel/kernel-spec.js';
import { OVERCOMMIT } from './kernel-request.js';
import { RpcClient } from './rpc-client.js';
import type { Workplace } from './workplace.js';

/** As the launcher starts it. */
const NODE_OPTIONS = ['--max-semi-space-size=4'];
const MAIN = fileURLToPath(new URL('../../../src/infrastructure/main.js', import.meta.url));
const READY_MS = 30_000;
const POLL_MS = 5;

/** `ag start-server` as an operator starts it. Disposing it stops the process; its kernels must be gone by then. */
export class Daemon implements AsyncDisposable {
  private constructor(
    readonly pid: number,
    /** From spawning the process to the first `200` of `/readyz`, in milliseconds. */
    readonly readyMs: number,
    readonly rpc: RpcClient,
    private readonly child: ChildProcess,
  ) {}

  static async start(workplace: Workplace): Promise<Daemon> {
    const log = openSync(join(workplace.directory, 'daemon.log'), 'a');
    const began = performance.now();
    const command = [...NODE_OPTIONS, MAIN, 'ag', 'start-server', '--config', workplace.configFile];
    const child = spawn(process.execPath, command, {
      cwd: workplace.directory,
      env: { ...process.env, ...OVERCOMMIT },
      stdio: ['ignore', 'ignore', log],
    });
    while (!(await isReady(workplace.httpAddress))) {
      if (child.exitCode !== null || performance.now() - began > READY_MS) {
        child.kill('SIGKILL');
        throw new Error(`the agent did not become ready; see ${workplace.directory}/daemon.log`);
      }
      await sleep(POLL_MS);
    }
    const readyMs = performance.now() - began;
    const rpc = new RpcClient(workplace.rpcEndpoint, workplace.keys);
    return new Daemon(child.pid ?? 0, readyMs, rpc, child);
  }

  async create(spec: KernelSpec): Promise<{ readonly containerId: string }> {
    const created = (await this.rpc.call('create_kernels', [
      spec.sessionId,
      [spec.kernelId],
      [
        {
          image: { canonical: spec.image.canonical, is_local: true },
          auto_pull: spec.image.autoPull,
          resource_slots: spec.resourceSlots,
        },
      ],
      { mode: 'single-node', size: 1, replicas: { main: 1 }, network_config: {} },
      {},
    ])) as readonly { readonly container_id: string }[];
    return { containerId: created[0]?.container_id ?? '' };
  }

  async destroy(spec: KernelSpec): Promise<void> {
    await this.rpc.call('destroy_kernel', [spec.kernelId, spec.sessionId, 'user-requested']);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rpc[Symbol.asyncDispose]();
    if (this.child.exitCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await exited;
  }
}

function isReady(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    request(`${address}/readyz`, { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    })
      .on('error', () => resolve(false))
      .end();
  });
}
