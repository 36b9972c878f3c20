import { type CliContext, type CommonOptions, configRequest } from '../cli-context.js';
import { EXIT, type ExitStatus, usageError } from '../exit-status.js';
import { printable } from '../terminal/printable.js';
import { common, type DefineCommand } from './command-definition.js';

interface ServerOptions extends CommonOptions {
  readonly logLevel?: string;
  readonly debug?: boolean;
}

const LEVELS = ['critical', 'error', 'warning', 'info', 'debug', 'trace', 'notset'];

/** `start-server` and `config`. */
export const defineSetupCommands: DefineCommand = (ag, runner) => {
  common(
    ag
      .command('start-server')
      .option('--log-level <level>', `one of ${LEVELS.join(', ')}`)
      .option('--debug', 'log everything')
      .description('run the agent in the foreground; stopping it never stops kernels'),
    ['start-server', 'start-server --config /etc/backend.ai/agent.toml --log-level debug'],
  ).action(runner(startServer));

  const config = ag.command('config').description('check, show or write the configuration');
  common(config.command('check').description('validate the configuration'), [
    'config check --config agent.toml',
  ]).action(runner(check));
  common(
    config.command('show').description('print the effective configuration with the origin of each value'),
    ['config show', 'config show --json'],
    { json: 'print a JSON list' },
  ).action(runner(show));
  common(config.command('sample').description('print a commented sample with every key'), [
    'config sample > agent.toml',
  ]).action(runner(sample));
};

async function startServer(context: CliContext, options: ServerOptions): Promise<number> {
  const { logLevel, debug } = options;
  if (logLevel !== undefined && !LEVELS.includes(logLevel.toLowerCase()))
    throw usageError('--log-level', `'${logLevel.slice(0, 64)}' is no level`, LEVELS.join(', '));
  const request = {
    ...configRequest(options),
    ...(logLevel === undefined ? {} : { logLevel }),
    ...(debug === true ? { debug } : {}),
  };
  return await context.deps.setup.startServer(request, context.signal);
}

async function check(context: CliContext, options: CommonOptions): Promise<ExitStatus> {
  const { file } = context.loadConfig(options);
  await context.terminal.out(
    `${file === null ? 'no configuration file: the built-in defaults hold' : `${file}: valid`}\n`,
  );
  return EXIT.ok;
}

async function show(context: CliContext, options: CommonOptions): Promise<ExitStatus> {
  const keys = (await context.loadWholeConfig(options)).effective();
  if (options.json === true)
    await context.terminal.json(keys.map(({ key, value, origin }) => ({ key, value, origin })));
  else {
    const lines = keys.map(({ key, toml, origin }) => ({
      left: `${key} = ${printable(toml)}`,
      origin: printable(origin),
    }));
    const width = Math.min(60, Math.max(...lines.map(({ left }) => left.length)));
    await context.terminal.out(lines.map(({ left, origin }) => `${left.padEnd(width)}  # ${origin}\n`).join(''));
  }
  return EXIT.ok;
}

async function sample({ deps, terminal }: CliContext): Promise<ExitStatus> {
  await terminal.out(deps.setup.configSample());
  return EXIT.ok;
}
