import type { Call } from './call.js';

export type ServiceAction = 'start' | 'stop' | 'restart' | 'reload';

/**
 * The service manager of this machine (systemd). Failures are `HostServiceError`s with what it said; a machine without
 * one is not a failure: `undefined` or `false`.
 */
export interface HostServices {
  /** `active`, `inactive`, `failed`, …; `undefined` if there is no service manager. */
  state(unit: string, call: Call): Promise<string | undefined>;
  /** Returns when the action is queued, not when it is over: the unit may be this very agent. */
  act(action: ServiceAction, unit: string, call: Call): Promise<boolean>;
  /** Stops `unit`, restarts `other`, starts `unit` again: outside this process, which may be part of `unit`. */
  cycle(unit: string, other: string, call: Call): Promise<boolean>;
  /** Stops all services and switches the machine off. */
  powerOff(call: Call): Promise<boolean>;
}

export const HostServices = Symbol('HostServices');
