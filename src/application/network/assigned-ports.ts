import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { PortPool } from '../../domain/service-port/port-pool.js';
import { AgentSettings } from '../agent-settings.js';
import { Clock } from '../ports/clock.port.js';
import { HostPorts } from '../ports/host-ports.port.js';
import { Logger } from '../ports/logger.port.js';

/** Between `assign_port` and the creation of its kernel lies the rest of the session's preparation. */
const UNCLAIMED_MS = 600_000;

interface AssignedPort {
  readonly hold: AsyncDisposable;
  /** Monotonic. */
  readonly assignedAtMs: number;
}

/**
 * Ports given out ahead of a kernel (rpc.md §6.15): booked, and bound by the agent so that no other program gets them,
 * until a kernel whose cluster mapping names one claims it. A Manager never gives one back, so what nobody claimed for
 * ten minutes is free again.
 */
@injectable()
export class AssignedPorts {
  readonly #assigned = new Map<number, AssignedPort>();

  constructor(
    @inject(PortPool) private readonly pool: PortPool,
    @inject(HostPorts) private readonly hostPorts: HostPorts,
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(Clock) private readonly clock: Clock,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** A session waits for it: a port that did not cool down yet is better than none. Throws PortPoolExhaustedError. */
  async assign(): Promise<number> {
    this.expire();
    const busy: number[] = [];
    try {
      for (;;) {
        const port = this.pool.take(this.clock.monotonic(), undefined, true);
        busy.push(port);
        const hold = await this.#hold(port);
        if (!hold) continue;
        busy.pop();
        this.#assigned.set(port, { hold, assignedAtMs: this.clock.monotonic() });
        return port;
      }
    } finally {
      for (const port of busy) this.pool.release(port, this.clock.monotonic());
    }
  }

  /**
   * The hold on an assigned port, now the caller's together with its entry in the pool. Also for a port that was assigned
   * before the agent was restarted, if it is still free; `undefined` if somebody else has it.
   */
  async claim(port: number): Promise<AsyncDisposable | undefined> {
    const assigned = this.#assigned.get(port);
    if (assigned) {
      this.#assigned.delete(port);
      return assigned.hold;
    }
    if (!this.pool.claim(port)) return undefined;
    let hold: AsyncDisposable | undefined;
    try {
      hold = await this.#hold(port);
    } finally {
      if (!hold) this.pool.release(port, this.clock.monotonic());
    }
    return hold;
  }

  /** A port that a kernel has, or that is not assigned at all, stays as it is. */
  release(port: number): void {
    const assigned = this.#assigned.get(port);
    if (!assigned) return;
    this.#assigned.delete(port);
    void this.#letGo(port, assigned.hold);
  }

  /** Frees what nobody claimed in time. */
  expire(): void {
    const now = this.clock.monotonic();
    for (const [port, { assignedAtMs }] of this.#assigned) {
      if (now - assignedAtMs >= UNCLAIMED_MS) this.release(port);
    }
  }

  /** In this order: who takes it next must be able to bind it. */
  async #letGo(port: number, hold: AsyncDisposable): Promise<void> {
    try {
      await hold[Symbol.asyncDispose]();
    } catch (error) {
      this.logger.warn(`port ${port} could not be let go: ${messageOf(error)}`);
    }
    this.pool.release(port, this.clock.monotonic());
  }

  #hold(port: number): Promise<AsyncDisposable | undefined> {
    return this.hostPorts.hold(port, this.settings.container.bindHost);
  }
}
