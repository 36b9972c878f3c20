import { inject, injectable } from 'inversify';
import { Clock } from '../ports/clock.port.js';
import { EventBus } from '../ports/event-bus.port.js';

/** Faults of one kind in one place are told once in this time; a Manager shows each to its administrators. */
const QUIET_MS = 60_000;
/** Kinds remembered; beyond that the oldest may be told again. */
const MAX_KINDS = 100;
const MAX_TRACE_LINES = 20;

/** Tells the Manager of our own bugs, and of nothing else (rpc.md §7.1.15). */
@injectable()
export class ReportFault {
  private readonly toldAtMs = new Map<string, number>();

  constructor(
    @inject(EventBus) private readonly events: EventBus,
    @inject(Clock) private readonly clock: Clock,
  ) {}

  execute(error: unknown, context: Readonly<Record<string, string>>): void {
    const name = error instanceof Error ? error.constructor.name : typeof error;
    const frames = framesOf(error);
    const kind = `${name} ${frames[0] ?? ''}`;
    const nowMs = this.clock.monotonic();
    const toldAt = this.toldAtMs.get(kind);
    if (toldAt !== undefined && nowMs - toldAt < QUIET_MS) return;
    this.toldAtMs.delete(kind);
    this.toldAtMs.set(kind, nowMs);
    const [oldest] = this.toldAtMs.keys();
    if (this.toldAtMs.size > MAX_KINDS && oldest !== undefined) this.toldAtMs.delete(oldest);
    // Its own text may hold what a user typed: where it happened is enough.
    const body = {
      message: `unexpected ${name} in the agent`,
      traceback: frames.length === 0 ? null : frames.join('\n'),
      user: null,
      context_env: context,
      severity: 'ERROR',
    } as const;
    this.events.announce({ name: 'agent_error', body }).catch(() => undefined);
  }
}

function framesOf(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [];
  const lines = (error.stack ?? '').split('\n').map((line) => line.trim());
  return lines.filter((line) => line.startsWith('at ')).slice(0, MAX_TRACE_LINES);
}
