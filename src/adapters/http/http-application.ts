import 'reflect-metadata';
import { type INestApplication, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import { AgentController } from './controllers/agent.controller.js';
import { ExecutionController } from './controllers/execution.controller.js';
import { KernelsController } from './controllers/kernels.controller.js';
import { ProbeController } from './controllers/probe.controller.js';
import { StreamController } from './controllers/stream.controller.js';
import { WatcherController } from './controllers/watcher.controller.js';
import { validationPipe } from './dto/validation.pipe.js';
import { HttpContext } from './http-context.js';
import { NestLogger } from './nest-logger.js';
import { ProblemFilter, sendProblem } from './problem.filter.js';
import { tokenCheck } from './token-check.js';

const BODY_LIMIT_BYTES = 8 * 1_048_576;
/** An id that a client may choose for its request. */
const REQUEST_ID = /^[\w.:-]{1,64}$/;

@Module({})
class HttpModule {}

export interface HttpApplication {
  readonly nest: INestApplication;
  readonly fastify: FastifyInstance;
}

/** The NestJS application, initialised and bound to no address. */
export async function createHttpApplication(
  context: HttpContext,
  token: string | readonly string[],
): Promise<HttpApplication> {
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT_BYTES,
    exposeHeadRoutes: false,
    genReqId: ({ headers }: IncomingMessage) => {
      const given = headers['x-request-id'];
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : context.ids.hex(8);
    },
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) =>
      sendProblem(error, request, reply, context.logger),
  });
  const fastify = adapter.getInstance<FastifyInstance>();
  addHooks(fastify, context, token);
  const nest = await NestFactory.create<NestFastifyApplication>(
    {
      module: HttpModule,
      controllers: [
        ...[ProbeController, AgentController, KernelsController, ExecutionController, StreamController],
        WatcherController,
      ],
      providers: [{ provide: HttpContext, useValue: context }],
    },
    adapter,
    // NestJS declares its options as a class that it doesn't export.
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment
    { logger: new NestLogger(context.logger), abortOnError: false },
  );
  nest.useGlobalPipes(validationPipe());
  nest.useGlobalFilters(new ProblemFilter(context.logger));
  await nest.init();
  await fastify.ready();
  return { nest, fastify };
}

function addHooks(fastify: FastifyInstance, context: HttpContext, token: string | readonly string[]): void {
  const check = tokenCheck(token);
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    // Node.js keeps its own text of the time up to date for a second, which wakes an idle agent once more.
    void reply.header('date', new Date().toUTCString());
    check(request.raw.url ?? '', request.headers);
    done();
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    record(context, request, reply);
    done();
  });
}

function record({ telemetry, logger }: HttpContext, request: FastifyRequest, reply: FastifyReply): void {
  // The pattern, not the path: the number of series must not grow with what clients ask for.
  const endpoint = request.routeOptions.url ?? 'unmatched';
  const status = reply.raw.statusCode;
  logger.debug('request', { request_id: request.id, method: request.method, route: endpoint, status });
  // Who scrapes knows how often, and how long that takes.
  if (endpoint === '/metrics') return;
  const labels = {
    ...{ method: request.method, endpoint, domain: '', operation: '', error_detail: '' },
    status_code: String(status),
  };
  telemetry.count('backendai_api_request_count', labels);
  // How long a stream was open says nothing about the agent.
  if (endpoint !== '/events') {
    telemetry.observe('backendai_api_request_duration_sec', reply.elapsedTime / 1_000, labels);
  }
}
