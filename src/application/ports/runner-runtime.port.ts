import type { IntrinsicService } from '../../domain/service-port/plan-service-ports.js';
import type { Call } from './call.js';
import type { Mount } from './container-engine.port.js';

/** What makes a container a kernel: the runner program, and how it is started there. */
export interface RunnerLaunch {
  readonly mounts: readonly Mount[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  /** Added to the kernel's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** What the program needs of an otherwise unprivileged container. */
  readonly capAdd: readonly string[];
}

/** Provides the in-container runner for images of this node's architecture; prepares it once, on first use. */
export interface RunnerRuntime {
  /** Makes sure that the files exist on the host. Idempotent, safe to call from two processes at once. */
  prepare(call: Call): Promise<void>;
  /** Services that every kernel has, whatever its image. */
  readonly services: readonly IntrinsicService[];
  /** `runtimeType` and `runtimePath` are the image labels of the same name (lifecycle.md §2). */
  launch(runtimeType: string, runtimePath: string | undefined): RunnerLaunch;
}

export const RunnerRuntime = Symbol('RunnerRuntime');
