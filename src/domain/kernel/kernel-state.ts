/**
 * The life of a kernel.
 *
 *     (created) ──► PREPARING ──► RUNNING ◄──► RESTARTING
 *                       │            │             │
 *                       └────────────┴─────────────┴──► TERMINATING ──► TERMINATED
 *
 * A failed creation goes PREPARING → TERMINATING → TERMINATED, a failed restart RESTARTING → TERMINATING → TERMINATED:
 * every kernel that was ever announced ends in TERMINATED, and with one terminal event.
 */
export type KernelState = 'PREPARING' | 'RUNNING' | 'RESTARTING' | 'TERMINATING' | 'TERMINATED';

const NEXT: Readonly<Record<KernelState, readonly KernelState[]>> = {
  PREPARING: ['RUNNING', 'TERMINATING'],
  RUNNING: ['RESTARTING', 'TERMINATING'],
  RESTARTING: ['RUNNING', 'TERMINATING'],
  TERMINATING: ['TERMINATED'],
  TERMINATED: [],
};

export function canBecome(from: KernelState, to: KernelState): boolean {
  return NEXT[from].includes(to);
}

/** The state words of the reference's kernel record (lifecycle.md §5.1). */
export const MANAGER_STATE: Readonly<Record<KernelState, 'preparing' | 'running' | 'terminating'>> = {
  PREPARING: 'preparing',
  RUNNING: 'running',
  RESTARTING: 'preparing',
  TERMINATING: 'terminating',
  TERMINATED: 'terminating',
};
