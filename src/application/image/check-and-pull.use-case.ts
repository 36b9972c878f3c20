import { inject, injectable } from 'inversify';
import { isAgentError, messageOf } from '../../domain/error/agent-error.js';
import { imageRefBody } from '../../domain/image/image-ref-body.js';
import { TransferTotals } from '../../domain/image/transfer-totals.js';
import type { AgentEvent } from '../../domain/event/agent-event.js';
import { AgentSettings } from '../agent-settings.js';
import { BackgroundTasks } from '../background-task/background-tasks.js';
import type { TellProgress } from '../background-task/progress-teller.js';
import { Clock } from '../ports/clock.port.js';
import { EventBus } from '../ports/event-bus.port.js';
import type { PullRequest, TaskId } from '../use-cases.js';
import { EnsureImage } from './ensure-image.js';
import { SharedPulls } from './shared-pulls.js';

const ALREADY_HERE = 'Image already exists';
const MAX_MESSAGE_LENGTH = 2_000;

interface Check {
  readonly canonical: string;
  readonly task: Promise<TaskId>;
}

/**
 * Sees to it that images are here, in the background (rpc.md §6.4). The Manager's sessions wait for the events, not for
 * the tasks, and asks again for what takes long: the same question while its task goes on is answered by that task.
 */
@injectable()
export class CheckAndPull {
  /** Checks whose outcome was not told yet. */
  readonly #checks = new Map<string, Check>();

  constructor(
    @inject(BackgroundTasks) private readonly tasks: BackgroundTasks,
    @inject(EnsureImage) private readonly images: EnsureImage,
    @inject(SharedPulls) private readonly pulls: SharedPulls,
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(EventBus) private readonly events: EventBus,
    @inject(Clock) private readonly clock: Clock,
  ) {}

  isPulling(canonical: string): boolean {
    return this.pulls.has(canonical) || [...this.#checks.values()].some((check) => check.canonical === canonical);
  }

  async execute(requests: readonly PullRequest[]): Promise<ReadonlyMap<string, TaskId>> {
    const ids = new Map<string, TaskId>();
    for (const request of requests) ids.set(request.image.canonical, await this.#check(request));
    return ids;
  }

  #check(request: PullRequest): Promise<TaskId> {
    const key = keyOf(request);
    const known = this.#checks.get(key);
    if (known) return known.task;
    const { canonical } = request.image;
    /** To be done before the outcome is told: who asks after that is told again. */
    const settle = () => void this.#checks.delete(key);
    const task = this.tasks.start(`pull of image ${canonical}`, (tell, signal) =>
      this.#ensure(request, settle, tell, signal),
    );
    this.#checks.set(key, { canonical, task });
    task.catch(settle);
    return task;
  }

  async #ensure(request: PullRequest, settle: () => void, tell: TellProgress, signal: AbortSignal): Promise<void> {
    const { image } = request;
    const subject = {
      image: image.canonical,
      agent_id: this.settings.agentId,
      image_ref: imageRefBody({ ...request, ...image, architecture: image.architecture ?? this.settings.architecture }),
    };
    const now = () => this.clock.now() / 1000;
    const outcome = (event: AgentEvent) => {
      settle();
      return this.events.announce(event);
    };
    const seen = { isPulled: false };
    const totals = new TransferTotals();
    try {
      // A local image is not looked for: what it is called here is not for the Manager to know (rpc.md §6.4).
      if (!image.isLocal) {
        await this.images.execute(
          image,
          {
            onPull: () => {
              seen.isPulled = true;
              return this.events.announce({ name: 'image_pull_started', body: { ...subject, timestamp: now() } });
            },
            onProgress: (progress) => {
              const { current, total } = totals.add(progress);
              tell(current, total, `Pulling ${image.canonical}`);
            },
          },
          { signal },
        );
      }
    } catch (error) {
      settle();
      // The agent is stopping: the Manager asks the next one, and the session need not end for it.
      if (!signal.aborted) {
        const msg = this.#reasonOf(error).slice(0, MAX_MESSAGE_LENGTH);
        await outcome({ name: 'image_pull_failed', body: { ...subject, msg } });
      }
      throw error;
    }
    const msg = seen.isPulled ? null : ALREADY_HERE;
    await outcome({ name: 'image_pull_finished', body: { ...subject, timestamp: now(), msg } });
  }

  /** Managers know the words for a pull that took too long. */
  #reasonOf(error: unknown): string {
    if (!isAgentError(error) || error.name !== 'ImagePullTimeoutError') return messageOf(error);
    const seconds = this.pulls.limitMs / 1000;
    return `timeout (s:${Number.isInteger(seconds) ? seconds.toFixed(1) : String(seconds)})`;
  }
}

/** Everything of a request that decides what is done and told; never its credentials. */
function keyOf({ image, project, registryName }: PullRequest): string {
  const { canonical, digest, architecture, isLocal, autoPull } = image;
  return JSON.stringify([canonical, digest, architecture, isLocal, autoPull, project, registryName]);
}
