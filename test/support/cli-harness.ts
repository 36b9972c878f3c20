import { PassThrough, Writable } from 'node:stream';
import type { CliConfiguration, CliDependencies, CliOutput } from '../../src/adapters/cli/cli-dependencies.js';
import { runCli } from '../../src/adapters/cli/run-cli.js';
import type { AnnouncedEvent } from '../../src/application/ports/event-bus.port.js';
import type { ExecuteRequest, UseCases } from '../../src/application/use-cases.js';
import { kernelNotFound } from '../../src/domain/error/errors.js';
import type { ConsoleItem, ExecutionResult } from '../../src/domain/execution/execution.js';
import type { KernelId } from '../../src/domain/kernel/kernel-id.js';
import type { KernelSpec } from '../../src/domain/kernel/kernel-spec.js';
import { CREATED, KERNEL_VIEW, scriptedUseCases } from './scripted-use-cases.js';

/** What a run says at each call, one entry a call; `hang` goes on until it is interrupted. */
export type Program = (call: ExecuteRequest, index: number) => Partial<ExecutionResult> | 'hang';

export const say = (...console: ConsoleItem[]): Partial<ExecutionResult> => ({
  status: 'finished',
  exitCode: 0,
  console,
});

export interface FakeAgent {
  readonly useCases: UseCases;
  readonly specs: Map<KernelId, KernelSpec>;
  readonly calls: string[];
  readonly inputs: string[];
  /** Kernels that ran out of memory. */
  readonly outOfMemory: Set<KernelId>;
}

/** An agent in memory whose programs are functions; `script` replaces single use cases. */
export function fakeAgent(program: Program = () => say(), script: Partial<UseCases> = {}): FakeAgent {
  const specs = new Map<KernelId, KernelSpec>();
  const calls: string[] = [];
  const inputs: string[] = [];
  const outOfMemory = new Set<KernelId>();
  const indices = new Map<string, number>();
  let isInterrupted = false;
  const useCases = scriptedUseCases({
    createKernel: (spec) => {
      calls.push('create');
      specs.set(spec.kernelId, spec);
      return Promise.resolve({
        ...CREATED,
        kernelId: spec.kernelId,
        servicePorts: published(spec),
        timingsMs: { image: 1, start: 12 },
      });
    },
    restartKernel: (kernelId) => {
      calls.push('restart');
      return Promise.resolve({ ...CREATED, kernelId });
    },
    destroyKernel: ({ kernelId }) => {
      calls.push('destroy');
      specs.delete(kernelId);
      return Promise.resolve();
    },
    getKernel: (kernelId) => {
      if (!specs.has(kernelId)) throw kernelNotFound(`kernel ${kernelId} not found`);
      return { ...KERNEL_VIEW, kernelId };
    },
    listKernels: () =>
      [...specs].map(([kernelId, spec]) => ({
        ...KERNEL_VIEW,
        kernelId,
        image: spec.image.canonical,
        startedAtMs: Date.UTC(2026, 0, 1),
        notice: outOfMemory.has(kernelId) ? 'oom' : null,
      })),
    execute: async (call, signal) => {
      const runId = call.runId ?? 'run';
      const index = indices.get(runId) ?? 0;
      indices.set(runId, index + 1);
      if (call.mode === 'input') inputs.push(call.code);
      const step = program(call, index);
      await new Promise((resolve) => setTimeout(resolve, step === 'hang' ? 5 : 0));
      signal.throwIfAborted();
      const base: ExecutionResult = { runId, status: 'continued', exitCode: null, options: null, console: [] };
      if (step !== 'hang') return { ...base, ...step };
      return isInterrupted
        ? { ...base, status: 'finished', exitCode: 1, console: [['stderr', 'KeyboardInterrupt\n']] }
        : base;
    },
    interrupt: () => {
      calls.push('interrupt');
      isInterrupted = true;
      return Promise.resolve();
    },
    usage: () => ({
      cpuMs: 40,
      memBytes: 1024,
      memPeakBytes: 2048,
      netRxBytes: 1,
      netTxBytes: 2,
      ioReadBytes: 3,
      ioWriteBytes: 4,
    }),
    ...script,
  });
  return { useCases, specs, calls, inputs, outOfMemory };
}

function published(spec: KernelSpec) {
  return spec.preopenPorts.map((port, index) => ({
    ...{ name: String(port), protocol: 'preopen' as const, isInference: false },
    ...{ containerPorts: [port], hostPorts: [30_100 + index] },
  }));
}

/** Bus events as `subscribe` gives them: those kept, then nothing. */
export function keptEvents(events: readonly AnnouncedEvent[]): UseCases['subscribe'] {
  return (listener, since) => {
    for (const event of events) if (since !== undefined && event.id > since) listener(event);
    return { [Symbol.dispose]: () => undefined };
  };
}

export interface CliRun {
  readonly status: Promise<number>;
  /** Everything written so far; stdout and stderr together in `all`, in order. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly all: () => string;
  readonly stdin: PassThrough;
  press(signal: 'SIGINT' | 'SIGTERM'): void;
  /** Resolves once `text` was written. */
  until(text: string): Promise<void>;
}

export interface CliOptions {
  readonly agent?: FakeAgent;
  /** Of an agent that listens; without it nothing does. */
  readonly address?: { readonly host: string; readonly port: number };
  readonly token?: string;
  readonly stdin?: string;
  readonly setup?: Partial<CliDependencies['setup']>;
  readonly quickstart?: Partial<CliDependencies['quickstart']>;
  readonly isTerminal?: boolean;
  readonly env?: Record<string, string>;
  readonly cwd?: string;
}

/** Runs a command line with captured streams, on an agent in memory. */
export function startCli(argv: readonly string[], options: CliOptions = {}): CliRun {
  const written: { readonly stream: 'out' | 'err'; readonly text: string }[] = [];
  const waiting = new Set<() => void>();
  const sink = (stream: 'out' | 'err'): CliOutput => {
    const output: Writable & { isTTY?: boolean; columns?: number } = new Writable({
      decodeStrings: false,
      write(chunk: Buffer | string, _encoding, done) {
        written.push({ stream, text: chunk.toString() });
        for (const wake of waiting) wake();
        done();
      },
    });
    if (options.isTerminal === true) Object.assign(output, { isTTY: true, columns: 80 });
    return output;
  };
  const stdin = new PassThrough();
  if (options.stdin !== undefined) stdin.end(options.stdin);
  const listeners = { SIGINT: new Set<() => void>(), SIGTERM: new Set<() => void>() };
  let id = 0;
  const config: CliConfiguration = {
    ...{ file: null, warnings: [] },
    // Port 1 of this host: nobody listens there.
    agentAddress: options.address ?? { host: '127.0.0.1', port: 1 },
    readToken: () => Promise.resolve(options.token),
    effective: () => [{ key: 'agent.id', value: 'i-1', toml: '"i-1"', origin: 'env X' }],
  };
  const deps: CliDependencies = {
    version: '9.9.9',
    io: { stdin, stdout: sink('out'), stderr: sink('err'), env: options.env ?? {}, cwd: options.cwd ?? '/' },
    signals: {
      on: (name, listener) => {
        listeners[name].add(listener);
        return { [Symbol.dispose]: () => listeners[name].delete(listener) };
      },
    },
    now: () => performance.now(),
    uuid: () => `00000000-0000-4000-8000-${String(++id).padStart(12, '0')}`,
    setup: {
      loadConfig: () => config,
      loadWholeConfig: () => Promise.resolve(config),
      configSample: () => '[agent]\n',
      startServer: () => Promise.resolve(0),
      startEmbeddedAgent: () =>
        Promise.resolve({
          useCases: (options.agent ?? fakeAgent()).useCases,
          [Symbol.asyncDispose]: () => {
            options.agent?.calls.push('stop');
            return Promise.resolve();
          },
        }),
      ensureImage: (tell) => {
        tell('looking');
        return Promise.resolve('default:1');
      },
      ...options.setup,
    },
    quickstart: {
      checkEngine: () => Promise.resolve('Docker 20.10'),
      leftovers: () => Promise.resolve([]),
      fetchPage: () => Promise.reject(new Error('not scripted')),
      ...options.quickstart,
    },
  };
  const text = (stream?: 'out' | 'err') => () =>
    written
      .filter((piece) => stream === undefined || piece.stream === stream)
      .map((piece) => piece.text)
      .join('');
  return {
    status: runCli(argv, deps),
    stdout: text('out'),
    stderr: text('err'),
    all: text(),
    stdin,
    press: (name) => {
      for (const listener of [...listeners[name]]) listener();
    },
    until: (wanted) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!text()().includes(wanted)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
  };
}
