import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { LABELS } from '../../src/domain/kernel/container-labels.js';
import { AgentProcess, type Ended } from './agent-process.js';
import { Daemon } from './daemon.js';

export interface AgentHomeOptions {
  /** That of another home, whose containers then are not ours to remove. */
  readonly agentId?: string;
  /** Shared with another agent; a folder of its own otherwise. */
  readonly scratchRoot?: string;
  readonly stateFolder?: string;
  /** Where RPC listens, if not on loopback; `null` = wherever it does by default. */
  readonly rpcHost?: string | null;
  readonly rpcPort?: number;
  readonly httpPort?: number;
  /** More lines of `[agent]`; given the folder of the home. */
  readonly agent?: (folder: string) => string;
  /** More sections. */
  readonly sections?: string;
}

/** Long runs of the suite must not hang on a single command. */
const COMMAND_MS = 60_000;
const PORTS_PER_HOME = 60;

/** A place for one agent: configuration, state, scratches and ports of its own. Disposing removes all that was made. */
export class AgentHome implements AsyncDisposable {
  readonly docker = new Docker();
  readonly #processes = new Set<AgentProcess>();

  private constructor(
    readonly folder: string,
    readonly agentId: string,
    readonly stateFolder: string,
    readonly scratchRoot: string,
    readonly rpcPort: number,
    readonly httpPort: number,
    private readonly isGuest: boolean,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  get configFile(): string {
    return join(this.folder, 'agent.toml');
  }

  static async make(options: AgentHomeOptions = {}): Promise<AgentHome> {
    const folder = await mkdtemp(join(tmpdir(), 'backend-ai-e2e-'));
    const {
      agentId = `i-${folder.slice(-6)}`,
      stateFolder = join(folder, 'var'),
      scratchRoot = join(folder, 'scratches'),
      rpcHost = '127.0.0.1',
      rpcPort = await freePort(),
      httpPort = await freePort(),
    } = options;
    const home = new AgentHome(
      folder,
      agentId,
      stateFolder,
      scratchRoot,
      rpcPort,
      httpPort,
      options.agentId !== undefined,
      rpcHost === null ? { BACKEND_AGENT_PORT: String(rpcPort) } : {},
    );
    const firstPort = 20_000 + PORTS_PER_HOME * Math.floor(Math.random() * 200);
    await mkdir(scratchRoot, { recursive: true });
    await writeFile(
      home.configFile,
      `[agent]
id = "${agentId}"
${rpcHost === null ? '' : `rpc-listen-addr = "${rpcHost}:${rpcPort}"`}
var-base-path = "${stateFolder}"
ipc-base-path = "${join(folder, 'ipc')}"
${options.agent?.(folder) ?? ''}
[container]
port-range = [${firstPort}, ${firstPort + PORTS_PER_HOME - 1}]
scratch-root = "${scratchRoot}"
[watcher]
service-addr = "127.0.0.1:${httpPort}"
usage-interval = 0.5
[kernel-lifecycles]
stop-grace-sec = 1
${options.sections ?? ''}`,
    );
    return home;
  }

  /** `backend.ai ag ARGS --config …` to its end. */
  async ag(...args: readonly string[]): Promise<Ended> {
    await using process = this.start(...args);
    process.endInput();
    await process.until(({ isRunning }) => !isRunning, COMMAND_MS);
    return await process.ended;
  }

  /** The same, with its stdout read as JSON; fails with its stderr if it failed. */
  async json<T>(...args: readonly string[]): Promise<T> {
    const { status, stdout, stderr } = await this.ag(...args, '--json');
    if (status !== 0) throw new Error(`ag ${args.join(' ')}: status ${status ?? 'none'}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  /** The same, running. */
  start(...args: readonly string[]): AgentProcess {
    const [command = '', ...rest] = args;
    const process = new AgentProcess(['ag', command, '--config', this.configFile, ...rest], this.env);
    this.#processes.add(process);
    void process.ended.finally(() => this.#processes.delete(process)).catch(() => undefined);
    return process;
  }

  /** `ag start-server`, ready. */
  async startDaemon(...args: readonly string[]): Promise<Daemon> {
    const process = this.start('start-server', ...args);
    try {
      return await Daemon.ready(process, this);
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Ids of all containers of this home's agents, embedded ones too. */
  async containers(): Promise<readonly string[]> {
    const all = await this.docker.listContainers({ all: true, filters: { label: [LABELS.owner] } });
    return all
      .filter(({ Labels }) => {
        const owner = Labels[LABELS.owner] ?? '';
        return owner === this.agentId || owner.startsWith(`${this.agentId}-embedded-`);
      })
      .map(({ Id }) => Id);
  }

  /** What is in the scratch root, marks of ownership included. */
  async scratches(): Promise<readonly string[]> {
    return await readdir(this.scratchRoot);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#processes].map((process) => process[Symbol.asyncDispose]()));
    for (const id of this.isGuest ? [] : await this.containers())
      await this.docker
        .getContainer(id)
        .remove({ force: true, v: true })
        .catch(() => undefined);
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
