import { Agent as ConnectionPool, request, type IncomingMessage } from 'node:http';
import { AgentError, type AgentErrorOptions, isAbortError, messageOf } from '../../../domain/error/agent-error.js';
import { agentUnreachable, deadlineExceeded } from '../../../domain/error/errors.js';

export interface HttpTarget {
  readonly host: string;
  readonly port: number;
  readonly token: string;
}

export interface HttpCall {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  /** From now to the end of the answer's head. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** An answer may hold the console of a run; more than this is a broken peer. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/**
 * Calls to the HTTP application of an agent. `node:http` rather than fetch, which gives up by itself when an answer's
 * head takes five minutes, as creating a kernel may while an image is pulled.
 */
export class HttpCaller implements Disposable {
  readonly #pool = new ConnectionPool({ keepAlive: true, maxSockets: 16 });

  constructor(private readonly target: HttpTarget) {}

  /** The JSON of a 2xx answer; others reject with the AgentError that the problem document describes. */
  async json(call: HttpCall): Promise<unknown> {
    const response = await this.stream(call);
    const text = await this.#text(response, call.signal);
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw this.#notAnAgent(`${call.method} ${call.path} was not answered with JSON`);
    }
  }

  /** The body of a 2xx answer as it comes. Firing the signal ends it. */
  async stream(call: HttpCall): Promise<IncomingMessage> {
    const response = await this.#send(call);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    throw this.#problem(status, await this.#text(response, call.signal));
  }

  [Symbol.dispose](): void {
    this.#pool.destroy();
  }

  #send({ method, path, body, timeoutMs, signal }: HttpCall): Promise<IncomingMessage> {
    const { host, port, token } = this.target;
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const headers = {
        'x-backendai-watcher-token': token,
        ...(payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': payload.length }),
      };
      const outgoing = request({ host, port, method, path, headers, signal, agent: this.#pool }, (response) => {
        clearTimeout(timer);
        resolve(response);
      });
      const timer = setTimeout(() => {
        outgoing.destroy(deadlineExceeded(`the agent did not answer ${method} ${path} within ${timeoutMs / 1000} s`));
      }, timeoutMs);
      outgoing.once('error', (error) => {
        clearTimeout(timer);
        reject(error instanceof AgentError || isAbortError(error) ? error : this.#unreachable(error));
      });
      outgoing.end(payload);
    });
  }

  async #text(response: IncomingMessage, signal: AbortSignal): Promise<string> {
    const chunks: Buffer[] = [];
    let length = 0;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        length += chunk.length;
        if (length > MAX_ANSWER_BYTES) throw this.#notAnAgent('the answer is too long');
        chunks.push(chunk);
      }
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof AgentError ? error : this.#unreachable(error);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  #problem(status: number, text: string): Error {
    const problem = parseObject(text);
    const word = (name: string): string | undefined => {
      const value = problem?.[name];
      return typeof value === 'string' && value !== '' ? value.slice(0, 4096) : undefined;
    };
    const [name, detail] = [word('error'), word('detail')];
    if (name === undefined || detail === undefined) return this.#notAnAgent(`HTTP status ${status}`);
    const options: AgentErrorOptions = Object.fromEntries(
      (['field', 'allowed', 'hint'] as const).flatMap((key) => {
        const value = word(key);
        return value === undefined ? [] : [[key, value]];
      }),
    );
    if (status === 403) return tokenRefused(detail);
    // What the caller can mend by asking differently, against what the world has to mend (errors.ts).
    const isUser = status < 500 && ![409, 410, 499].includes(status);
    return new AgentError(name, isUser ? 'user' : 'operational', status, detail, {
      ...options,
      retryable: problem?.['retryable'] === true,
    });
  }

  #unreachable(cause: unknown): AgentError {
    const { host, port } = this.target;
    return agentUnreachable(`no agent answers at ${host}:${port}: ${messageOf(cause)}`, {
      hint: 'start one with "backend.ai ag start-server", or name its configuration with --config FILE',
      cause,
    });
  }

  #notAnAgent(what: string): AgentError {
    const { host, port } = this.target;
    return agentUnreachable(`what listens at ${host}:${port} is not a Backend.AI agent: ${what}`, {
      hint: 'look at [watcher] service-addr of the configuration, and who uses that port',
    });
  }
}

function tokenRefused(detail: string): AgentError {
  return new AgentError('InvalidWatcherToken', 'operational', 403, `the agent refuses this token: ${detail}`, {
    hint: 'name the configuration of the running agent with --config FILE',
  });
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}
