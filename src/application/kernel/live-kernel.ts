import type { Kernel } from '../../domain/kernel/kernel.js';
import type { RunnerApp } from '../../domain/krunner-wire/krunner-wire.js';
import type { RunUsage } from '../../domain/statistics/usage.js';
import type { RunSession } from '../execution/run-session.js';
import type { ImageDetails } from '../ports/container-engine.port.js';
import type { KernelRunner } from '../ports/kernel-runner.port.js';
import type { ContainerUsage, UsageReading } from '../ports/usage-source.port.js';
import type { CreatedKernel } from '../use-cases.js';
import type { Composition } from './provision/kernel-composer.js';

/** A kernel together with what this process holds for it; everything here can be rebuilt from the kernel's record. */
export class LiveKernel {
  /** Index of the last stage whose setup was begun: what has to be torn down. */
  reached = -1;
  image: ImageDetails | undefined;
  composition: Composition | undefined;
  /** Ports bound by the agent itself until the engine takes them over. */
  portHolds: AsyncDisposable[] = [];
  runner: KernelRunner | undefined;
  session: RunSession | undefined;
  /** Services that the runner can start, of those that the kernel publishes. */
  apps: readonly RunnerApp[] = [];
  usage: ContainerUsage | undefined;
  lastUsage: RunUsage | undefined;
  /** The newest reading of its counters, also after they are closed. */
  lastReading: UsageReading | undefined;
  /** Processes killed for want of memory, as far as they were noticed. */
  oomKills = 0;
  /** Monotonic time of the last `execution_started`. */
  activeToldAtMs = Number.NEGATIVE_INFINITY;
  /** Stage → milliseconds, in order. */
  timingsMs: Record<string, number> = {};

  creation: Promise<CreatedKernel> | undefined;
  restart: Promise<CreatedKernel> | undefined;
  /** A container that outlived the agent is being taken over. */
  adoption: Promise<void> | undefined;
  termination: Promise<void> | undefined;
  /** The one terminal event is out; what is left of the termination may still have to be repeated. */
  terminalEventTold = false;
  readonly #abort = new AbortController();

  constructor(readonly kernel: Kernel) {}

  /** Fires when the kernel is to be given up while it is being made or taken over. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  giveUp(reason: Error): void {
    this.#abort.abort(reason);
  }

  /** Somebody is changing it right now; the reconciler keeps its hands off. */
  get busy(): boolean {
    return (this.creation ?? this.restart ?? this.adoption ?? this.termination) !== undefined;
  }
}
