import type { CliContext, CommonOptions } from '../cli-context.js';
import { EXIT, type ExitStatus } from '../exit-status.js';
import { runQuickstart } from '../quickstart/quickstart.js';
import { common, type DefineCommand } from './command-definition.js';

export const defineQuickstart: DefineCommand = (ag, runner) => {
  common(ag.command('quickstart').description('set everything up and show the main job working, step by step'), [
    'quickstart',
  ]).action(runner(quickstart));
};

async function quickstart(context: CliContext, options: CommonOptions): Promise<ExitStatus> {
  context.loadConfig(options);
  await runQuickstart(context, options);
  return EXIT.ok;
}
