import type { Clock } from '../../application/ports/clock.port.js';
import type { IdGenerator } from '../../application/ports/id-generator.port.js';
import type { Logger } from '../../application/ports/logger.port.js';
import type { Telemetry } from '../../application/ports/telemetry.port.js';
import type { UseCases } from '../../application/use-cases.js';

/** What the controllers work with: made outside (by inversify) and given to NestJS as one value. */
export interface HttpContext {
  readonly useCases: UseCases;
  /** All metrics in Prometheus text format. */
  readonly metrics: () => Promise<string>;
  readonly telemetry: Telemetry;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly ids: IdGenerator;
  /** Fires when the server is being closed. */
  readonly closing: AbortSignal;
  readonly eventStreamLimits: EventStreamLimits;
}

export interface EventStreamLimits {
  /** A reader that is more than this behind is dropped. */
  readonly maxBufferedBytes: number;
  readonly maxStreams: number;
  readonly heartbeatMs: number;
}

export const HttpContext = Symbol('HttpContext');
