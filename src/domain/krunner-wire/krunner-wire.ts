/**
 * The frames between agent and in-container kernel runner (krunner.md §2): every message is two frames, a name and a
 * payload. These words are all that the runner shares with the agent.
 */

/** Agent → runner (krunner.md §2.3). */
export type RunnerOp =
  /** Ours; other runners ignore it: the payload names the next `exec` or `code`, see `RunnerStatus`. */
  | 'run-id'
  | 'clean'
  | 'build'
  | 'exec'
  | 'code'
  | 'input'
  | 'complete'
  | 'interrupt'
  | 'status'
  | 'event'
  | 'start-service'
  | 'shutdown-service'
  | 'get-apps'
  | 'start-model-service';

/** Runner → agent (krunner.md §2.4). */
export type RunnerKind =
  | 'stdout'
  | 'stderr'
  | 'media'
  | 'html'
  | 'log'
  | 'waiting-input'
  | 'clean-finished'
  | 'build-finished'
  | 'finished'
  | 'completion'
  | 'status'
  | 'service-result'
  | 'model-service-result'
  | 'model-service-status'
  | 'apps-result';

/** In-container ports of the two sockets (krunner.md §1.6). */
export const REPL_IN_PORT = 2000;
export const REPL_OUT_PORT = 2001;
/** Legacy terminal ports, reserved for ever. */
export const STDIN_PORT = 2002;
export const STDOUT_PORT = 2003;
/** Intrinsic services. */
export const SSHD_PORT = 2200;
export const TTYD_PORT = 7681;

/** The most names of runs that a runner keeps, and the longest, in UTF-16 units. */
export const MAX_NAMED_RUNS = 32;
export const MAX_RUN_NAME = 256;

/** Payload of `start-service` (krunner.md §2.5). `options` is always an object. */
export interface StartServiceRequest {
  readonly name: string;
  readonly port: number;
  readonly ports: readonly number[];
  readonly protocol: string;
  readonly options: {
    readonly arguments?: Readonly<Record<string, unknown>>;
    readonly envs?: Readonly<Record<string, string>>;
  };
}

/** Payload of `service-result`. */
export interface ServiceResult {
  readonly status: 'started' | 'running' | 'failed';
  readonly error?: string;
}

/** An entry of `apps-result`. */
export interface RunnerApp {
  readonly name: string;
  readonly url_template?: string;
  readonly allowed_arguments?: readonly string[];
  readonly allowed_envs?: readonly string[];
}

/**
 * Variables that would act on the runner's own process while it is still root. The agent starts containers with these
 * empty; what the user set reaches the user's programs through environ.txt, which is read for them alone.
 */
export const SHIELDED_VARIABLES: readonly string[] = [
  'LD_PRELOAD',
  'LD_AUDIT',
  'GLIBC_TUNABLES',
  'NODE_OPTIONS',
  'NODE_EXTRA_CA_CERTS',
  'NODE_V8_COVERAGE',
  'NODE_REDIRECT_WARNINGS',
  'NODE_COMPILE_CACHE',
  'NODE_DEBUG',
  'OPENSSL_CONF',
];
