/** How code is handed to a kernel (rpc.md §6.9). */
export type ExecutionMode = 'query' | 'batch' | 'input' | 'continue';

export type ExecutionStatus =
  'continued' | 'waiting-input' | 'clean-finished' | 'build-finished' | 'finished' | 'exec-timeout';

/** `[kind, value]`: text, or `[mime, payload]` for media (krunner.md §3.5). */
export type ConsoleItem =
  | readonly ['stdout' | 'stderr' | 'html' | 'log' | 'completion', string]
  | readonly ['media', readonly [mime: string, payload: string]];

export interface ExecutionResult {
  readonly runId: string;
  readonly status: ExecutionStatus;
  readonly exitCode: number | null;
  /** Only for `waiting-input`: `{ is_password }`. */
  readonly options: Readonly<Record<string, unknown>> | null;
  readonly console: readonly ConsoleItem[];
}
