import type { Readable, Writable } from 'node:stream';
import type { UseCases } from '../../application/use-cases.js';
import type { KernelId } from '../../domain/kernel/kernel-id.js';

/** All that the command line gets from the outside; the composition root makes it, tests make their own. */
export interface CliDependencies {
  readonly version: string;
  readonly io: CliIo;
  readonly signals: Signals;
  readonly setup: CliSetup;
  readonly quickstart: QuickstartSetup;
  /** Monotonic milliseconds. */
  now(): number;
  /** A random UUID. */
  uuid(): string;
}

/** Standard input as a terminal offers more than a stream. */
export type CliInput = Readable & {
  readonly isTTY?: boolean;
  setRawMode?(on: boolean): unknown;
};
export type CliOutput = Writable & { readonly isTTY?: boolean; readonly columns?: number };

export interface CliIo {
  readonly stdin: CliInput;
  readonly stdout: CliOutput;
  readonly stderr: CliOutput;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** Process signals, as long as the returned handle is not disposed of. */
export interface Signals {
  on(name: 'SIGINT' | 'SIGTERM', listener: () => void): Disposable;
}

export interface ConfigRequest {
  /** `--config FILE`. */
  readonly file?: string;
  readonly logLevel?: string;
  readonly debug?: boolean;
}

/** What commands need to know of the configuration. */
export interface CliConfiguration {
  /** `null` = built-in defaults. */
  readonly file: string | null;
  readonly warnings: readonly string[];
  /** `[watcher] service-addr`: where a running agent is found. */
  readonly agentAddress: { readonly host: string; readonly port: number };
  /** The token of its HTTP application; `undefined` if none was ever made. Refuses a file that can't be trusted. */
  readToken(): Promise<string | undefined>;
  /** For `ag config show`: secrets are masked. */
  effective(): readonly {
    readonly key: string;
    readonly value: unknown;
    readonly toml: string;
    readonly origin: string;
  }[];
}

export interface CliSetup {
  /** Throws a ConfigurationError that tells all that is wrong. */
  loadConfig(request: ConfigRequest): CliConfiguration;
  /** The same with the values that etcd has, if the machine belongs to a cluster; a warning if etcd does not answer. */
  loadWholeConfig(request: ConfigRequest, signal: AbortSignal): Promise<CliConfiguration>;
  configSample(): string;
  /** Runs the daemon until `signal` fires; resolves with the exit status. */
  startServer(request: ConfigRequest, signal: AbortSignal): Promise<number>;
  /** An agent inside this process, without servers and without listening for anybody; disposing stops it. */
  startEmbeddedAgent(request: ConfigRequest, signal: AbortSignal): Promise<EmbeddedAgent>;
  /** Makes sure of the image used when none is named, and resolves with its name. */
  ensureImage(onProgress: (message: string) => void, signal: AbortSignal): Promise<string>;
}

export interface EmbeddedAgent extends AsyncDisposable {
  readonly useCases: UseCases;
}

export interface QuickstartSetup {
  /** Resolves with a description of the container engine, e.g. `Docker 24.0.7, cgroup v2`; starts nothing itself. */
  checkEngine(signal: AbortSignal): Promise<string>;
  /** Looks at the machine itself, not at the agent's books, for what a destroyed kernel left. */
  leftovers(trace: KernelTrace, request: ConfigRequest, signal: AbortSignal): Promise<readonly Leftover[]>;
  /** One GET of a page; rejects when it can't be had within a few seconds. */
  fetchPage(url: string, signal: AbortSignal): Promise<string>;
}

/** What a kernel was known to have. */
export interface KernelTrace {
  readonly kernelId: KernelId;
  readonly containerId: string;
  readonly hostPorts: readonly number[];
}

export interface Leftover {
  readonly kind: 'container' | 'network' | 'port' | 'slot' | 'directory';
  readonly what: string;
}
