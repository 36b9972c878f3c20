import { Controller, Get, Inject } from '@nestjs/common';
import { HttpContext } from '../http-context.js';
import { openApiDocument } from '../openapi/document.js';
import { statusView } from '../views.js';

@Controller()
export class AgentController {
  readonly #context: HttpContext;
  /** Made at the first request: nobody should wait for it at start. */
  #document: Record<string, unknown> | undefined;

  constructor(@Inject(HttpContext) context: HttpContext) {
    this.#context = context;
  }

  @Get('status')
  status(): Record<string, unknown> {
    return statusView(this.#context.useCases.status());
  }

  @Get('openapi.json')
  openApi(): Record<string, unknown> {
    return (this.#document ??= openApiDocument(this.#context.useCases.status().version));
  }
}
