import { deadlineExceeded, engineUnavailable, storageFailure } from '../../src/domain/error/errors.js';
import { kernelSpec } from './kernel-records.js';
import type { FakeAgent, FakeMachine } from './fake-agent.js';
import type { Crossing } from './process-boundary.js';

/** A deadline of an engine call, and a time by which an engine that was stuck has done what it was told. */
const CALL_DEADLINE_MS = 60_000;
const STUCK_MS = 100_000;

const WRITES: ReadonlySet<string> = new Set(['records.save', 'scratch.create', 'scratch.write', 'scratch.append']);

interface Scene {
  readonly machine: FakeMachine;
  readonly agent: FakeAgent;
  /** Fires the signal of the call that is being tried. */
  readonly cancel: () => void;
}

/** What goes wrong with a call; `effect` does what it would have done. */
type Fault = (scene: Scene, crossing: Crossing, effect: () => Promise<unknown>) => Promise<unknown>;

function signalOf({ args }: Crossing): AbortSignal | undefined {
  const call = args.find((arg) => typeof arg === 'object' && arg !== null && 'signal' in arg);
  return (call as { signal: AbortSignal } | undefined)?.signal;
}

function failureOf({ name }: Crossing): Error {
  return name.startsWith('engine.') ? engineUnavailable(`${name} failed`) : storageFailure(`${name} failed`);
}

/** Faults of any call of the agent to its machine. */
export const FAULTS = {
  error: (_, crossing) => Promise.reject(failureOf(crossing)),
  'lost answer': async (_, crossing, effect) => {
    await effect();
    throw failureOf(crossing);
  },
  slow: async ({ machine }, crossing, effect) => {
    await machine.clock.sleep(5_000, signalOf(crossing));
    return effect();
  },
  hang: async ({ machine }, crossing) => {
    await machine.clock.sleep(CALL_DEADLINE_MS, signalOf(crossing));
    throw deadlineExceeded(`${crossing.name} did not answer`);
  },
  /** Nobody waits any more when it happens. */
  'late effect': async ({ machine }, crossing, effect) => {
    const call = crossing.args.at(-1);
    const rest = { signal: new AbortController().signal };
    if (call === undefined) return effect();
    void machine.clock.sleep(STUCK_MS).then(() => replay(machine, crossing, rest).catch(() => undefined));
    await machine.clock.sleep(CALL_DEADLINE_MS, signalOf(crossing));
    throw deadlineExceeded(`${crossing.name} did not answer`);
  },
  'engine away from here on': ({ machine }, _, effect) => {
    machine.engine.stop({ keepContainers: true });
    return effect();
  },
  'engine dead from here on': ({ machine }, _, effect) => {
    machine.engine.stop();
    return effect();
  },
  'disk full from here on': ({ agent }, _, effect) => {
    agent.boundary.meddle = (later, laterEffect) =>
      WRITES.has(later.name) ? Promise.reject(failureOf(later)) : laterEffect();
    return effect();
  },
  cancel: ({ cancel }, _, effect) => {
    cancel();
    return effect();
  },
  destroy: async ({ agent }, _, effect) => {
    // Nobody calls from within a call.
    await Promise.resolve();
    agent.destroy(kernelSpec().kernelId).catch(() => undefined);
    return effect();
  },
  'agent killed before': ({ agent }) => {
    agent.kill();
    return Promise.resolve();
  },
  'agent killed after': async ({ agent }, _, effect) => {
    await effect();
    agent.kill();
  },
} satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;

/** The same call once more, by nobody: its own signal has fired long ago. */
function replay(machine: FakeMachine, { name, args }: Crossing, call: object): Promise<unknown> {
  const method = name.split('.')[1] as 'removeContainer';
  const run = machine.engine[method].bind(machine.engine) as (...all: unknown[]) => Promise<unknown>;
  return run(...args.slice(0, -1), call);
}

/**
 * Whether a fault can happen to a call: only engines hang, the event bus has taken on never to fail, ports answer in
 * this process, and nobody can ask an agent for anything before it has read its records.
 */
export function canHappen(fault: FaultName, { name }: Crossing): boolean {
  if (fault === 'slow' || fault === 'hang' || fault === 'late effect') return name.startsWith('engine.');
  if (fault === 'error') return !name.startsWith('events.');
  if (fault === 'lost answer') return !name.startsWith('events.') && !name.startsWith('ports.');
  if (fault === 'destroy') return name !== 'records.load';
  return true;
}

/** Lets the `number`th call from now on go wrong. */
export function failCall(scene: Scene, number: number, fault: FaultName): void {
  const { boundary } = scene.agent;
  const at = boundary.crossings.length + number;
  boundary.meddle = (crossing, effect) => (crossing.number === at ? FAULTS[fault](scene, crossing, effect) : effect());
}
