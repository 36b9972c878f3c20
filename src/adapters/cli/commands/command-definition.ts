import type { Command } from 'commander';
import type { CliContext } from '../cli-context.js';

/** Turns the work of a command into what commander calls: it is given a context and answers with an exit status. */
export type Runner = <A extends unknown[]>(
  work: (context: CliContext, ...values: A) => Promise<number>,
) => (...values: A) => Promise<void>;

/** Adds one command, or several that belong together, below `ag`. */
export type DefineCommand = (ag: Command, runner: Runner) => void;

/** The options of every command, and its examples. */
export function common(
  command: Command,
  examples: readonly string[],
  options: { readonly json?: string } = {},
): Command {
  command.option('--config <file>', 'configuration file; a running agent is found through it too');
  if (options.json !== undefined) command.option('--json', options.json);
  return command.addHelpText('after', `\nExamples:\n${examples.map((line) => `  ./backend.ai ag ${line}`).join('\n')}`);
}
