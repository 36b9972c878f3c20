import type { KernelId, SessionId } from '../kernel/kernel-id.js';
import type { KernelState } from '../kernel/kernel-state.js';
import type { TerminationReason } from '../kernel/termination-reason.js';

/** A container on the engine that carries this agent's owner label. */
export interface ObservedContainer {
  readonly kernelId: KernelId;
  readonly sessionId: SessionId;
  readonly containerId: string;
  /** `starting` = created and not yet started. */
  readonly condition: 'starting' | 'alive' | 'dead';
}

/** What the machine shows. */
export interface Observed {
  readonly containers: readonly ObservedContainer[];
  /** Kernels that have a scratch directory here. */
  readonly scratches: readonly KernelId[];
}

/** What the agent believes: its kernels in memory, or right after a start those of its records. */
export interface DesiredKernel {
  readonly kernelId: KernelId;
  readonly state: KernelState;
  readonly containerId: string | null;
  /** Somebody is creating, restarting or destroying it right now: hands off. */
  readonly busy: boolean;
  /** The agent holds its runner connection and its books. False right after a start. */
  readonly attached: boolean;
  readonly terminationReason: TerminationReason | null;
}

export interface Desired {
  readonly kernels: readonly DesiredKernel[];
}

/** One repair. Each is idempotent: doing it twice is doing it once. */
export type Step =
  | { readonly type: 'adopt'; readonly kernelId: KernelId; readonly containerId: string }
  | { readonly type: 'terminate'; readonly kernelId: KernelId; readonly reason: TerminationReason }
  | {
      readonly type: 'remove-container';
      readonly kernelId: KernelId;
      readonly sessionId: SessionId;
      readonly containerId: string;
      /** No record of this kernel exists, so nobody else will tell that it ended. */
      readonly announce: boolean;
    }
  | { readonly type: 'remove-scratch'; readonly kernelId: KernelId };

/**
 * Compares what is there with what should be, and says what to do about it. Start-up and the periodic reconciler use
 * this one function.
 *
 *  record state            container          step
 *  RUNNING                 alive              adopt if not attached, else nothing
 *  RUNNING                 dead               terminate: self-terminated
 *  RUNNING                 none               terminate: container-not-found
 *  PREPARING               any                terminate: failed-to-create    (its creator died)
 *  RESTARTING              any                terminate: failed-to-start     (its restarter died)
 *  TERMINATING             any                terminate with the recorded reason (finish it)
 *  none                    any                remove-container and announce
 *  none                    none, scratch      remove-scratch
 *
 * A second container of a kernel that has another one is removed without a word. Busy kernels are left alone.
 */
export function plan(observed: Observed, desired: Desired): readonly Step[] {
  const steps: Step[] = [];
  const known = new Map(desired.kernels.map((kernel) => [kernel.kernelId, kernel]));
  const byKernel = new Map<KernelId, ObservedContainer[]>();
  for (const container of observed.containers) {
    const list = byKernel.get(container.kernelId);
    if (list) list.push(container);
    else byKernel.set(container.kernelId, [container]);
  }

  for (const kernel of desired.kernels) {
    if (kernel.busy) continue;
    const containers = byKernel.get(kernel.kernelId) ?? [];
    const own = containers.find((c) => c.containerId === kernel.containerId) ?? containers[0];
    const step = stepFor(kernel, own);
    if (step) steps.push(step);
    if (step?.type !== 'terminate') {
      for (const extra of containers) {
        if (extra !== own) steps.push(removal(extra, false));
      }
    }
  }

  for (const [kernelId, containers] of byKernel) {
    if (known.has(kernelId)) continue;
    containers.forEach((container, index) => steps.push(removal(container, index === 0)));
  }

  for (const kernelId of observed.scratches) {
    if (!known.has(kernelId)) steps.push({ type: 'remove-scratch', kernelId });
  }
  return steps;
}

function stepFor(kernel: DesiredKernel, container: ObservedContainer | undefined): Step | undefined {
  const terminate = (reason: TerminationReason): Step => ({
    type: 'terminate',
    kernelId: kernel.kernelId,
    reason: kernel.terminationReason ?? reason,
  });
  switch (kernel.state) {
    case 'RUNNING':
      if (!container) return terminate('container-not-found');
      if (container.condition === 'dead') return terminate('self-terminated');
      if (container.condition === 'starting') return terminate('failed-to-start');
      return kernel.attached
        ? undefined
        : { type: 'adopt', kernelId: kernel.kernelId, containerId: container.containerId };
    case 'PREPARING':
      return terminate('failed-to-create');
    case 'RESTARTING':
      return terminate('failed-to-start');
    case 'TERMINATING':
      return terminate('unknown');
    case 'TERMINATED':
      return undefined;
  }
}

function removal(container: ObservedContainer, announce: boolean): Step {
  return {
    type: 'remove-container',
    kernelId: container.kernelId,
    sessionId: container.sessionId,
    containerId: container.containerId,
    announce,
  };
}
