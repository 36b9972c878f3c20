import { readdirSync, readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { RunnerApp, ServiceResult, StartServiceRequest } from '../../src/domain/krunner-wire/krunner-wire.js';
import { HOME } from '../boot/account.js';
import type { Environment } from '../boot/child-environment.js';
import type { Console } from '../console.js';
import type { Gate } from '../gate/gate.js';
import { startChild, type Child } from '../process/child.js';
import type { RuntimeChoice } from '../query/runtime-choice.js';
import { runPrestart } from './prestart.js';
import { missingModule, pythonService } from './python-services.js';
import {
  appOf,
  argumentWords,
  checkedEnvs,
  parseServiceDefinition,
  splitWords,
  type ServiceDefinition,
} from './service-definition.js';
import { interpolate, type Variables } from './template.js';

const MAX_DEFINITION_BYTES = 1 << 20;
const MAX_DEFINITIONS = 200;
const PORT_TIMEOUT_MS = 30_000;
const PORT_POLL_MS = 50;
const STOP_GRACE_MS = 2000;

export interface ServiceDependencies {
  readonly env: Environment;
  readonly console: Console;
  readonly choice: RuntimeChoice;
  /** The services that every kernel has, by name. */
  readonly gates: ReadonlyMap<string, Gate>;
}

/** The services of this kernel: what the image defines, what runs (krunner.md §5). */
export class ServiceManager {
  private readonly running = new Map<string, Child>();
  /** Starts and stops of one service happen one after another, different services do not wait for each other (W16). */
  private readonly turns = new Map<string, Promise<unknown>>();
  private readonly variables: Variables;
  private definitions = new Map<string, ServiceDefinition>();

  constructor(private readonly deps: ServiceDependencies) {
    this.variables = { runtime_path: deps.choice.interpreter ?? '' };
  }

  /** Reads the definitions; a bad file is reported and skipped (W23). */
  load(directory: string): void {
    let files: string[];
    try {
      files = readdirSync(directory).filter((file) => file.endsWith('.json'));
    } catch {
      return;
    }
    for (const file of files.slice(0, MAX_DEFINITIONS)) {
      const path = join(directory, file);
      const name = file.slice(0, -'.json'.length);
      try {
        if (statSync(path).size > MAX_DEFINITION_BYTES) throw new Error('it is larger than 1 MiB');
        this.definitions.set(name, parseServiceDefinition(name, readFileSync(path, 'utf8')));
      } catch (error) {
        this.deps.console.log('WARNING', `service definition ${path} is skipped: ${messageOf(error)}`);
      }
    }
  }

  /** All apps, or the one of that name. */
  apps(name: string): RunnerApp[] {
    return [...this.definitions.values()].filter((entry) => name === '' || entry.name === name).map(appOf);
  }

  /** Starts a service and waits for its first port; never rejects (krunner.md §5.5). */
  start(request: StartServiceRequest): Promise<ServiceResult> {
    return this.inTurn(request.name, async () => {
      try {
        return await this.startNow(request);
      } catch (error) {
        return { status: 'failed', error: messageOf(error) };
      }
    });
  }

  stop(name: string, graceMs = STOP_GRACE_MS): Promise<void> {
    return this.inTurn(name, async () => {
      const child = this.running.get(name);
      this.running.delete(name);
      await Promise.all([child?.terminate(graceMs), this.deps.gates.get(name)?.close(graceMs)]);
    });
  }

  async stopAll(graceMs: number): Promise<void> {
    const children = [...this.running.values()];
    this.running.clear();
    const gates = [...this.deps.gates.values()];
    await Promise.all([
      ...children.map((child) => child.terminate(graceMs)),
      ...gates.map((gate) => gate.close(graceMs)),
    ]);
  }

  private async startNow(request: StartServiceRequest): Promise<ServiceResult> {
    const { name, protocol } = request;
    if (protocol === 'preopen') return { status: 'started' };
    if (this.running.has(name)) return { status: 'running' };
    if (protocol === 'pty') return { status: 'failed', error: 'services of protocol pty are not supported' };
    const gate = this.deps.gates.get(name);
    if (gate) return openGate(gate);
    const definition = this.definitions.get(name) ?? this.builtIn(name);
    if (!definition) return { status: 'failed', error: `unsupported service: ${name}` };
    if (definition.noop) return { status: 'started' };
    const { env, console } = this.deps;
    const given = request.options;
    const words = argumentWords(definition, given.arguments ?? {});
    const envs = checkedEnvs(definition, given.envs ?? {}, env);
    const variables: Variables = Object.assign(this.variables, { ports: request.ports });
    await runPrestart(definition.prestart, variables, env, console);
    const argv = [...this.commandOf(definition, words), ...this.jupyterArguments(name)];
    for (const [key, value] of Object.entries(definition.env)) {
      envs[interpolate(key, variables)] = interpolate(value, variables);
    }
    const child = await startChild(argv, { cwd: HOME, env: { ...env, ...envs }, console: true }).catch(
      (error: unknown) => {
        throw new Error(`the executable file is not found: ${argv[0] ?? ''} (${messageOf(error)})`);
      },
    );
    this.running.set(name, child);
    void child.exited.then(() => {
      if (this.running.get(name) === child) this.running.delete(name);
    });
    const result = await this.waitForPort(name, child, request.port);
    return result.status === 'failed' ? this.explain(name, result) : result;
  }

  /** A missing package is why built-in services don't start; asked only then, since it takes a start of Python. */
  private async explain(name: string, result: ServiceResult): Promise<ServiceResult> {
    const { interpreter } = this.deps.choice;
    if (this.definitions.has(name) || interpreter === undefined) return result;
    const module = await missingModule(name, interpreter, this.deps.env);
    if (module === undefined) return result;
    return { status: 'failed', error: `this image has no Python package "${module}", which the service ${name} is` };
  }

  private commandOf(definition: ServiceDefinition, words: readonly string[]): string[] {
    const { command, shell } = definition;
    const base =
      typeof command !== 'string' ? command : shell === undefined ? splitWords(command) : [shell, '-c', command];
    return [...base, ...words].map((word) => interpolate(word, this.variables));
  }

  /** Each session gets a login cookie of its own name; appended by name, whatever defined the service. */
  private jupyterArguments(name: string): string[] {
    if (name !== 'jupyter' && name !== 'jupyterlab') return [];
    const session = this.deps.env['BACKENDAI_SESSION_ID'];
    return [
      '--IdentityProvider.cookie_options={"expires_days": None}',
      ...(session ? [`--IdentityProvider.cookie_name=bai-jupyter-${session}`] : []),
    ];
  }

  private builtIn(name: string): ServiceDefinition | undefined {
    const { language, interpreter } = this.deps.choice;
    return language === 'python' && interpreter !== undefined ? pythonService(name) : undefined;
  }

  private async waitForPort(name: string, child: Child, port: number): Promise<ServiceResult> {
    const until = performance.now() + PORT_TIMEOUT_MS;
    let ended: string | undefined;
    void child.exited.then(({ code, signal }) => (ended = signal ?? `exit code ${code ?? -1}`));
    while (performance.now() < until) {
      if (await accepts(port)) return { status: 'started' };
      if (ended !== undefined) {
        const error = `the service ended while starting (${ended}); what it said is in the kernel's log`;
        return { status: 'failed', error };
      }
      await new Promise((resolve) => setTimeout(resolve, PORT_POLL_MS));
    }
    this.running.delete(name);
    await child.terminate(STOP_GRACE_MS);
    return { status: 'failed', error: `the service did not open its port ${port} within ${PORT_TIMEOUT_MS / 1000} s` };
  }

  private inTurn<T>(name: string, action: () => Promise<T>): Promise<T> {
    const turn = (this.turns.get(name) ?? Promise.resolve()).then(action);
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    this.turns.set(name, settled);
    void settled.then(() => {
      if (this.turns.get(name) === settled) this.turns.delete(name);
    });
    return turn;
  }
}

async function openGate(gate: Gate): Promise<ServiceResult> {
  if (gate.isOpen) return { status: 'running' };
  const error = await gate.open();
  return error === undefined ? { status: 'started' } : { status: 'failed', error };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: 1000 });
    const end = (open: boolean): void => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
