import type { Clock } from '../../application/ports/clock.port.js';
import type { Logger } from '../../application/ports/logger.port.js';
import type { Telemetry } from '../../application/ports/telemetry.port.js';
import type { UseCases } from '../../application/use-cases.js';
import { CallosumServer, type CallosumCounters, type CallosumOptions } from './callosum/callosum-server.js';
import { Dispatcher } from './dispatcher.js';

export interface RpcServerOptions extends Omit<CallosumOptions, 'onRefused'> {
  /** Calls that name another agent are refused (rpc.md §4.3). */
  readonly agentId: string;
}

/**
 * The Manager's way in: Callosum RPC over ZeroMQ, translated to use cases.
 *
 * Start it only when the kernels of a former life are known again (rpc.md §7.1.10), and announce the agent only after.
 */
export class RpcServer implements AsyncDisposable {
  private readonly server: CallosumServer;

  constructor(options: RpcServerOptions, useCases: UseCases, telemetry: Telemetry, logger: Logger, clock: Clock) {
    const dispatcher = new Dispatcher(options.agentId, useCases, telemetry, logger, clock);
    const onRefused = (): void => telemetry.count('backendai_rpc_refused_connections');
    this.server = new CallosumServer({ ...options, onRefused }, dispatcher, logger, clock);
  }

  get counters(): CallosumCounters {
    return this.server.counters;
  }

  /** Where it listens, with the port that was taken; empty before `start`. */
  get endpoint(): string {
    return this.server.endpoint;
  }

  /** @throws AddressInUseError, ConfigurationError when it can't listen. */
  start(): Promise<void> {
    return this.server.start();
  }

  /** Lets calls end for a moment, answers the rest with FAILUREs, closes: within a second. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.server[Symbol.asyncDispose]();
  }
}
