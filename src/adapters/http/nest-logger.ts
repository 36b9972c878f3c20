import type { LoggerService } from '@nestjs/common';
import type { Logger } from '../../application/ports/logger.port.js';

/** NestJS's own messages in the agent's log: its start-up chatter at debug level, its warnings and errors as such. */
export class NestLogger implements LoggerService {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger.child({ component: 'nest' });
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.#logger.debug(String(message), contextOf(rest));
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.#logger.debug(String(message), contextOf(rest));
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.#logger.debug(String(message), contextOf(rest));
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.#logger.warn(String(message), contextOf(rest));
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.#logger.error(String(message), contextOf(rest));
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.#logger.error(String(message), contextOf(rest));
  }
}

/** NestJS gives the name of the part that speaks as the last argument, and a stack before it. */
function contextOf(rest: readonly unknown[]): Record<string, unknown> {
  const context = rest.at(-1);
  return {
    ...(typeof context === 'string' ? { context } : {}),
    ...(rest.length > 1 && typeof rest[0] === 'string' ? { stack: rest[0] } : {}),
  };
}
