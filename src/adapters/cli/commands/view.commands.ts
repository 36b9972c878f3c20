import type { AgentStatus, HealthReport, KernelView } from '../../../application/use-cases.js';
import type { CliContext, CommonOptions } from '../cli-context.js';
import type { SeenEvent } from '../client/agent-client.js';
import { connectRunning } from '../client/connect.js';
import { eventDocument, healthDocument, kernelDocument, statusDocument } from '../documents.js';
import { EXIT, type ExitStatus, usageError } from '../exit-status.js';
import { resolveKernel } from '../options/resolve-kernel.js';
import { printable } from '../terminal/printable.js';
import { formatTable } from '../terminal/table.js';
import { common, type DefineCommand } from './command-definition.js';

interface LogsOptions extends CommonOptions {
  readonly follow?: boolean;
  readonly tail?: string;
}

interface EventsOptions extends CommonOptions {
  readonly follow?: boolean;
}

/** `logs`, `kernels`, `status`, `health`, `events`: looking at a running agent. */
export const defineViewCommands: DefineCommand = (ag, runner) => {
  common(
    ag
      .command('logs')
      .argument('<kernel>', 'kernel id, or a unique beginning of it')
      .option('-f, --follow', 'go on with what is written from now on')
      .option('--tail <n>', 'only so many lines from the end')
      .description("print a kernel's container log"),
    ['logs 7f3d', 'logs -f --tail 20 7f3d'],
  ).action(runner(logs));
  common(ag.command('kernels').description('list the kernels'), ['kernels', 'kernels --json'], {
    json: 'print a JSON list',
  }).action(runner(kernels));
  common(ag.command('status').description('show slots, ports, kernels and dependencies'), ['status', 'status --json'], {
    json: 'print a JSON document',
  }).action(runner(status));
  common(
    ag
      .command('health')
      .description('show how each dependency is, and since when; the exit status is 1 when something is wrong'),
    ['health', 'health --json'],
    { json: 'print a JSON document' },
  ).action(runner(health));
  common(
    ag
      .command('events')
      .option('-f, --follow', 'go on with what happens from now on')
      .description('print what happened'),
    ['events', 'events -f --json'],
    { json: 'print one JSON object a line' },
  ).action(runner(events));
};

async function logs(context: CliContext, text: string, options: LogsOptions): Promise<ExitStatus> {
  const { terminal, signal } = context;
  if (options.tail !== undefined && !/^\d{1,9}$/.test(options.tail))
    throw usageError('--tail', `'${options.tail.slice(0, 64)}' is not a number of lines`, 'a whole number');
  await using connection = await connectRunning(context.loadConfig(options), signal);
  const kernelId = await resolveKernel(text, connection.client, signal);
  const query = {
    follow: options.follow === true,
    ...(options.tail === undefined ? {} : { tail: Number(options.tail) }),
  };
  await untilInterrupted(context, async () => {
    for await (const chunk of connection.client.logs(kernelId, query, signal)) await terminal.out(chunk);
  });
  return EXIT.ok;
}

async function kernels(context: CliContext, options: CommonOptions): Promise<ExitStatus> {
  const { terminal, signal } = context;
  await using connection = await connectRunning(context.loadConfig(options), signal);
  const list = await connection.client.listKernels(signal);
  await (options.json === true ? terminal.json(list.map(kernelDocument)) : terminal.out(kernelTable(list)));
  return EXIT.ok;
}

async function status(context: CliContext, options: CommonOptions): Promise<ExitStatus> {
  const { terminal, signal } = context;
  await using connection = await connectRunning(context.loadConfig(options), signal);
  const report = await connection.client.status(signal);
  await (options.json === true ? terminal.json(statusDocument(report)) : terminal.out(statusText(report)));
  return EXIT.ok;
}

async function health(context: CliContext, options: CommonOptions): Promise<ExitStatus> {
  const { terminal, signal } = context;
  await using connection = await connectRunning(context.loadConfig(options), signal);
  const report = await connection.client.health(signal);
  await (options.json === true ? terminal.json(healthDocument(report)) : terminal.out(healthText(report)));
  return report.status === 'ok' ? EXIT.ok : EXIT.degraded;
}

async function events(context: CliContext, options: EventsOptions): Promise<ExitStatus> {
  const { terminal, signal } = context;
  await using connection = await connectRunning(context.loadConfig(options), signal);
  await untilInterrupted(context, async () => {
    for await (const event of connection.client.events({ follow: options.follow === true }, signal))
      await terminal.out(options.json === true ? `${JSON.stringify(eventDocument(event))}\n` : `${eventLine(event)}\n`);
  });
  return EXIT.ok;
}

/** Ctrl-C is how a stream is ended: no failure. */
async function untilInterrupted({ signal, terminal }: CliContext, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!signal.aborted || terminal.closed.aborted) throw error;
  }
}

function amounts(slots: Readonly<Record<string, string>>): string {
  const used = Object.entries(slots).filter(([, value]) => !/^0+(?:\.0+)?$/.test(value));
  return used.map(([name, value]) => `${name}=${value}`).join(' ');
}

function kernelTable(list: readonly KernelView[]): string {
  if (list.length === 0) return 'no kernels\n';
  const rows = list.map((kernel) => [
    kernel.kernelId.slice(0, 13),
    kernel.state + (kernel.notice === null ? '' : ` (${kernel.notice})`),
    kernel.image,
    amounts(kernel.slots),
    kernel.servicePorts.flatMap(({ name, hostPorts }) => hostPorts.map((port) => `${name}:${port}`)).join(' '),
    kernel.startedAtMs === null ? '' : new Date(kernel.startedAtMs).toISOString().slice(0, 19).replace('T', ' '),
  ]);
  return formatTable(['KERNEL', 'STATE', 'IMAGE', 'SLOTS', 'SERVICES', 'STARTED (UTC)'], rows);
}

function statusText(report: AgentStatus): string {
  const names = Object.keys(report.slots.total);
  const slotRows = names.map((name) => [
    name,
    ...[report.slots.total, report.slots.occupied, report.slots.available].map((column) => column[name] ?? '0'),
  ]);
  const kernelCounts = Object.entries(report.kernels)
    .filter(([, number]) => number > 0)
    .map(([state, number]) => `${number} ${state}`);
  const dependencies = report.dependencies.map(({ group, component, healthy, error, latencyMs }) => {
    const how = healthy ? `ok${latencyMs === null ? '' : `, ${Math.round(latencyMs)} ms`}` : (error ?? 'not healthy');
    return `  ${printable(group)}/${printable(component)}: ${printable(how)}\n`;
  });
  return [
    `agent ${printable(report.agentId)}, version ${printable(report.version)}: ${report.ready ? 'ready' : 'not ready'}\n\n`,
    formatTable(['SLOT', 'TOTAL', 'OCCUPIED', 'AVAILABLE'], slotRows),
    `\nports: ${report.ports.free} free, ${report.ports.used} used\n`,
    `kernels: ${kernelCounts.length === 0 ? 'none' : kernelCounts.join(', ')}\n`,
    ...(dependencies.length === 0 ? [] : ['dependencies:\n', ...dependencies]),
  ].join('');
}

function healthText({ status, dependencies }: HealthReport): string {
  const rows = dependencies.map(({ group, component, healthy, latencyMs, error, sinceMs }) => [
    printable(`${group}/${component}`),
    healthy ? 'ok' : 'FAILING',
    latencyMs === null ? '-' : `${latencyMs.toFixed(1)} ms`,
    new Date(sinceMs).toISOString().slice(0, 19).replace('T', ' '),
    printable(error ?? ''),
  ]);
  return `${status}\n\n${formatTable(['DEPENDENCY', 'STATE', 'LATENCY', 'SINCE (UTC)', 'ERROR'], rows)}`;
}

/** What people want to see of an event; `--json` has all of it. */
function eventLine({ name, timestampMs, body }: SeenEvent): string {
  const kernel = body['kernel_id'];
  const details = Object.entries(body)
    .filter(([key, value]) => key !== 'kernel_id' && key !== 'session_id' && value !== '')
    .flatMap(([key, value]) => (isRecord(value) ? Object.entries(value) : [[key, value] as const]))
    .filter(([, value]) => !isRecord(value) && !Array.isArray(value) && value !== null)
    .map(([key, value]) => `${key}=${String(value)}`);
  const words = [
    new Date(timestampMs).toISOString().slice(11, 23),
    name,
    typeof kernel === 'string' ? kernel.slice(0, 13) : '',
  ];
  return printable([...words.filter((word) => word !== ''), ...details].join(' ')).slice(0, 1000);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
