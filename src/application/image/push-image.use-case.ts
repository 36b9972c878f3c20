import { inject, injectable } from 'inversify';
import { deadlineExceeded } from '../../domain/error/errors.js';
import { ImageRef } from '../../domain/image/image-ref.js';
import { TransferTotals } from '../../domain/image/transfer-totals.js';
import { AgentSettings } from '../agent-settings.js';
import { BackgroundTasks } from '../background-task/background-tasks.js';
import type { TellProgress } from '../background-task/progress-teller.js';
import { inTurn } from '../concurrency/in-turn.js';
import { Semaphore } from '../concurrency/semaphore.js';
import { Clock } from '../ports/clock.port.js';
import { ContainerEngine } from '../ports/container-engine.port.js';
import type { PushRequest, TaskId } from '../use-cases.js';

const LONGEST_PUSH_MS = 24 * 3_600_000;
const MARGIN_MS = 5_000;
const MAX_AT_ONCE = 4;

/** Sends an image of this machine to its registry, in the background (rpc.md §6.14). */
@injectable()
export class PushImage {
  readonly #turns = new Semaphore(MAX_AT_ONCE);

  constructor(
    @inject(BackgroundTasks) private readonly tasks: BackgroundTasks,
    @inject(ContainerEngine) private readonly engine: ContainerEngine,
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(Clock) private readonly clock: Clock,
  ) {}

  execute(request: PushRequest): Promise<TaskId> {
    ImageRef.parse(request.canonical, 'image_ref');
    return this.tasks.start(`push of image ${request.canonical}`, (tell, signal) =>
      request.isLocal ? Promise.resolve() : inTurn(this.#turns, signal, () => this.#push(request, tell, signal)),
    );
  }

  async #push({ canonical, credentials }: PushRequest, tell: TellProgress, signal: AbortSignal): Promise<void> {
    const limitMs = this.settings.timeouts.pushMs ?? LONGEST_PUSH_MS;
    const totals = new TransferTotals();
    using deadline = this.clock.deadline(limitMs, signal);
    try {
      await this.engine.pushImage(
        canonical,
        {
          ...(credentials ? { credentials } : {}),
          onProgress: (progress) => {
            const { current, total } = totals.add(progress);
            tell(current, total, `Pushing ${canonical}`);
          },
        },
        { signal: deadline.signal, timeoutMs: limitMs + MARGIN_MS },
      );
    } catch (error) {
      if (!deadline.expired) throw error;
      throw deadlineExceeded(`image ${canonical} was not pushed within ${limitMs / 1000} s`, {
        hint: 'raise [api] push-timeout',
        cause: error,
      });
    }
  }
}
