import type { Call } from '../../ports/call.js';
import type { LiveKernel } from '../live-kernel.js';

/**
 * One stage of making a kernel. What `setup` makes, `teardown` unmakes; a teardown is idempotent, also after a setup
 * that failed half-way, and needs no more than the kernel itself (so that it works on one found after a restart).
 *
 * What a container may still be using, a teardown does not give back to the books: `release` does, and it is called
 * only when nothing of the kernel is left. So what is still in use is never handed out.
 */
export interface Provisioner {
  /** Name in timings, `kernel_stage` events and metrics. */
  readonly name: string;
  /** What a restart does with it: `keep` it (slots, ports), set it up again over itself, or tear it down first. */
  readonly onRestart: 'keep' | 'refresh' | 'remake';
  /** Works the engine hard: counts against the agent's creation concurrency (lifecycle.md §1.1). */
  readonly takesTurn?: boolean;
  setup(live: LiveKernel, call: Call): Promise<void>;
  teardown(live: LiveKernel, call: Call): Promise<void>;
  /** Gives back to the books, once every teardown is done and the record is gone. Never fails. */
  release?(live: LiveKernel): void;
  /** Takes back into the books what the record of an earlier life says. */
  restore?(live: LiveKernel): void;
  /** Finds again what belongs to a container that outlived the agent. */
  adopt?(live: LiveKernel, call: Call): Promise<void>;
}

/** The stages in order of setup. */
export type Provisioners = readonly Provisioner[];
export const Provisioners = Symbol('Provisioners');
