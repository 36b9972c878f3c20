import type { Command } from 'commander';
import { isAgentError } from '../../../domain/error/agent-error.js';
import { parseKernelId, parseSessionId } from '../../../domain/kernel/kernel-id.js';
import type { KernelSpec, VfolderMount } from '../../../domain/kernel/kernel-spec.js';
import { parseBinarySize } from '../../../domain/resource/binary-size.js';
import { usageError } from '../exit-status.js';

/** `--cpu`, `--mem` and the others that describe a kernel, as commander collects them. */
export interface KernelOptions {
  readonly image?: string;
  readonly cpu: string;
  readonly mem: string;
  readonly slot: readonly string[];
  readonly env: readonly string[];
  readonly mount: readonly string[];
}

/** A kernel asked for on the command line, checked as far as that goes without an agent. */
export interface KernelRequest {
  readonly image: string | undefined;
  readonly resourceSlots: Readonly<Record<string, string>>;
  readonly environ: Readonly<Record<string, string>>;
  readonly mounts: readonly VfolderMount[];
}

const collect = (value: string, all: readonly string[]): readonly string[] => [...all, value];

export function addKernelOptions(command: Command): Command {
  return command
    .option('--image <image>', 'container image; without it a small Python image is made sure of')
    .option('--cpu <n>', 'CPU cores', '1')
    .option('--mem <size>', 'memory, such as 512m or 2g', '512m')
    .option('--slot <name=n>', 'amount of another resource slot, such as cuda.device=1; may be repeated', collect, [])
    .option('--env <k=v>', 'environment variable; may be repeated', collect, [])
    .option('--mount <src:dst[:ro]>', 'host directory or file in the kernel; may be repeated', collect, []);
}

/** Throws an InvalidArgumentError that names the option and the form it may have. */
export function parseKernelOptions(options: KernelOptions): KernelRequest {
  if (options.image !== undefined && !/^[\x21-\x7e]{1,512}$/.test(options.image))
    throw usageError(
      '--image',
      'not an image name',
      'a name such as python:3.12-slim or registry.example.com/project/image:tag',
    );
  return {
    image: options.image,
    resourceSlots: {
      ...parseSlots(options.slot),
      cpu: amount('--cpu', options.cpu, 'a number of cores above 0, such as 1'),
      mem: memory(options.mem),
    },
    environ: parseEnv(options.env),
    mounts: options.mount.map(parseMount),
  };
}

/** The specification of a kernel that stands alone. */
export function toKernelSpec(
  request: KernelRequest,
  image: string,
  preopenPorts: readonly number[],
  uuid: () => string,
): KernelSpec {
  return {
    kernelId: parseKernelId(uuid()),
    sessionId: parseSessionId(uuid()),
    image: { canonical: image, isLocal: false, autoPull: 'tag' },
    sessionType: 'interactive',
    clusterRole: 'main',
    clusterIdx: 1,
    clusterHostname: 'main1',
    cluster: { mode: 'single-node', size: 1, replicas: { main: 1 }, networkConfig: {} },
    identity: { supplementaryGids: [] },
    resourceSlots: request.resourceSlots,
    // The same default as the HTTP application fills in.
    allowFractionalFragmentation: true,
    environ: request.environ,
    mounts: request.mounts,
    dotfiles: [],
    preventVfolderMounts: false,
    blockServicePorts: false,
    sudoSessionEnabled: false,
    preopenPorts,
    agentAddr: '',
    scalingGroup: '',
  };
}

function amount(option: string, text: string, allowed: string): string {
  if (!/^\d{1,12}(?:\.\d{1,9})?$/.test(text) || Number(text) === 0)
    throw usageError(option, `'${text.slice(0, 64)}' is not an amount`, allowed);
  return text;
}

function memory(text: string): string {
  const allowed = 'a size above 0, such as 512m, 1.5g or 2GiB';
  try {
    if (parseBinarySize(text) > 0n) return text;
  } catch (error) {
    if (!isAgentError(error)) throw error;
  }
  throw usageError('--mem', `'${text.slice(0, 64)}' is not an amount of memory`, allowed);
}

function parseSlots(items: readonly string[]): Record<string, string> {
  const allowed = 'NAME=N, such as cuda.device=1';
  const slots: Record<string, string> = {};
  for (const item of items) {
    const match = /^([a-z][a-z0-9_-]*(?:\.[a-z0-9_-]+)*)=(.+)$/.exec(item);
    if (match?.[1] === undefined || match[2] === undefined)
      throw usageError('--slot', `'${item.slice(0, 64)}' has another form`, allowed);
    const [, name, text] = match;
    if (name === 'cpu' || name === 'mem') throw usageError('--slot', `${name} has an option of its own`, `--${name}`);
    if (name in slots) throw usageError('--slot', `${name} is given twice`, 'each slot once');
    slots[name] = amount('--slot', text, allowed);
  }
  return slots;
}

function parseEnv(items: readonly string[]): Record<string, string> {
  const allowed = 'K=V with K of letters, digits and _, and V without newlines and NUL';
  const environ: Record<string, string> = {};
  for (const item of items) {
    const match = /^([A-Za-z_][A-Za-z0-9_]{0,255})=([^\n\r\0]*)$/.exec(item);
    // The value may be a secret: only what stands before it is told.
    if (match?.[1] === undefined || match[2] === undefined)
      throw usageError('--env', `'${(item.split('=')[0] ?? '').slice(0, 64)}' has another form`, allowed);
    environ[match[1]] = match[2];
  }
  return environ;
}

function parseMount(item: string): VfolderMount {
  const allowed = 'SRC:DST or SRC:DST:ro, both absolute paths without ".."';
  const [source, target, mode, ...rest] = item.split(':');
  const isPath = (path: string | undefined): path is string =>
    path?.startsWith('/') === true && !path.split('/').includes('..') && !path.includes('\0');
  if (!isPath(source) || !isPath(target) || rest.length > 0 || !['ro', 'rw', undefined].includes(mode))
    throw usageError('--mount', `'${item.slice(0, 128)}' has another form`, allowed);
  const name = target.split('/').findLast((segment) => segment !== '') ?? 'mount';
  return { name, hostPath: source, kernelPath: target, permission: mode === 'ro' ? 'ro' : 'rw', usageMode: 'general' };
}
