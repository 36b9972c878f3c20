import { isAgentError } from '../../../domain/error/agent-error.js';
import type { CliContext, CommonOptions } from '../cli-context.js';
import { connectRunning } from '../client/connect.js';
import type { StartedKernel } from '../client/agent-client.js';
import { createdDocument } from '../documents.js';
import { describeError, EXIT, type ExitStatus, exitStatusOf, usageError } from '../exit-status.js';
import { addKernelOptions, type KernelOptions, parseKernelOptions, toKernelSpec } from '../options/kernel-options.js';
import { resolveKernel, resolveKernels } from '../options/resolve-kernel.js';
import { Progress } from '../terminal/progress.js';
import { common, type DefineCommand } from './command-definition.js';
import { createWithProgress } from './kernel-life.js';

interface CreateOptions extends CommonOptions, KernelOptions {
  readonly port: readonly string[];
}

/** `create`, `restart`, `destroy`: kernels of a running agent. */
export const defineKernelCommands: DefineCommand = (ag, runner) => {
  const json = { json: 'print a JSON document' };
  const create = ag.command('create').description('create a kernel that stays');
  addKernelOptions(create).option(
    '--port <n>',
    'container port to publish on this host; may be repeated',
    (value: string, all: readonly string[]) => [...all, value],
    [],
  );
  common(create, ['create', 'create --image jupyter/base-notebook --mem 1g --port 8888 --json'], json).action(
    runner(createKernel),
  );
  common(
    ag
      .command('restart')
      .argument('<kernel>', 'kernel id, or a unique beginning of it')
      .description('restart a kernel: same files, new container'),
    ['restart 7f3d'],
    json,
  ).action(runner(restartKernel));
  common(
    ag
      .command('destroy')
      .argument('<kernel...>', 'kernel ids, or unique beginnings of them')
      .description('destroy kernels'),
    ['destroy 7f3d', 'destroy 7f3d 90ab'],
  ).action(runner(destroyKernels));
};

async function createKernel(context: CliContext, options: CreateOptions): Promise<ExitStatus> {
  const { deps, terminal, signal } = context;
  const request = parseKernelOptions(options);
  const ports = options.port.map(parsePort);
  await using connection = await connectRunning(context.loadConfig(options), signal);
  const progress = new Progress(terminal, deps.now, options.json === true);
  const image =
    request.image ??
    (await progress.step(
      'image',
      (update) => deps.setup.ensureImage(update, signal),
      (name) => name,
    ));
  const spec = toKernelSpec(request, image, ports, deps.uuid);
  await tell(context, await createWithProgress(connection.client, spec, progress, signal), options);
  return EXIT.ok;
}

async function restartKernel(context: CliContext, text: string, options: CommonOptions): Promise<ExitStatus> {
  const { deps, terminal, signal } = context;
  await using connection = await connectRunning(context.loadConfig(options), signal);
  const kernelId = await resolveKernel(text, connection.client, signal);
  const progress = new Progress(terminal, deps.now, options.json === true);
  await tell(context, await progress.step('restart', () => connection.client.restartKernel(kernelId, signal)), options);
  return EXIT.ok;
}

/** Every kernel is tried; the worst failure decides the exit status. */
async function destroyKernels(
  context: CliContext,
  texts: readonly string[],
  options: CommonOptions,
): Promise<ExitStatus> {
  const { deps, terminal, signal } = context;
  await using connection = await connectRunning(context.loadConfig(options), signal);
  const kernelIds = await resolveKernels(texts, connection.client, signal);
  const progress = new Progress(terminal, deps.now);
  let worst: ExitStatus = EXIT.ok;
  for (const kernelId of new Set(kernelIds)) {
    try {
      await progress.step(`destroy ${kernelId}`, () => connection.client.destroyKernel(kernelId, signal));
    } catch (error) {
      if (!isAgentError(error)) throw error;
      terminal.say(`${terminal.colour('red', 'error:')} ${describeError(error).cause}`);
      worst = Math.max(worst, exitStatusOf(error)) as ExitStatus;
    }
  }
  return worst;
}

async function tell({ terminal }: CliContext, kernel: StartedKernel, options: CommonOptions): Promise<void> {
  if (options.json === true) return terminal.json(createdDocument(kernel));
  await terminal.out(`${kernel.kernelId}\n`);
  for (const { name, protocol, hostPorts } of kernel.servicePorts) {
    const scheme = protocol === 'http' ? 'http' : 'tcp';
    for (const port of hostPorts) terminal.say(`  ${name}: ${scheme}://${kernel.kernelHost}:${port}`);
  }
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535)
    throw usageError('--port', `'${text.slice(0, 64)}' is not a port`, 'a number from 1 to 65535');
  return port;
}
