import { AgentError } from '../../../domain/error/agent-error.js';
import type { ConsoleItem } from '../../../domain/execution/execution.js';
import type { RunUsage } from '../../../domain/statistics/usage.js';
import { type CliContext, type CommonOptions, configRequest } from '../cli-context.js';
import type { KernelTrace } from '../cli-dependencies.js';
import type { AgentClient, StartedKernel } from '../client/agent-client.js';
import { EmbeddedAgentClient } from '../client/embedded-agent-client.js';
import { createWithProgress, destroyAtTheEnd } from '../commands/kernel-life.js';
import { formatUsage } from '../commands/run-summary.js';
import { ProgramRun } from '../execution/program-run.js';
import type { RunOutcome } from '../execution/run-outcome.js';
import { toKernelSpec } from '../options/kernel-options.js';
import { printable } from '../terminal/printable.js';
import { formatDuration, Progress } from '../terminal/progress.js';
import { PIECES, type Piece, webServer, workload } from './demonstration.js';

const WEB_PORT = 8000;
const WORKLOAD_SECONDS = 3;
const SAMPLE_MS = 250;
const PIECE_TIMEOUT_MS = 60_000;
const PAGE_TIMEOUT_MS = 15_000;
const PAGE_ATTEMPT_MS = 2_000;
const CLEANUP_MS = 60_000;

const NEXT = `What to try next:
  ./backend.ai ag run -c 'print(6 * 7)'                a program in a kernel of its own
  ./backend.ai ag run --mount "$PWD:/home/work/here:ro" program.py
  ./backend.ai ag start-server                         an agent that stays; then, in another terminal:
  ./backend.ai ag create --port 8000                   a kernel that stays
  ./backend.ai ag execute KERNEL -c 'x = 1'            code in it
  ./backend.ai ag --help                               all commands
`;

/** A step whose outcome is not what it must be. */
function failed(what: string, hint: string): AgentError {
  return new AgentError('QuickstartError', 'operational', 500, what, { hint });
}

/**
 * The whole main job, each step for real; throws at the first step that fails, after cleaning up. Nothing is assumed
 * to have happened: outputs are compared, and what must be gone is looked for on the machine.
 */
export async function runQuickstart(context: CliContext, options: CommonOptions): Promise<void> {
  const { deps, terminal, signal } = context;
  const start = deps.now();
  const progress = new Progress(terminal, deps.now);
  await progress.step(
    'container engine',
    () => deps.quickstart.checkEngine(signal),
    (engine) => engine,
  );
  const image = await progress.step(
    'image',
    (update) => deps.setup.ensureImage(update, signal),
    (name) => name,
  );
  {
    await using agent = await progress.step(
      'agent',
      () => deps.setup.startEmbeddedAgent(configRequest(options), signal),
      () => 'started, with no Redis, etcd or Manager',
    );
    await new Demonstration(context, options, new EmbeddedAgentClient(agent.useCases), progress).run(image);
  }
  terminal.say(terminal.colour('green', `\nAll of it worked, in ${formatDuration(deps.now() - start)}.\n`));
  await terminal.out(NEXT);
}

class Demonstration {
  constructor(
    private readonly context: CliContext,
    private readonly options: CommonOptions,
    private readonly client: AgentClient,
    private readonly progress: Progress,
  ) {}

  async run(image: string): Promise<void> {
    const { deps, signal } = this.context;
    const before = (await this.client.status(signal)).slots.occupied;
    const request = { image, resourceSlots: { cpu: '1', mem: '512m' }, environ: {}, mounts: [] };
    const spec = toKernelSpec(request, image, [WEB_PORT], deps.uuid);
    const kernel = await createWithProgress(this.client, spec, this.progress, signal);
    try {
      for (const piece of PIECES) await this.#piece(kernel, piece);
      await this.#usage(kernel);
      await this.#service(kernel);
    } catch (error) {
      await destroyAtTheEnd(this.client, spec.kernelId).catch(() => undefined);
      throw error;
    }
    await this.progress.step('destroy the kernel', () => destroyAtTheEnd(this.client, spec.kernelId));
    await this.#proof(traceOf(kernel), before);
  }

  async #piece(kernel: StartedKernel, piece: Piece): Promise<void> {
    const { terminal } = this.context;
    const outcome = await this.progress.step(piece.label, () => this.#execute(kernel, piece.code));
    for (const line of piece.code.split('\n')) terminal.say(terminal.colour('dim', `    >>> ${line}`.trimEnd()));
    const text = (stream: ConsoleItem[0]): string =>
      outcome.console.map((item) => (item[0] === stream && typeof item[1] === 'string' ? item[1] : '')).join('');
    for (const line of `${text('stdout')}\n${text('stderr')}`
      .split('\n')
      .filter((each) => each.trim() !== '')
      .slice(0, 20))
      terminal.say(terminal.colour('dim', `    ${withoutColours(line)}`));
    const isRight =
      (piece.stdout?.test(text('stdout')) ?? true) &&
      (piece.stderr?.test(withoutColours(text('stderr'), true)) ?? true) &&
      (outcome.status === 'finished') === piece.succeeds;
    if (!isRight)
      throw failed(
        `${piece.label}: the kernel answered something else (status ${outcome.status}, exit code ${outcome.exitCode ?? 'none'})`,
        'run "./backend.ai ag run" with an image of your own to see more',
      );
  }

  /** Runs a program that uses everything, and shows the figures while it does. */
  async #usage(kernel: StartedKernel): Promise<void> {
    const { signal, terminal } = this.context;
    const before = await this.#read(kernel);
    let latest = before;
    await this.progress.step(
      'what it uses, live',
      async (update) => {
        const done = new AbortController();
        const work = this.#execute(kernel, workload(WORKLOAD_SECONDS)).finally(() => done.abort());
        // It is awaited below; should reading the usage fail before, its own failure must not go unheard and kill us.
        work.catch(() => undefined);
        let plainAt = this.context.deps.now();
        while (!done.signal.aborted) {
          await pause(SAMPLE_MS, AbortSignal.any([signal, done.signal]));
          latest = (await this.client.usage(kernel.kernelId, signal)) ?? latest;
          update(formatUsage(latest));
          if (terminal.isInteractive || this.context.deps.now() - plainAt < 1000) continue;
          plainAt = this.context.deps.now();
          terminal.say(`    ${formatUsage(latest)}`);
        }
        const outcome = await work;
        if (outcome.status !== 'finished')
          throw failed(`the workload ended with status ${outcome.status}`, 'see its output above');
        latest = (await this.client.usage(kernel.kernelId, signal)) ?? latest;
      },
      () => formatUsage(latest),
    );
    const idle = (['cpuMs', 'memPeakBytes', 'netTxBytes', 'ioWriteBytes'] as const).filter((figure) =>
      figure === 'memPeakBytes' ? latest[figure] === 0 : latest[figure] <= before[figure],
    );
    // Writes to a memory file system never reach a disk, so only that figure may rightly stay at zero.
    if (idle.some((figure) => figure !== 'ioWriteBytes'))
      throw failed(
        `no usage was measured of: ${idle.join(', ')}`,
        'look whether /sys/fs/cgroup and /proc can be read by the agent',
      );
  }

  async #read(kernel: StartedKernel): Promise<RunUsage> {
    const usage = await this.client.usage(kernel.kernelId, this.context.signal);
    if (usage !== undefined) return usage;
    throw failed('the kernel has no usage figures', 'look whether /sys/fs/cgroup and /proc can be read by the agent');
  }

  async #service(kernel: StartedKernel): Promise<void> {
    const { deps, signal } = this.context;
    const hostPort = kernel.servicePorts.find(({ containerPorts }) => containerPorts.includes(WEB_PORT))?.hostPorts[0];
    if (hostPort === undefined) throw failed(`port ${WEB_PORT} was not published`, 'look at [container] port-range');
    const page = `served by kernel ${kernel.kernelId} (${deps.uuid()})`;
    const host = kernel.kernelHost.includes(':') ? `[${kernel.kernelHost}]` : kernel.kernelHost;
    const url = `http://${host}:${hostPort}/`;
    await this.progress.step(
      'service port',
      async (update) => {
        const { status } = await this.#execute(kernel, webServer(WEB_PORT, page));
        if (status !== 'finished')
          throw failed(`the web server did not start (${status})`, 'run it by hand with "ag create --port"');
        update(url);
        const until = deps.now() + PAGE_TIMEOUT_MS;
        for (;;) {
          try {
            // An attempt that hangs must not use up the time of those after it.
            const attempt = AbortSignal.any([signal, AbortSignal.timeout(PAGE_ATTEMPT_MS)]);
            const found = await deps.quickstart.fetchPage(url, attempt);
            if (found.trim() === page) return;
            throw failed(`${url} shows another page: ${printable(found.slice(0, 80))}`, 'see who listens on that port');
          } catch (error) {
            if (deps.now() > until || signal.aborted || (error instanceof Error && error.name === 'QuickstartError'))
              throw error;
            await pause(SAMPLE_MS, signal);
          }
        }
      },
      () => `fetched ${url} from container port ${WEB_PORT}`,
    );
  }

  async #proof(trace: KernelTrace, before: Readonly<Record<string, string>>): Promise<void> {
    const { deps, signal } = this.context;
    await this.progress.step(
      'nothing is left',
      async () => {
        const found = await deps.quickstart.leftovers(trace, configRequest(this.options), signal);
        const left = found.map(({ kind, what }) => `${kind} ${what}`);
        const after = (await this.client.status(signal)).slots.occupied;
        for (const [slot, amount] of Object.entries(after))
          if (Number(amount) !== Number(before[slot] ?? '0')) left.push(`slot ${slot}: ${amount} occupied`);
        if (left.length > 0)
          throw failed(`left behind: ${left.join('; ')}`, 'remove it by hand, and report this: nothing may leak');
      },
      () => `no container, network, port ${trace.hostPorts.join(', ')}, slot or directory`,
    );
  }

  async #execute(kernel: StartedKernel, code: string): Promise<RunOutcome> {
    return await new ProgramRun(this.client, {
      kernelId: kernel.kernelId,
      code,
      runId: this.context.deps.uuid().replaceAll('-', ''),
      timeoutMs: PIECE_TIMEOUT_MS,
      isRecorded: true,
      onOutput: () => Promise.resolve(),
      readLine: () => Promise.resolve(undefined),
      onNotice: (text) => this.progress.update(text),
    }).run(AbortSignal.any([this.context.signal, AbortSignal.timeout(PIECE_TIMEOUT_MS + CLEANUP_MS)]));
  }
}

function traceOf(kernel: StartedKernel): KernelTrace {
  const hostPorts = kernel.servicePorts.flatMap((port) => port.hostPorts);
  return { kernelId: kernel.kernelId, containerId: kernel.containerId, hostPorts };
}

/** A traceback comes with colours; what remains is safe to print. */
function withoutColours(text: string, keepNewlines = false): string {
  return printable(text.replaceAll(/\u001b\[[0-9;]*m/g, ''), keepNewlines);
}

/** Resolves after `ms`, or at once when `signal` fires. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
