import { inject, injectable } from 'inversify';
import { isAgentError, messageOf } from '../../domain/error/agent-error.js';
import { deadlineExceeded, imageCommitFailed } from '../../domain/error/errors.js';
import { draftIdOf, draftName } from '../../domain/image/commit-draft.js';
import { commitLabels, type CommitTarget, commitTarget } from '../../domain/image/commit-target.js';
import { AgentSettings } from '../agent-settings.js';
import { BackgroundTasks } from '../background-task/background-tasks.js';
import type { TellProgress } from '../background-task/progress-teller.js';
import { inTurn } from '../concurrency/in-turn.js';
import { Semaphore } from '../concurrency/semaphore.js';
import { KernelRegistry } from '../kernel/kernel-registry.js';
import type { LiveKernel } from '../kernel/live-kernel.js';
import type { Call } from '../ports/call.js';
import { Clock } from '../ports/clock.port.js';
import { CommitStore } from '../ports/commit-store.port.js';
import { ContainerEngine } from '../ports/container-engine.port.js';
import { IdGenerator } from '../ports/id-generator.port.js';
import { Logger } from '../ports/logger.port.js';
import type { CommitRequest, TaskId } from '../use-cases.js';
import { CommitStatus } from './commit-status.js';

const LONGEST_COMMIT_MS = 24 * 3_600_000;
const MARGIN_MS = 5_000;
const CLEAN_UP_MS = 30_000;
const MAX_AT_ONCE = 2;

/**
 * Makes an image, or a file with an image, of what a kernel's container holds, in the background (rpc.md §6.14). The
 * kernel goes on running.
 *
 * The image first gets a name that nobody asked for: whatever fails, also an engine that goes on with a commit that we
 * gave up, leaves nothing but that name, and the sweep finds it.
 */
@injectable()
export class CommitKernel {
  readonly #turns = new Semaphore(MAX_AT_ONCE);
  readonly #drafts = new Set<string>();
  #recovery = Promise.resolve();

  constructor(
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(BackgroundTasks) private readonly tasks: BackgroundTasks,
    @inject(CommitStatus) private readonly status: CommitStatus,
    @inject(ContainerEngine) private readonly engine: ContainerEngine,
    @inject(CommitStore) private readonly files: CommitStore,
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(IdGenerator) private readonly ids: IdGenerator,
    @inject(Clock) private readonly clock: Clock,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  async execute(request: CommitRequest): Promise<{ readonly taskId: TaskId; readonly path: string | null }> {
    const { kernelId, subfolder } = request;
    const target = commitTarget(request);
    const live = this.registry.get(kernelId);
    if (live.kernel.state !== 'RUNNING') {
      throw imageCommitFailed(`kernel ${kernelId} is ${live.kernel.state}: only a running kernel can be committed`);
    }
    const hold = this.status.hold(kernelId, subfolder);
    const release = () => hold[Symbol.asyncDispose]();
    try {
      const taskId = await this.tasks.start(`commit of kernel ${kernelId}`, (tell, signal) =>
        inTurn(this.#turns, signal, () => this.#commit(live, target, request.labels, tell, signal)).finally(release),
      );
      return { taskId, path: target.kind === 'file' ? `${target.subfolder}/${target.filename}` : null };
    } catch (error) {
      await release();
      throw error;
    }
  }

  /** Removes unfinished images that no commit of this process is making. */
  async sweep(signal: AbortSignal): Promise<void> {
    for (const { tags } of await this.engine.listImages({ signal })) {
      for (const tag of tags) {
        const id = draftIdOf(tag, this.settings.agentId);
        if (id !== undefined && !this.#drafts.has(id)) await this.engine.removeImage(tag, {}, { signal });
      }
    }
  }

  /** Removes what an earlier life left half-made. Commits wait for it; it never rejects. */
  recover(signal: AbortSignal): Promise<void> {
    this.#recovery = this.#recover(signal);
    return this.#recovery;
  }

  async #recover(signal: AbortSignal): Promise<void> {
    for (const sweep of [() => this.files.sweep(), () => this.sweep(signal)]) {
      try {
        await sweep();
      } catch (error) {
        this.logger.warn(`could not remove what unfinished commits left: ${messageOf(error)}`);
      }
    }
  }

  async #commit(
    live: LiveKernel,
    target: CommitTarget,
    labels: CommitRequest['labels'],
    tell: TellProgress,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#recovery;
    const limitMs = this.settings.timeouts.commitMs ?? LONGEST_COMMIT_MS;
    using deadline = this.clock.deadline(limitMs, signal);
    const call = { signal: deadline.signal, timeoutMs: limitMs + MARGIN_MS };
    const draftId = this.ids.uuid();
    const draft = draftName(this.settings.agentId, draftId);
    this.#drafts.add(draftId);
    try {
      tell(0, 0, 'Committing the container');
      const imageId = await this.#makeDraft(live, draft, labels, call);
      if (target.kind === 'image') await this.engine.tagImage(imageId, target.canonical, call);
      else await this.#writeFile(imageId, target, tell, call);
    } catch (error) {
      signal.throwIfAborted();
      throw this.#explain(error, live, deadline.expired, limitMs);
    } finally {
      await this.#discard(draft);
      this.#drafts.delete(draftId);
    }
  }

  async #makeDraft(
    { kernel }: LiveKernel,
    reference: string,
    labels: CommitRequest['labels'],
    call: Call,
  ): Promise<string> {
    const container = await this.engine.inspectContainer(kernel.containerId ?? '', { signal: call.signal });
    if (!container) throw imageCommitFailed(`kernel ${kernel.id} has no container any more`);
    // The container's own way to start is the runner's, which is not part of the image.
    const image = await this.engine.inspectImage(container.imageId, { signal: call.signal });
    const { entrypoint, cmd } = image ?? { entrypoint: [], cmd: [] };
    const commit = { reference, labels: commitLabels(image?.labels ?? {}, labels), entrypoint, cmd };
    return this.engine.commitContainer(container.id, commit, call);
  }

  /** Exported by its id, it carries no name. */
  async #writeFile(
    imageId: string,
    target: Extract<CommitTarget, { kind: 'file' }>,
    tell: TellProgress,
    call: Call,
  ): Promise<void> {
    const size = (await this.engine.inspectImage(imageId, { signal: call.signal }))?.sizeBytes ?? 0;
    const tar = this.engine.exportImage(imageId, call);
    await this.files.save(
      target,
      counted(tar, (bytes) => tell(Math.min(bytes, size), size, 'Writing the file')),
      call.signal,
    );
  }

  async #discard(draft: string): Promise<void> {
    using deadline = this.clock.deadline(CLEAN_UP_MS);
    try {
      await this.engine.removeImage(draft, {}, { signal: deadline.signal });
    } catch (error) {
      this.logger.warn(`an unfinished image stays for now: ${messageOf(error)}`, { image: draft });
    }
  }

  #explain(error: unknown, { kernel }: LiveKernel, isLate: boolean, limitMs: number): Error {
    if (isLate) {
      return deadlineExceeded(`kernel ${kernel.id} was not committed within ${limitMs / 1000} s`, {
        hint: 'raise [api] commit-timeout',
        cause: error,
      });
    }
    if (kernel.state !== 'RUNNING') {
      return imageCommitFailed(`kernel ${kernel.id} ended while it was being committed`, { cause: error });
    }
    if (isAgentError(error)) return error;
    return imageCommitFailed(`kernel ${kernel.id} could not be committed: ${messageOf(error)}`, { cause: error });
  }
}

async function* counted(chunks: AsyncIterable<Uint8Array>, tell: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    tell(bytes);
    yield chunk;
  }
}
