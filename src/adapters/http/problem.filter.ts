import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '../../application/ports/logger.port.js';
import { problemOf } from './problem.js';

/** Answers every error with a problem document, and logs those that are our own. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    sendProblem(error, http.getRequest(), http.getResponse(), this.#logger);
  }
}

export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply, logger: Logger): void {
  const problem = problemOf(error);
  const route = request.routeOptions.url ?? 'unmatched';
  if (problem.error === 'InternalError') {
    logger.error('a request failed unexpectedly', { request_id: request.id, method: request.method, route, error });
  }
  if (reply.sent || reply.raw.headersSent) {
    // Too late for a status: break the connection, so that the client doesn't take a part for the whole.
    reply.raw.destroy();
    return;
  }
  // A body that was refused before it was read to its end must not be taken for the next request.
  if (problem.status === 413 || problem.status === 403) void reply.header('connection', 'close');
  // Text: the framework's own serializer would set another content type.
  void reply.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
}
