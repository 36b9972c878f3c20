import { Controller, Get, Headers, Inject, Param, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Readable } from 'node:stream';
import { parseKernelId } from '../../../domain/kernel/kernel-id.js';
import { clientSignal } from '../client-call.js';
import { EventsQueryDto, isOn, LogsQueryDto } from '../dto/kernel-call.dto.js';
import { EventStreams } from '../event-streams.js';
import { HttpContext } from '../http-context.js';

/** Answers that go on. */
@Controller()
export class StreamController {
  readonly #context: HttpContext;
  readonly #streams: EventStreams;

  constructor(@Inject(HttpContext) context: HttpContext) {
    this.#context = context;
    this.#streams = new EventStreams(context);
  }

  /** Chunks as they come; an error after the first one breaks the connection. */
  @Get('kernels/:id/logs')
  async logs(@Param('id') id: string, @Query() query: LogsQueryDto, @Res() reply: FastifyReply): Promise<void> {
    const { kernelId } = this.#context.useCases.getKernel(parseKernelId(id));
    const follow = isOn(query.follow, false);
    const signal = clientSignal(reply, this.#context.closing);
    const options = { follow, ...(query.tail === undefined ? {} : { tail: Number(query.tail) }) };
    const chunks = this.#context.useCases.logs(kernelId, options, signal)[Symbol.asyncIterator]();
    // Without `follow` the first chunk is awaited, so that a failure still gets a status of its own.
    const first = follow ? undefined : await chunks.next();
    void reply
      .header('content-type', 'text/plain; charset=utf-8')
      .header('x-content-type-options', 'nosniff')
      .header('cache-control', 'no-store');
    await reply.send(
      Readable.from(
        rest(first, chunks, () => signal.release()),
        { objectMode: false },
      ),
    );
  }

  @Get('events')
  events(
    @Query() query: EventsQueryDto,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Res() reply: FastifyReply,
  ): void {
    const resumeAt = /^\d{1,15}$/.test(lastEventId ?? '') ? lastEventId : query.since;
    this.#streams.open(reply, {
      ...(query.name === undefined ? {} : { names: new Set(query.name.split(',')) }),
      ...(query.kernel_id === undefined ? {} : { kernelId: parseKernelId(query.kernel_id) }),
      ...(resumeAt === undefined ? {} : { since: Number(resumeAt) }),
      follow: isOn(query.follow, true),
    });
  }
}

async function* rest(
  first: IteratorResult<Uint8Array> | undefined,
  chunks: AsyncIterator<Uint8Array>,
  release: () => void,
): AsyncGenerator<Uint8Array> {
  try {
    for (let next = first ?? (await chunks.next()); next.done !== true; next = await chunks.next()) yield next.value;
  } finally {
    // Not awaited: a source that waits for its next line returns only when the signal fires.
    void chunks.return?.().catch(() => undefined);
    release();
  }
}
