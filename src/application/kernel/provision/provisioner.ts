import type { Call } from '../../ports/call.js';
import type { LiveKernel } from '../live-kernel.js';

/**
 * One stage of making a kernel. What `setup` makes, `teardown` unmakes; a teardown is idempotent, also after a setup
 * that failed half-way, and needs no more than the kernel itself (so that it works on one found after a restart).
 */
export interface Provisioner {
  /** Name in timings, `kernel_stage` events and metrics. */
  readonly name: string;
  /** What a restart does with it: `keep` it (slots, ports), set it up again over itself, or tear it down first. */
  readonly onRestart: 'keep' | 'refresh' | 'remake';
  setup(live: LiveKernel, call: Call): Promise<void>;
  teardown(live: LiveKernel, call: Call): Promise<void>;
  /** Takes back into the books what the record of an earlier life says. */
  restore?(live: LiveKernel): void;
  /** Finds again what belongs to a container that outlived the agent. */
  adopt?(live: LiveKernel, call: Call): Promise<void>;
}

/** The stages in order of setup. */
export type Provisioners = readonly Provisioner[];
export const Provisioners = Symbol('Provisioners');
