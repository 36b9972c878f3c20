import { Body, Controller, HttpCode, Inject, Param, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { ExecuteRequest } from '../../../application/use-cases.js';
import { type KernelId, parseKernelId } from '../../../domain/kernel/kernel-id.js';
import { callForClient } from '../client-call.js';
import { CompleteDto, ExecuteDto, StartServiceDto } from '../dto/kernel-call.dto.js';
import { HttpContext } from '../http-context.js';
import { executionView } from '../views.js';

const INTERRUPT_TIMEOUT_MS = 30_000;
const COMPLETE_TIMEOUT_MS = 10_000;
const START_SERVICE_TIMEOUT_MS = 120_000;
const OK = 200;

/** What happens inside a kernel. All of it ends with the client's connection. */
@Controller('kernels/:id')
export class ExecutionController {
  readonly #context: HttpContext;

  constructor(@Inject(HttpContext) context: HttpContext) {
    this.#context = context;
  }

  /** Has no deadline of its own: a run may take days. `flush_timeout_ms` bounds a call, not the run. */
  @Post('execute')
  @HttpCode(OK)
  async execute(
    @Param('id') id: string,
    @Body() body: ExecuteDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Record<string, unknown>> {
    const request = toExecuteRequest(parseKernelId(id), body);
    return callForClient(this.#context, reply, { what: 'execute' }, async (signal) =>
      executionView(await this.#context.useCases.execute(request, signal)),
    );
  }

  @Post('interrupt')
  @HttpCode(OK)
  async interrupt(
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Record<string, unknown>> {
    const kernelId = parseKernelId(id);
    await callForClient(this.#context, reply, { what: 'interrupt', timeoutMs: INTERRUPT_TIMEOUT_MS }, (signal) =>
      this.#context.useCases.interrupt(kernelId, signal),
    );
    return { kernel_id: kernelId };
  }

  @Post('complete')
  @HttpCode(OK)
  async complete(
    @Param('id') id: string,
    @Body() body: CompleteDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Record<string, unknown>> {
    const kernelId = parseKernelId(id);
    const call = { what: 'complete', timeoutMs: COMPLETE_TIMEOUT_MS };
    const completions = await callForClient(this.#context, reply, call, (signal) =>
      this.#context.useCases.complete(kernelId, body.code, body.options ?? {}, signal),
    );
    return { completions };
  }

  @Post('services/:name')
  @HttpCode(OK)
  async startService(
    @Param('id') id: string,
    @Param('name') name: string,
    @Body() body: StartServiceDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const kernelId = parseKernelId(id);
    const envs = Object.entries(body.envs ?? {}).map(([key, value]) => [key, String(value)] as const);
    const options = { arguments: body.arguments ?? {}, envs: Object.fromEntries(envs) };
    const call = { what: 'start-service', timeoutMs: START_SERVICE_TIMEOUT_MS };
    return callForClient(this.#context, reply, call, (signal) =>
      this.#context.useCases.startService(kernelId, name, options, signal),
    );
  }
}

function toExecuteRequest(kernelId: KernelId, body: ExecuteDto): ExecuteRequest {
  const { batch } = body;
  return {
    kernelId,
    runId: body.run_id ?? null,
    mode: body.mode ?? 'query',
    code: body.code ?? '',
    ...(batch === undefined
      ? {}
      : { batch: { clean: batch.clean ?? '', build: batch.build ?? '', exec: batch.exec ?? '' } }),
    flushTimeoutMs: body.flush_timeout_ms ?? null,
  };
}
