import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { parseKernelId, parseSessionId } from '../../../domain/kernel/kernel-id.js';
import { normaliseReason } from '../../../domain/kernel/termination-reason.js';
import { CreateKernelDto } from '../dto/create-kernel.dto.js';
import { toKernelSpec } from '../dto/create-kernel.mapper.js';
import { DestroyQueryDto } from '../dto/kernel-call.dto.js';
import { HttpContext } from '../http-context.js';
import { createdView, kernelView, usageView } from '../views.js';

const CREATED = 201;
const OK = 200;

/**
 * Kernels as things: made, listed, restarted, destroyed.
 *
 * Creating, restarting and destroying go on when the client goes away, since half a kernel is no use to anybody; a
 * second call with the same kernel id finds the first. Only the end of the agent cancels them.
 */
@Controller('kernels')
export class KernelsController {
  readonly #context: HttpContext;

  constructor(@Inject(HttpContext) context: HttpContext) {
    this.#context = context;
  }

  @Get()
  list(): Record<string, unknown>[] {
    return this.#context.useCases.listKernels().map(kernelView);
  }

  @Get(':id')
  get(@Param('id') id: string): Record<string, unknown> {
    return kernelView(this.#context.useCases.getKernel(parseKernelId(id)));
  }

  @Post()
  async create(
    @Body() body: CreateKernelDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Record<string, unknown>> {
    const spec = toKernelSpec(body, this.#context.ids);
    const kernel = await this.#context.useCases.createKernel(spec, this.#context.closing);
    void reply.status(kernel.created ? CREATED : OK);
    return createdView(kernel);
  }

  @Post(':id/restart')
  @HttpCode(OK)
  async restart(@Param('id') id: string): Promise<Record<string, unknown>> {
    return createdView(await this.#context.useCases.restartKernel(parseKernelId(id), this.#context.closing));
  }

  /** 404 for a kernel that isn't there, unlike RPC: a person who mistypes an id wants to hear of it. */
  @Delete(':id')
  async destroy(@Param('id') id: string, @Query() query: DestroyQueryDto): Promise<Record<string, unknown>> {
    const { kernelId } = this.#context.useCases.getKernel(parseKernelId(id));
    const reason = normaliseReason(query.reason, true);
    const sessionId = query.session_id === undefined ? {} : { sessionId: parseSessionId(query.session_id) };
    await this.#context.useCases.destroyKernel(
      { kernelId, ...sessionId, reason, suppressEvents: false },
      this.#context.closing,
    );
    return { kernel_id: kernelId, reason };
  }

  @Get(':id/usage')
  usage(@Param('id') id: string): Record<string, unknown> {
    const { kernelId } = this.#context.useCases.getKernel(parseKernelId(id));
    const usage = this.#context.useCases.usage(kernelId);
    return { kernel_id: kernelId, usage: usage === undefined ? null : usageView(usage) };
  }
}
