import { Body, Controller, Delete, Get, Header, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { NotFoundException } from '@nestjs/common';
import type { HostControl } from '../../../application/use-cases.js';
import { FstabQueryDto, MountVolumeDto, UnmountDto } from '../dto/watcher.dto.js';
import { HttpContext } from '../http-context.js';

const OK = 200;
/** What a Manager gets from a machine that has no service manager (state.md §9.3). */
const NO_SYSTEMD = { message: 'Agent is not loaded with systemctl.' };
const PLAIN_TEXT = 'text/plain; charset=utf-8';

/** The control calls of the reference's watcher, which an administrator at the Manager uses (state.md §9.3). */
@Controller()
export class WatcherController {
  readonly #context: HttpContext;

  constructor(@Inject(HttpContext) context: HttpContext) {
    this.#context = context;
  }

  /** Without a service manager this very answer shows that the agent is active. */
  @Get()
  async state(): Promise<Record<string, unknown>> {
    const { useCases, closing } = this.#context;
    return { 'agent-status': (await useCases.host.serviceState(closing)) ?? 'active', 'watcher-status': 'active' };
  }

  @Post('soft-reset')
  @HttpCode(OK)
  softReset(): Promise<object> {
    return this.#control('soft-reset');
  }

  @Post('hard-reset')
  @HttpCode(OK)
  hardReset(): Promise<object> {
    return this.#control('hard-reset');
  }

  @Post('shutdown')
  @HttpCode(OK)
  shutdown(): Promise<object> {
    return this.#control('shutdown');
  }

  @Post('agent/:action')
  @HttpCode(OK)
  agent(@Param('action') action: string): Promise<object> {
    if (action === 'start' || action === 'stop' || action === 'restart') return this.#control(action);
    throw new NotFoundException(`no action '${action.slice(0, 32)}'; there are start, stop and restart`);
  }

  @Get('fstab')
  @Header('content-type', PLAIN_TEXT)
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- there is only one fstab: the query is here to be checked
  fstab(@Query() query: FstabQueryDto): Promise<string> {
    return this.#context.useCases.host.fstab();
  }

  @Get('mounts')
  mounts(): Promise<readonly string[]> {
    return this.#context.useCases.host.listMounts(this.#context.closing);
  }

  @Post('mounts')
  @HttpCode(OK)
  @Header('content-type', PLAIN_TEXT)
  async mount(@Body() body: MountVolumeDto): Promise<string> {
    const request = {
      ...{ name: body.name, source: body.fs_location, type: body.fs_type ?? 'nfs', options: body.options ?? '' },
      persist: body.edit_fstab ?? false,
    };
    return `mounted at ${await this.#context.useCases.host.mount(request, this.#context.closing)}`;
  }

  @Delete('mounts')
  @Header('content-type', PLAIN_TEXT)
  async unmount(@Body() body: UnmountDto): Promise<string> {
    const { useCases, closing } = this.#context;
    return `unmounted ${await useCases.host.unmount(body.name, body.edit_fstab ?? false, closing)}`;
  }

  async #control(action: HostControl): Promise<object> {
    const done = await this.#context.useCases.host.control(action, this.#context.closing);
    return done ? { result: 'ok' } : NO_SYSTEMD;
  }
}
