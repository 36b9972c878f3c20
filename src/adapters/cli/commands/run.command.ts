import type { KernelSpec } from '../../../domain/kernel/kernel-spec.js';
import type { RunUsage } from '../../../domain/statistics/usage.js';
import { isAgentError } from '../../../domain/error/agent-error.js';
import { type CliContext, type CommonOptions, configRequest } from '../cli-context.js';
import type { AgentClient } from '../client/agent-client.js';
import { connectOrEmbed } from '../client/connect.js';
import { runDocument } from '../documents.js';
import { runInteractively } from '../execution/interactive-run.js';
import type { RunOutcome } from '../execution/run-outcome.js';
import { EXIT, type ExitStatus } from '../exit-status.js';
import { addKernelOptions, type KernelOptions, parseKernelOptions, toKernelSpec } from '../options/kernel-options.js';
import { readProgram } from '../options/program-source.js';
import { addTimeoutOption, parseTimeout } from '../options/timeout-option.js';
import { Progress } from '../terminal/progress.js';
import { common, type DefineCommand } from './command-definition.js';
import { createWithProgress, destroyAtTheEnd } from './kernel-life.js';
import { formatOutcome } from './run-summary.js';

interface RunOptions extends CommonOptions, KernelOptions {
  readonly code?: string;
  readonly timeout?: string;
  readonly quiet?: boolean;
}

export const defineRun: DefineCommand = (ag, runner) => {
  const command = ag
    .command('run')
    .description('run one program in a kernel made for it, and destroy the kernel')
    .argument('[program]', 'file with the program, or - for standard input')
    .option('-c, --code <code>', 'the program itself')
    .option('-q, --quiet', 'no progress and no summary on stderr');
  addTimeoutOption(addKernelOptions(command));
  common(
    command,
    [
      `run -c 'print(6 * 7)'`,
      'run --image python:3.12-slim --mem 1g --mount /data:/home/work/data:ro train.py',
      'run --json --timeout 10 - < program.py',
    ],
    { json: 'one JSON document at the end in place of the output' },
  ).action(runner(run));
};

async function run(context: CliContext, argument: string | undefined, options: RunOptions): Promise<ExitStatus> {
  const { deps, terminal, signal } = context;
  const request = parseKernelOptions(options);
  const timeoutMs = parseTimeout(options.timeout);
  const code = await readProgram(argument, options.code, deps.io, signal);
  const config = context.loadConfig(options);
  const progress = new Progress(terminal, deps.now, options.quiet === true || options.json === true);
  const timings = new Timings(deps.now);

  await using connection = await timings.measure('agent', () =>
    progress.step(
      'agent',
      () => connectOrEmbed(deps, config, configRequest(options), signal),
      ({ isEmbedded }) => (isEmbedded ? 'none runs here, started one for this program' : 'the one that runs here'),
    ),
  );
  const image =
    request.image ??
    (await timings.measure('ensure_image', () =>
      progress.step(
        'image',
        (update) => deps.setup.ensureImage(update, signal),
        (name) => name,
      ),
    ));
  const spec = toKernelSpec(request, image, [], deps.uuid);
  const result = await oneProgram(
    { context, client: connection.client, spec, progress, timings },
    { ...options, code, timeoutMs },
  );
  const { outcome, usage, failure } = result;
  if (options.json === true)
    await terminal.json(runDocument({ kernelId: spec.kernelId, image, outcome, usage, timingsMs: timings.all }));
  else if (options.quiet !== true) terminal.say(formatOutcome(terminal, outcome, usage, timings.all['execute'] ?? 0));
  if (failure !== undefined) throw failure;
  return outcome.status === 'finished' ? EXIT.ok : EXIT.programFailed;
}

interface RunScene {
  readonly context: CliContext;
  readonly client: AgentClient;
  readonly spec: KernelSpec;
  readonly progress: Progress;
  readonly timings: Timings;
}

interface RunResult {
  readonly outcome: RunOutcome;
  readonly usage: RunUsage | undefined;
  /** What went wrong on the agent's side, after or instead of the program. */
  readonly failure?: Error;
}

/** Create, run, read the usage, destroy. A kernel that cannot be made is thrown; what comes later is part of the result. */
async function oneProgram(
  scene: RunScene,
  options: RunOptions & { code: string; timeoutMs: number | null },
): Promise<RunResult> {
  const { context, client, spec, progress, timings } = scene;
  const kernel = await timings.measure('create', () => createWithProgress(client, spec, progress, context.signal));
  timings.add(kernel.timingsMs);
  let result: RunResult;
  try {
    const outcome = await timings.measure('execute', () => execute(scene, options));
    const usage = await client.usage(spec.kernelId, AbortSignal.timeout(5_000)).catch(() => undefined);
    result = { outcome, usage };
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(String(error));
    if (!isAgentError(error)) {
      await destroyAtTheEnd(client, spec.kernelId).catch(() => undefined);
      throw failure;
    }
    result = { outcome: { status: 'error', exitCode: null, console: [] }, usage: undefined, failure };
  }
  try {
    await timings.measure('destroy', () => progress.step('destroy', () => destroyAtTheEnd(client, spec.kernelId)));
  } catch (error) {
    result = { failure: error instanceof Error ? error : new Error(String(error)), ...result };
  }
  return result;
}

async function execute(
  { context, client, spec }: RunScene,
  options: RunOptions & { code: string; timeoutMs: number | null },
): Promise<RunOutcome> {
  return await context.leaveInterruptsTo(() =>
    runInteractively(
      context.deps,
      context.terminal,
      client,
      {
        kernelId: spec.kernelId,
        code: options.code,
        timeoutMs: options.timeoutMs,
        isJson: options.json === true,
        secondInterrupt: 'destroy the kernel',
      },
      context.signal,
    ),
  );
}

/** Stage → milliseconds. */
class Timings {
  readonly all: Record<string, number> = {};

  constructor(private readonly now: () => number) {}

  add(stages: Readonly<Record<string, number>>): void {
    Object.assign(this.all, stages);
  }

  async measure<T>(stage: string, work: () => Promise<T>): Promise<T> {
    const start = this.now();
    try {
      return await work();
    } finally {
      this.all[stage] = this.now() - start;
    }
  }
}
