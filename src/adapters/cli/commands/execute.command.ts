import { type CliContext, type CommonOptions } from '../cli-context.js';
import { connectRunning } from '../client/connect.js';
import { runDocument } from '../documents.js';
import { runInteractively } from '../execution/interactive-run.js';
import { EXIT, type ExitStatus } from '../exit-status.js';
import { readProgram } from '../options/program-source.js';
import { resolveKernel } from '../options/resolve-kernel.js';
import { addTimeoutOption, parseTimeout } from '../options/timeout-option.js';
import { common, type DefineCommand } from './command-definition.js';

interface ExecuteOptions extends CommonOptions {
  readonly code?: string;
  readonly timeout?: string;
}

export const defineExecute: DefineCommand = (ag, runner) => {
  const command = ag
    .command('execute')
    .description('run code in a kernel that is there; its state stays for the next time')
    .argument('<kernel>', 'kernel id, or a unique beginning of it')
    .argument('[program]', 'file with the program, or - for standard input')
    .option('-c, --code <code>', 'the program itself');
  common(addTimeoutOption(command), [`execute 7f3d -c 'x = 6'`, `execute 7f3d -c 'x * 7'`, 'execute 7f3d program.py'], {
    json: 'one JSON document at the end in place of the output',
  }).action(runner(execute));
};

async function execute(
  context: CliContext,
  text: string,
  argument: string | undefined,
  options: ExecuteOptions,
): Promise<ExitStatus> {
  const { deps, terminal, signal } = context;
  const timeoutMs = parseTimeout(options.timeout);
  const code = await readProgram(argument, options.code, deps.io, signal);
  await using connection = await connectRunning(context.loadConfig(options), signal);
  const { client } = connection;
  const kernelId = await resolveKernel(text, client, signal);
  const isJson = options.json === true;
  const start = deps.now();
  const outcome = await context.leaveInterruptsTo(() =>
    runInteractively(
      deps,
      terminal,
      client,
      { kernelId, code, timeoutMs, isJson, secondInterrupt: 'leave it to itself' },
      signal,
    ),
  );
  const timingsMs = { execute: deps.now() - start };
  if (isJson) {
    const kernel = (await client.listKernels(signal)).find((view) => view.kernelId === kernelId);
    const usage = await client.usage(kernelId, signal).catch(() => undefined);
    await terminal.json(runDocument({ kernelId, image: kernel?.image ?? '', outcome, usage, timingsMs }));
  } else if (outcome.status === 'timeout' || outcome.status === 'oom') {
    terminal.say(
      terminal.colour('red', outcome.status === 'oom' ? 'killed: out of memory' : 'stopped at its time limit'),
    );
  }
  return outcome.status === 'finished' ? EXIT.ok : EXIT.programFailed;
}
