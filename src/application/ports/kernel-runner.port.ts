import type {
  RunnerApp,
  RunnerKind,
  RunnerOp,
  ServiceResult,
  StartServiceRequest,
} from '../../domain/krunner-wire/krunner-wire.js';
import type { Call } from './call.js';

/** One frame pair that belongs to the current run; stdout and stderr are decoded text, others the payload as text. */
export interface RunRecord {
  readonly kind: RunnerKind;
  readonly text: string;
}

export interface RunnerStatus {
  /** Seconds on a clock of the runner's own. */
  readonly startedAt: number;
  /**
   * The newest runs that have a name, oldest first: name → exit code, `null` = in line or running. A name that is not in
   * it never reached the runner, or long ago. Absent from runners other than ours.
   */
  readonly runs?: ReadonlyMap<string, number | null>;
}

/**
 * A live connection to the runner of one kernel (krunner.md §2, §3). It speaks the official frames, so the official
 * runner and ours are interchangeable behind it.
 *
 * Replies that have a queue of their own (status, apps, service, completion) are matched in order; calls of one kind
 * are serialised. A call past its deadline rejects with `TimeoutError` and leaves the connection usable.
 */
export interface KernelRunner extends AsyncDisposable {
  /** Sends an operation that belongs to a run: its output arrives at `onRecord`. */
  send(
    op: Extract<RunnerOp, 'code' | 'clean' | 'build' | 'exec' | 'input' | 'interrupt' | 'run-id'>,
    payload: string,
  ): Promise<void>;
  /** Sends `event` with this type, e.g. `oom`. */
  notify(type: string, data: Readonly<Record<string, unknown>>): Promise<void>;
  status(call: Call): Promise<RunnerStatus>;
  apps(call: Call): Promise<readonly RunnerApp[]>;
  complete(request: Readonly<Record<string, unknown>>, call: Call): Promise<readonly string[]>;
  startService(request: StartServiceRequest, call: Call): Promise<ServiceResult>;
  shutdownService(name: string): Promise<void>;
  /** At most one listener; records that arrive without one are dropped. */
  onRecord(listener: ((record: RunRecord) => void) | undefined): void;
}

export interface KernelRunnerAddress {
  readonly host: string;
  readonly replInPort: number;
  readonly replOutPort: number;
}

/** Connects lazily: succeeds at once, also before the runner listens; the first `status` shows whether it does. */
export interface KernelRunnerConnector {
  connect(address: KernelRunnerAddress): Promise<KernelRunner>;
}

export const KernelRunnerConnector = Symbol('KernelRunnerConnector');
