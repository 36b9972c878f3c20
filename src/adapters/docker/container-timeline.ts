import type { ContainerState, ContainerSummary, EngineEvent } from '../../application/ports/container-engine.port.js';

type Action = EngineEvent['action'];
type Attributes = EngineEvent['attributes'];

interface Known {
  readonly name: string;
  readonly attributes: Attributes;
  readonly phase: Phase;
}

type Phase = 'created' | 'running' | 'ended';

/** An event that must have happened while nobody listened. */
export interface MissedEvent {
  readonly action: Action;
  readonly containerId: string;
  readonly name: string;
  readonly attributes: Attributes;
}

/** How far behind the newest event a late one may be and still be recognised as new or as seen. */
const OVERLAP_NS = 1_000_000_000n;
const MAX_REMEMBERED = 8192;

/**
 * What an event stream has told so far: which events were seen, and the state of containers that follows from them.
 * It says where to resume, drops repetitions, and after a gap finds what the engine no longer knows to tell: an engine
 * remembers only its last 256 events, and none over its own restart.
 */
export class ContainerTimeline {
  readonly #containers = new Map<string, Known>();
  /** Key of an event → its time, oldest first. */
  readonly #seen = new Map<string, bigint>();
  /** Events that were inferred, by container, and the time up to which the real ones would be repetitions. */
  readonly #assumed = new Map<string, { readonly actions: Set<Action>; readonly untilNs: bigint }>();
  readonly #floor: bigint;
  #newest: bigint;

  constructor(sinceMs: number) {
    this.#floor = BigInt(Math.max(0, Math.floor(sinceMs))) * 1_000_000n;
    this.#newest = this.#floor;
  }

  /** Where to subscribe from: seconds and nanoseconds, a little before the newest event seen. */
  get resumeFrom(): string {
    const from = this.#newest - OVERLAP_NS > this.#floor ? this.#newest - OVERLAP_NS : this.#floor;
    return `${from / 1_000_000_000n}.${(from % 1_000_000_000n).toString().padStart(9, '0')}`;
  }

  /** Takes a received event in; false if it was already told. */
  accept(event: Omit<EngineEvent, 'timeMs'>, timeNs: bigint): boolean {
    const key = `${timeNs} ${event.action} ${event.containerId}`;
    if (this.#seen.has(key)) return false;
    this.#seen.set(key, timeNs);
    if (timeNs > this.#newest) this.#newest = timeNs;
    this.#forget();
    const assumed = this.#assumed.get(event.containerId);
    if (assumed?.actions.delete(event.action)) {
      if (timeNs <= assumed.untilNs) return false;
    } else if (event.action === 'start') {
      // It lives again: whatever comes now is no repetition any more.
      this.#assumed.delete(event.containerId);
    }
    this.#apply(event);
    return true;
  }

  /** Takes the containers that exist as known, without an event: the state before the first one. */
  adopt(containers: readonly ContainerSummary[]): void {
    for (const container of containers) {
      this.#containers.set(container.id, {
        name: container.name,
        attributes: { ...container.labels, name: container.name },
        phase: phaseOf(container.state),
      });
    }
  }

  /**
   * What must have happened unheard, by comparing the containers that should be with those that are. Containers in
   * `fresh` are left out: their newest event is younger than the list.
   */
  infer(containers: readonly ContainerSummary[], fresh: ReadonlySet<string>): MissedEvent[] {
    const missed: MissedEvent[] = [];
    const add = (action: Action, containerId: string, { name, attributes }: Known): void => {
      if (!fresh.has(containerId)) missed.push({ action, containerId, name, attributes });
    };
    const present = new Map(containers.map((container) => [container.id, container]));
    for (const [id, known] of this.#containers) {
      const now = present.get(id);
      if (known.phase === 'running' && (!now || phaseOf(now.state) !== 'running')) add('die', id, known);
      if (!now) add('destroy', id, known);
    }
    for (const { id, name, state, labels } of containers) {
      const before = this.#containers.get(id);
      const known = before ?? { name, attributes: { ...labels, name }, phase: 'created' };
      const phase = phaseOf(state);
      if (!before) add('create', id, known);
      if (known.phase !== 'running' && phase === 'running') add('start', id, known);
      if (known.phase === 'created' && state === 'exited') {
        add('start', id, known);
        add('die', id, known);
      }
    }
    return missed;
  }

  /** Takes inferred events as told; up to `untilNs` (engine time) the real ones would be repetitions. */
  assume(missed: readonly MissedEvent[], untilNs: bigint): void {
    for (const event of missed) {
      const actions = this.#assumed.get(event.containerId)?.actions ?? new Set();
      this.#assumed.set(event.containerId, { actions: actions.add(event.action), untilNs });
      this.#apply(event);
    }
  }

  #apply({ action, containerId, name, attributes }: MissedEvent): void {
    if (action === 'destroy') this.#containers.delete(containerId);
    else if (action === 'oom') return;
    else this.#containers.set(containerId, { name, attributes: withoutExit(attributes), phase: phaseAfter[action] });
  }

  #forget(): void {
    for (const [key, time] of this.#seen) {
      if (time >= this.#newest - 2n * OVERLAP_NS && this.#seen.size <= MAX_REMEMBERED) break;
      this.#seen.delete(key);
    }
    for (const [id, { untilNs }] of this.#assumed) {
      if (untilNs < this.#newest - OVERLAP_NS) this.#assumed.delete(id);
    }
  }
}

const phaseAfter = { create: 'created', start: 'running', die: 'ended' } as const;

function phaseOf(state: ContainerState): Phase {
  if (state === 'created') return 'created';
  // A paused container has processes; one that is restarting has died and will start again.
  return state === 'running' || state === 'paused' ? 'running' : 'ended';
}

/** What a container keeps between its events: not what one end of it was like. */
function withoutExit(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([key]) => key !== 'exitCode' && key !== 'execDuration'));
}
