import type { RunnerKind } from '../src/domain/krunner-wire/krunner-wire.js';
import type { BatchRunner } from './batch/batch-runner.js';
import type { Console } from './console.js';
import type { MemoryWatch } from './process/memory-watch.js';
import { NamedRuns } from './named-runs.js';
import type { QueryRunner } from './query/query-runner.js';
import type { ServiceManager } from './service/service-manager.js';
import { parseStartRequest } from './service/start-request.js';
import type { FrameSender } from './wire/frame-sender.js';
import { finish, json, statusFrame } from './wire/frames.js';
import { WorkQueue } from './work-queue.js';

type QueuedOp = 'clean' | 'build' | 'exec' | 'code';
interface Work {
  readonly op: QueuedOp;
  readonly payload: string;
  /** Given by the agent. */
  readonly name: string | undefined;
}

const FINISH: Record<QueuedOp, RunnerKind> = {
  clean: 'clean-finished',
  build: 'build-finished',
  exec: 'finished',
  code: 'finished',
};
const MAX_WAITING = 1000;
const INTERNAL_ERROR = -1;
/** As if ended by SIGTERM: what was running or waiting at shutdown did not succeed (W38). */
const STOPPED = -15;

export interface ServerDependencies {
  readonly sender: FrameSender;
  readonly query: QueryRunner;
  readonly batch: BatchRunner;
  readonly services: ServiceManager;
  readonly memory: MemoryWatch;
  readonly console: Console;
  readonly startedAtSeconds: number;
}

/** Answers the agent's messages (krunner.md §2.3): runs queue up, everything else is answered at once. */
export class Server {
  private readonly runs = new NamedRuns();
  private readonly work = new WorkQueue<Work>((work) => this.perform(work), MAX_WAITING);

  constructor(private readonly deps: ServerDependencies) {}

  /** Handles one message. Anything but two frames with a known name is ignored; nothing that arrives can throw. */
  receive(frames: readonly Buffer[]): void {
    const [name, body] = frames;
    if (frames.length !== 2 || name === undefined || body === undefined) return;
    try {
      this.dispatch(name.toString('latin1'), new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body));
    } catch (error) {
      this.deps.console.log('ERROR', `a message is skipped: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Ends what runs, answering each run that has not finished, within about `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    const waiting = this.work.clear();
    const { query, batch, services } = this.deps;
    await Promise.all([query.stop(graceMs), batch.stop(graceMs), services.stopAll(graceMs)]);
    await this.work.idle();
    for (const work of waiting) this.conclude(work, STOPPED);
  }

  private dispatch(op: string, payload: string): void {
    const { sender, query, batch, services } = this.deps;
    switch (op) {
      case 'clean':
      case 'build':
      case 'exec':
      case 'code':
        this.queue(op, payload);
        break;
      case 'run-id':
        this.runs.name(payload);
        break;
      case 'input':
        query.input(payload);
        break;
      case 'complete':
        void this.complete(payload);
        break;
      case 'interrupt':
        if (batch.busy) batch.interrupt();
        else query.interrupt();
        break;
      case 'status':
        sender.reply(statusFrame(this.deps.startedAtSeconds, this.runs.all()));
        break;
      case 'event':
        this.event(payload);
        break;
      case 'start-service':
        void this.startService(payload);
        break;
      case 'shutdown-service': {
        const name: unknown = JSON.parse(payload);
        if (typeof name === 'string') void services.stop(name);
        break;
      }
      case 'get-apps':
        sender.reply(json('apps-result', { status: 'done', data: services.apps(payload) }));
        break;
      case 'start-model-service':
        sender.reply(json('model-service-result', { status: 'failed', error: 'this runner has no model services' }));
        break;
      default:
        break;
    }
  }

  private queue(op: QueuedOp, payload: string): void {
    const work = { op, payload, name: FINISH[op] === 'finished' ? this.runs.begin() : undefined };
    if (!this.work.add(work)) this.conclude(work, INTERNAL_ERROR);
  }

  private async perform(work: Work): Promise<void> {
    const { op, payload } = work;
    const { query, batch, console } = this.deps;
    let exitCode = INTERNAL_ERROR;
    try {
      exitCode = await (op === 'code' ? query.run(payload) : batch.step(op, payload));
    } catch (error) {
      console.log('ERROR', `${op}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
    this.conclude(work, exitCode);
  }

  /** The one finish message of a queued operation. */
  private conclude({ op, name }: Work, exitCode: number): void {
    if (name !== undefined) this.runs.end(name, exitCode);
    this.deps.sender.push(finish(FINISH[op], exitCode, name));
  }

  private async complete(payload: string): Promise<void> {
    const suggestions: string[] = [];
    try {
      const { code, row, col } = JSON.parse(payload) as Record<string, unknown>;
      if (typeof code === 'string')
        suggestions.push(...(await this.deps.query.complete(code, cursorOf(code, row, col))));
    } catch {
      // Not understood: no suggestions.
    }
    this.deps.sender.reply(json('completion', { suggestions }));
  }

  private async startService(payload: string): Promise<void> {
    try {
      this.deps.sender.reply(json('service-result', await this.deps.services.start(parseStartRequest(payload))));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.deps.sender.reply(json('service-result', { status: 'failed', error: message }));
    }
  }

  private event(payload: string): void {
    const { type } = JSON.parse(payload) as { type?: unknown };
    if (type !== 'oom') return;
    const clause = this.deps.memory.untoldClause();
    this.deps.console.log('WARNING', 'a process was killed because memory ran out');
    if (clause !== undefined) this.deps.sender.reply({ kind: 'stderr', payload: `A process is gone: ${clause}.\n` });
  }
}

/** Characters before the cursor; row and column count from 0, the end of the code when they are missing. */
function cursorOf(code: string, row: unknown, col: unknown): number {
  if (typeof row !== 'number' || typeof col !== 'number') return code.length;
  const lines = code.split('\n').slice(0, Math.max(0, row));
  const before = lines.reduce((sum, line) => sum + line.length + 1, 0);
  return Math.max(0, Math.min(code.length, before + col));
}
