import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { agentNotReady } from '../../domain/error/errors.js';
import { Semaphore } from '../concurrency/semaphore.js';
import { Clock } from '../ports/clock.port.js';
import { EventBus } from '../ports/event-bus.port.js';
import { IdGenerator } from '../ports/id-generator.port.js';
import { Logger } from '../ports/logger.port.js';
import { type TaskEnd, TaskJournal, type TaskRecord } from '../ports/task-journal.port.js';
import type { TaskId } from '../use-cases.js';
import { ProgressTeller, type TellProgress } from './progress-teller.js';

/**
 * What a task does. It is called once, in its turn; if the task was cancelled before, with a signal that has fired.
 * What it throws is told as the reason of the failure.
 */
export type TaskWork = (tell: TellProgress, signal: AbortSignal) => Promise<void>;

const MAX_AT_ONCE = 64;
const MAX_UNFINISHED = 4_096;
const MAX_MESSAGE_LENGTH = 2_000;

/**
 * Work whose end a caller does not wait for (state.md §6): told to be started, how far it is, and exactly one end. A task
 * that dies with the agent is told to have failed by the next one.
 */
@injectable()
export class BackgroundTasks {
  readonly #tasks = new Map<TaskId, { readonly over: Promise<void>; readonly abort: AbortController }>();
  readonly #turns = new Semaphore(MAX_AT_ONCE);
  #isStopped = false;

  constructor(
    @inject(Clock) private readonly clock: Clock,
    @inject(IdGenerator) private readonly ids: IdGenerator,
    @inject(EventBus) private readonly events: EventBus,
    @inject(TaskJournal) private readonly journal: TaskJournal,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** `name` says in words what it does: `pull of image NAME`. Resolves when its start was told. */
  async start(name: string, work: TaskWork): Promise<TaskId> {
    if (this.#isStopped) throw agentNotReady('the agent is stopping and takes no more background tasks');
    if (this.#tasks.size >= MAX_UNFINISHED) {
      throw agentNotReady(`${MAX_UNFINISHED} background tasks are unfinished`, {
        hint: 'try again when some are over',
      });
    }
    const id = this.ids.uuid();
    const abort = new AbortController();
    const begun = this.#begin({ id, name, end: null });
    const over = begun
      .then((teller) => this.#run({ id, name }, teller, work, abort.signal))
      .finally(() => this.#tasks.delete(id));
    this.#tasks.set(id, { over, abort });
    await begun;
    return id;
  }

  /** Resolves when its end was told; false if there is no such task. */
  async cancel(id: TaskId): Promise<boolean> {
    const task = this.#tasks.get(id);
    task?.abort.abort();
    await task?.over;
    return task !== undefined;
  }

  /** Cancels all; resolves when that was told. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([...this.#tasks.keys()].map((id) => this.cancel(id)));
  }

  /** Tells the end of what an earlier life of this agent left unfinished. */
  async recover(): Promise<void> {
    let records: readonly TaskRecord[] = [];
    try {
      records = await this.journal.load();
    } catch (error) {
      this.logger.error(`the journal of background tasks cannot be read: ${messageOf(error)}`);
    }
    for (const { id, name, end } of records) {
      const message = `the agent was stopped during this task (${name}); ask for it once more`;
      await this.#tell(id, end ?? { event: 'bgtask_failed', message });
    }
  }

  async #begin(record: TaskRecord): Promise<ProgressTeller> {
    await this.#remember(record);
    this.logger.info('background task started', { task_id: record.id, task: record.name });
    const { clock, events, logger } = this;
    const teller = new ProgressTeller(record.id, { clock, events, logger });
    await teller.begun;
    return teller;
  }

  async #run(
    task: Pick<TaskRecord, 'id' | 'name'>,
    teller: ProgressTeller,
    work: TaskWork,
    signal: AbortSignal,
  ): Promise<void> {
    const end = await this.#endOf(work, teller, signal);
    await teller[Symbol.asyncDispose]();
    const level = end.event === 'bgtask_failed' ? 'warn' : 'info';
    this.logger[level](`background task over: ${end.message ?? 'done'}`, { task_id: task.id, task: task.name });
    await this.#remember({ ...task, end });
    await this.#tell(task.id, end);
  }

  async #endOf(work: TaskWork, teller: ProgressTeller, signal: AbortSignal): Promise<TaskEnd> {
    const turn = await this.#turns.acquire(signal).catch(() => undefined);
    try {
      await work(teller.tell, signal);
      return { event: 'bgtask_done', message: null };
    } catch (error) {
      return signal.aborted
        ? { event: 'bgtask_cancelled', message: 'Task cancelled' }
        : { event: 'bgtask_failed', message: messageOf(error).slice(0, MAX_MESSAGE_LENGTH) };
    } finally {
      turn?.[Symbol.dispose]();
    }
  }

  async #tell(id: TaskId, { event, message }: TaskEnd): Promise<void> {
    try {
      await this.events.announce({ name: event, body: { task_id: id, message } });
      await this.journal.remove(id);
    } catch (error) {
      // The next start of the agent tells it again.
      this.logger.warn(`could not close a background task: ${messageOf(error)}`, { task_id: id });
    }
  }

  /** A full disk must not stop the work: then its end is told only if this agent lives to see it. */
  async #remember(record: TaskRecord): Promise<void> {
    try {
      await this.journal.save(record);
    } catch (error) {
      this.logger.warn(`could not note a background task: ${messageOf(error)}`, { task_id: record.id });
    }
  }
}
