import { Command, CommanderError } from 'commander';
import { CliContext } from './cli-context.js';
import type { CliDependencies } from './cli-dependencies.js';
import type { Runner } from './commands/command-definition.js';
import { defineExecute } from './commands/execute.command.js';
import { defineKernelCommands } from './commands/kernel.commands.js';
import { defineQuickstart } from './commands/quickstart.command.js';
import { defineRun } from './commands/run.command.js';
import { defineSetupCommands } from './commands/setup.commands.js';
import { defineViewCommands } from './commands/view.commands.js';
import { describeError, EXIT, exitStatusOf, OutputClosedError, usageError } from './exit-status.js';

/**
 * Runs one command line (`['ag', 'run', …]`) and resolves with its exit status: 0, 1 for a failing user program, 2 for
 * wrong usage, 3 for a failure of the agent. Never rejects.
 */
export async function runCli(argv: readonly string[], deps: CliDependencies): Promise<number> {
  using context = new CliContext(deps);
  let status: number = EXIT.ok;
  const runner: Runner = (work) => {
    return async (...values) => {
      status = await work(context, ...values);
    };
  };
  try {
    await buildProgram(deps, runner).parseAsync([...argv], { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    return report(context, error instanceof CommanderError ? fromCommander(error, argv) : error);
  }
}

function buildProgram({ version, io }: CliDependencies, runner: Runner): Command {
  const program = new Command('backend.ai')
    .description('Backend.AI: run computing sessions as containers on this machine')
    .version(version, '-V, --version')
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      // Told by us, in the form of every other error.
      outputError: () => undefined,
      getOutHelpWidth: () => io.stdout.columns ?? 100,
      getErrHelpWidth: () => io.stderr.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .exitOverride();
  const ag = program.command('ag').description('the agent of this machine');
  for (const define of [
    defineQuickstart,
    defineRun,
    defineKernelCommands,
    defineExecute,
    defineViewCommands,
    defineSetupCommands,
  ])
    define(ag, runner);
  return program;
}

/** commander's own complaints, and help that is shown because a command is missing. */
function fromCommander(error: CommanderError, argv: readonly string[]): Error {
  if (error.code === 'commander.help') return usageError('command', 'no command is given', 'one of those listed above');
  const words = argv.filter((word) => /^[a-z][a-z-]*$/.test(word)).slice(0, 2);
  const message = error.message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ');
  return usageError(words.join(' ') || 'command', message, `see "./backend.ai ${[...words, '--help'].join(' ')}"`);
}

function report({ terminal }: CliContext, error: unknown): number {
  if (!(error instanceof OutputClosedError)) {
    const { cause, remedy } = describeError(error);
    terminal.say(`${terminal.colour('red', 'error:')} ${cause}`);
    terminal.say(`  ${terminal.colour('dim', '→')} ${remedy}`);
  }
  return exitStatusOf(error);
}
