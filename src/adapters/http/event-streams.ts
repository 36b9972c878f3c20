import type { FastifyReply } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { AnnouncedEvent } from '../../application/ports/event-bus.port.js';
import { AgentError } from '../../domain/error/agent-error.js';
import { kernelOf } from '../../domain/event/agent-event.js';
import type { KernelId } from '../../domain/kernel/kernel-id.js';
import { clientSignal } from './client-call.js';
import type { HttpContext } from './http-context.js';
import { eventView } from './views.js';

export interface EventFilter {
  readonly names?: ReadonlySet<string>;
  readonly kernelId?: KernelId;
  /** The id of the last event that the reader has. */
  readonly since?: number;
  /** False: the kept events, and the end. */
  readonly follow: boolean;
}

/**
 * Server-sent events: `id`, `event` (its name) and `data` (one JSON line) each; a comment as heartbeat. A reader that
 * resumes behind the oldest event kept gets an event `gap` first, and should read the present state again.
 */
export class EventStreams {
  readonly #context: HttpContext;
  #open = 0;

  constructor(context: HttpContext) {
    this.#context = context;
  }

  /** Takes the reply over; throws a 503 when too many streams are open. */
  open(reply: FastifyReply, filter: EventFilter): void {
    const { closing, eventStreamLimits, telemetry, useCases } = this.#context;
    if (this.#open >= eventStreamLimits.maxStreams) {
      throw new AgentError('TooManyEventStreams', 'operational', 503, 'too many event streams are open', {
        ...{ allowed: `at most ${eventStreamLimits.maxStreams}`, retryable: true },
      });
    }
    reply.hijack();
    const response = reply.raw;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-request-id': reply.request.id,
    });
    response.flushHeaders();
    const signal = clientSignal(reply, closing);
    const subscription = useCases.subscribe(
      this.#writer(response, filter),
      filter.since ?? (filter.follow ? undefined : 0),
    );
    telemetry.gauge('backendai_http_event_streams', ++this.#open);
    response.once('close', () => {
      subscription[Symbol.dispose]();
      signal.release();
      telemetry.gauge('backendai_http_event_streams', --this.#open);
    });
    // The agent stops: a proper end, so that the reader comes back instead of reporting a broken stream.
    signal.addEventListener('abort', () => response.end(), { once: true });
    if (filter.follow) void this.#beat(response, signal);
    else response.end();
  }

  #writer(response: ServerResponse, { names, kernelId, since }: EventFilter): (event: AnnouncedEvent) => void {
    // 0 asks for all that is kept, whatever went before.
    let expectedId = since === undefined || since === 0 ? undefined : since + 1;
    return (announced) => {
      if (response.writableEnded || response.destroyed) return;
      if (expectedId !== undefined && announced.id > expectedId) {
        response.write(`event: gap\ndata: {"after":${expectedId - 1},"before":${announced.id}}\n\n`);
      }
      expectedId = undefined;
      if (names?.has(announced.event.name) === false) return;
      if (kernelId !== undefined && kernelOf(announced.event) !== kernelId) return;
      const data = JSON.stringify(eventView(announced));
      response.write(`id: ${announced.id}\nevent: ${announced.event.name}\ndata: ${data}\n\n`);
      this.#dropIfSlow(response);
    };
  }

  #dropIfSlow(response: ServerResponse): void {
    if (response.writableLength <= this.#context.eventStreamLimits.maxBufferedBytes) return;
    this.#context.telemetry.count('backendai_http_dropped_event_streams');
    this.#context.logger.warn('an event stream was closed, its reader is too slow', {
      waiting_bytes: response.writableLength,
    });
    response.destroy();
  }

  async #beat(response: ServerResponse, signal: AbortSignal): Promise<void> {
    const { clock, eventStreamLimits } = this.#context;
    try {
      for (;;) {
        await clock.sleep(eventStreamLimits.heartbeatMs, signal);
        response.write(': heartbeat\n\n');
      }
    } catch {
      // The signal fired: the stream is over.
    }
  }
}
