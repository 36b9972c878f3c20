import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentHome } from './agent-home.js';
import type { AgentProcess } from './agent-process.js';

const READY_MS = 30_000;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** `undefined` if it is no JSON. */
  readonly body: unknown;
}

export interface SeenEvent {
  readonly id: number;
  readonly name: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A line of the log in JSON form. */
export interface LogLine {
  readonly level: string;
  readonly time: string;
  readonly agent_id: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

/** A running `ag start-server`. */
export class Daemon implements AsyncDisposable {
  private constructor(
    readonly process: AgentProcess,
    readonly url: string,
    readonly token: string,
  ) {}

  static async ready(process: AgentProcess, home: AgentHome): Promise<Daemon> {
    const url = `http://127.0.0.1:${home.httpPort}`;
    const until = Date.now() + READY_MS;
    for (;;) {
      const isReady = await fetch(`${url}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isReady) break;
      if (!process.isRunning || Date.now() > until) throw new Error(`the agent is not ready: ${process.stderr}`);
      await sleep(50);
    }
    const token = await readFile(join(home.stateFolder, 'watcher-token'), 'utf8');
    return new Daemon(process, url, token.trim());
  }

  /** Lines of its log so far. */
  get log(): readonly LogLine[] {
    return this.process.stderr
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LogLine);
  }

  async http(method: 'GET' | 'POST' | 'DELETE', path: string, options: HttpOptions = {}): Promise<HttpAnswer> {
    const { body, token = this.token, headers = {} } = options;
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(token === null ? {} : { 'x-backendai-watcher-token': token }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined };
  }

  /** The kept events after `since`, in order; all without it. */
  async events(since = 0, query = ''): Promise<readonly SeenEvent[]> {
    const { status, text } = await this.http('GET', `/events?follow=false&since=${since}${query}`);
    if (status !== 200) throw new Error(`GET /events: ${text}`);
    return [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data) as SeenEvent);
  }

  /** Names of the events of one kernel, in order, without the many about its usage and the stages of its making. */
  async story(kernelId: string): Promise<readonly string[]> {
    const events = await this.events(0, `&kernel_id=${kernelId}`);
    return events.map(({ name }) => name).filter((name) => name !== 'kernel_usage' && name !== 'kernel_stage');
  }

  /** Lines of /metrics that match. */
  async metrics(pattern: RegExp): Promise<readonly string[]> {
    const { text } = await this.http('GET', '/metrics', { token: null });
    return text.split('\n').filter((line) => pattern.test(line));
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<{ readonly status: number | null; readonly ms: number }> {
    const start = performance.now();
    this.process.send(signal);
    const { status } = await this.process.ended;
    return { status, ms: performance.now() - start };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
  }
}

interface HttpOptions {
  readonly body?: unknown;
  /** `null` = none. */
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}
