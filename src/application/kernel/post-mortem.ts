import { inject, injectable } from 'inversify';
import type { AgentError } from '../../domain/error/agent-error.js';
import { containerStartupFailed } from '../../domain/error/errors.js';
import type { Call } from '../ports/call.js';
import { type ContainerDetails, ContainerEngine } from '../ports/container-engine.port.js';

const LOG_TAIL_LINES = 20;
const LOG_TAIL_CHARACTERS = 2_000;

/** Finds out why a container ended before it was a kernel. */
@injectable()
export class PostMortem {
  constructor(@inject(ContainerEngine) private readonly engine: ContainerEngine) {}

  /** Throws ContainerStartupFailedError, with exit code and the end of the log, unless the container runs. */
  async mustLive(containerId: string, call: Call): Promise<ContainerDetails> {
    const details = await this.engine.inspectContainer(containerId, call);
    if (details?.state === 'running' || details?.state === 'paused') return details;
    throw details ? await this.#explain(details, call) : containerStartupFailed('the container is gone');
  }

  async #explain(details: ContainerDetails, call: Call): Promise<AgentError> {
    const { id, exitCode, oomKilled, error } = details;
    const how = oomKilled ? 'ran out of memory and ended' : 'ended';
    const what = `the container ${how} with exit code ${exitCode} before it was ready`;
    return containerStartupFailed(
      [what, error, await this.#logTail(id, call)].filter((part) => part !== '').join(': '),
    );
  }

  async #logTail(containerId: string, call: Call): Promise<string> {
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of this.engine.containerLogs(containerId, { tail: LOG_TAIL_LINES }, call)) {
      // Lines have no length limit.
      text = (text + decoder.decode(chunk, { stream: true })).slice(-LOG_TAIL_CHARACTERS);
    }
    return text.trim();
  }
}
