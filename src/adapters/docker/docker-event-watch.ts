import type { ContainerSummary, EngineEvent } from '../../application/ports/container-engine.port.js';
import { messageOf } from '../../domain/error/agent-error.js';
import { engineUnavailable } from '../../domain/error/errors.js';
import { ContainerTimeline, type MissedEvent } from './container-timeline.js';
import { orMissing } from './docker-errors.js';
import { parseJson, type EngineConnection, type EngineRequest } from './engine-connection.js';
import { containerListSchema, containerSchema, engineTimeSchema, eventSchema } from './engine-schemas.js';
import { linesOf } from './engine-streams.js';
import { IdleWatchdog } from './idle-watchdog.js';
import { inScope, OperationScope } from './operation-scope.js';

export interface EventWatchTiming {
  readonly firstBackoffMs: number;
  readonly maxBackoffMs: number;
  /** A connection that lived shorter than this is no reason to try again at once. */
  readonly steadyMs: number;
  /** Silence after which the engine is asked whether it lives. */
  readonly idleProbeMs: number;
  readonly probeTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

export const eventWatchTiming: EventWatchTiming = {
  firstBackoffMs: 100,
  maxBackoffMs: 2000,
  steadyMs: 2000,
  idleProbeMs: 10_000,
  probeTimeoutMs: 5000,
  connectTimeoutMs: 30_000,
};

type OnConnection = (connected: boolean, error?: Error) => void;

const actions = ['create', 'start', 'die', 'oom', 'destroy'] as const;
const filters = JSON.stringify({ type: ['container'], event: actions });
/** A state can be seen before its event is written; one within this time tells the same. */
const LATE_EVENT_NS = 2_000_000_000n;

/** Container events of one engine as one endless stream (see `ContainerEngine.watchEvents`). */
export class DockerEventWatch {
  readonly #connection: EngineConnection;
  readonly #timing: EventWatchTiming;
  readonly #timeline: ContainerTimeline;
  readonly #signal: AbortSignal;
  readonly #onConnection: OnConnection | undefined;
  /** Caught up and not yet told: kept over a connection that breaks while catching up. */
  readonly #pending: EngineEvent[] = [];
  #connected: boolean | undefined;
  #hasState = false;

  constructor(
    connection: EngineConnection,
    timing: EventWatchTiming,
    sinceMs: number,
    signal: AbortSignal,
    onConnection?: OnConnection,
  ) {
    this.#connection = connection;
    this.#timing = timing;
    this.#timeline = new ContainerTimeline(sinceMs);
    this.#signal = signal;
    this.#onConnection = onConnection;
  }

  async *events(): AsyncGenerator<EngineEvent> {
    let backoffMs = this.#timing.firstBackoffMs;
    const ended = (): boolean => this.#signal.aborted;
    while (!ended()) {
      const startedAt = performance.now();
      try {
        yield* this.#subscribe();
        this.#tell(false, engineUnavailable('The container engine ended its event stream'));
      } catch (error) {
        if (ended()) return;
        this.#tell(false, error instanceof Error ? error : new Error(messageOf(error)));
      }
      if (performance.now() - startedAt >= this.#timing.steadyMs) backoffMs = this.#timing.firstBackoffMs;
      await sleep(backoffMs, this.#signal);
      backoffMs = Math.min(backoffMs * 2, this.#timing.maxBackoffMs);
    }
  }

  /** One connection: first what was missed, then what comes. */
  async *#subscribe(): AsyncGenerator<EngineEvent> {
    const call = { signal: this.#signal };
    const { connectTimeoutMs, idleProbeMs } = this.#timing;
    await inScope(call, connectTimeoutMs, 'tell what happened', (signal) => this.#catchUp(signal));
    for (let event = this.#pending.shift(); event; event = this.#pending.shift()) yield event;

    const scope = new OperationScope(call, connectTimeoutMs, 'send its events');
    let watchdog: IdleWatchdog | undefined;
    try {
      const since = this.#timeline.resumeFrom;
      const body = await scope.race(this.#connection.open(eventsRequest({ since }), scope.signal));
      scope.lift();
      // A peer that vanished without a word (another host's engine) is noticed by the system as well.
      body.socket.setKeepAlive(true, idleProbeMs);
      watchdog = new IdleWatchdog(body, idleProbeMs, () => this.#probe());
      this.#tell(true);
      for await (const line of linesOf(body)) {
        const event = this.#take(line);
        if (event) yield event.event;
      }
    } catch (error) {
      throw scope.explain(error);
    } finally {
      watchdog?.[Symbol.dispose]();
      scope[Symbol.dispose]();
    }
  }

  /**
   * Everything since the last connection. The engine tells what it remembers; what it forgot is inferred by comparing
   * the containers that there are with those that there should be. The list is taken between two readings of the
   * engine's clock, so that a container with a younger event is not judged by an older list.
   */
  async #catchUp(signal: AbortSignal): Promise<void> {
    const beforeNs = BigInt(await this.#connection.ping(signal)) * 1_000_000n;
    const containers = await this.#list(signal);
    if (!this.#hasState) {
      this.#timeline.adopt(containers);
      this.#hasState = true;
      return;
    }
    const nowMs = (await this.#connection.json({ method: 'GET', path: '/info' }, engineTimeSchema, signal)) + 1;
    const until = (nowMs / 1000).toFixed(3);
    const body = await this.#connection.open(eventsRequest({ since: this.#timeline.resumeFrom, until }), signal);
    const fresh = new Set<string>();
    for await (const line of linesOf(body)) {
      const taken = this.#take(line);
      if (!taken) continue;
      this.#pending.push(taken.event);
      if (taken.timeNs >= beforeNs) fresh.add(taken.event.containerId);
    }
    const missed = this.#timeline.infer(containers, fresh);
    const complete: EngineEvent[] = [];
    for (const event of missed) complete.push(await this.#complete(event, nowMs, signal));
    this.#timeline.assume(missed, BigInt(nowMs) * 1_000_000n + LATE_EVENT_NS);
    this.#pending.push(...complete);
  }

  /** The event of a line, or `undefined` if it is none of ours or was told before. */
  #take(line: string): { event: EngineEvent; timeNs: bigint } | undefined {
    const { Type, Action, Actor, time } = parseJson(line, eventSchema);
    const action = actions.find((known) => known === Action);
    if (Type !== 'container' || !action) return undefined;
    // As text: a number would lose the last digits, and inside a string the quotes would be escaped.
    const timeNano = /"timeNano":\s*(\d{1,20})/.exec(line)?.[1];
    const timeNs = timeNano === undefined ? BigInt(time) * 1_000_000_000n : BigInt(timeNano);
    const event = {
      action,
      containerId: Actor.ID,
      name: Actor.Attributes['name'] ?? '',
      timeMs: Number(timeNs / 1_000_000n),
      attributes: Actor.Attributes,
    };
    return this.#timeline.accept(event, timeNs) ? { event, timeNs } : undefined;
  }

  /** Gives an inferred event the time and the exit code that the container still knows. */
  async #complete(event: MissedEvent, nowMs: number, signal: AbortSignal): Promise<EngineEvent> {
    if (event.action !== 'die' && event.action !== 'start') return { ...event, timeMs: nowMs };
    const path = `/containers/${encodeURIComponent(event.containerId)}/json`;
    const container = await orMissing(this.#connection.json({ method: 'GET', path }, containerSchema, signal));
    if (event.action === 'start') return { ...event, timeMs: container?.details.startedAtMs ?? nowMs };
    if (!container) return { ...event, timeMs: nowMs };
    const { exitCode, finishedAtMs } = container.details;
    return { ...event, timeMs: finishedAtMs || nowMs, attributes: { ...event.attributes, exitCode: String(exitCode) } };
  }

  #list(signal: AbortSignal): Promise<ContainerSummary[]> {
    return this.#connection.json(
      { method: 'GET', path: '/containers/json', query: { all: '1' } },
      containerListSchema,
      signal,
    );
  }

  /** What the engine said to anybody is a sign of life as well. */
  async #probe(): Promise<void> {
    if (this.#connection.silentMs < this.#timing.idleProbeMs) return;
    await inScope({ signal: this.#signal }, this.#timing.probeTimeoutMs, 'show a sign of life', (signal) =>
      this.#connection.ping(signal),
    );
  }

  #tell(connected: boolean, error?: Error): void {
    if (this.#connected === connected) return;
    this.#connected = connected;
    this.#onConnection?.(connected, error);
  }
}

function eventsRequest(range: { since: string; until?: string }): EngineRequest {
  return { method: 'GET', path: '/events', query: { filters, ...range } };
}

/** Ends early, without an error, when the signal fires. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const wake = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    signal.addEventListener('abort', wake, { once: true });
  });
}
