import { Controller, Get, Header, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { HttpContext } from '../http-context.js';
import { healthView } from '../views.js';

const NOT_READY = 503;

/** What supervisors and scrapers ask, without a token (state.md §9.2). */
@Controller()
export class ProbeController {
  readonly #context: HttpContext;

  constructor(@Inject(HttpContext) context: HttpContext) {
    this.#context = context;
  }

  /** That this answers is all that it says: an agent whose engine is away must not be restarted for it. */
  @Get('livez')
  live(): Record<string, unknown> {
    return { status: 'ok', version: this.#context.useCases.status().version, component: 'agent' };
  }

  @Get('readyz')
  ready(@Res({ passthrough: true }) reply: FastifyReply): Record<string, unknown> {
    const { ready, version } = this.#context.useCases.status();
    if (!ready) void reply.status(NOT_READY);
    return { status: ready ? 'ok' : 'error', version, component: 'agent' };
  }

  @Get('health')
  async health(): Promise<Record<string, unknown>> {
    return healthView(await this.#context.useCases.health());
  }

  @Get('metrics')
  @Header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  metrics(): Promise<string> {
    return this.#context.metrics();
  }
}
