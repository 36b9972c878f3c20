import { BatchDto, CompleteDto, DestroyQueryDto, ExecuteDto, StartServiceDto } from '../dto/kernel-call.dto.js';
import { EventsQueryDto, LogsQueryDto } from '../dto/kernel-call.dto.js';
import { CreateKernelDto, DotfileDto, MountDto, RegistryCredentialsDto } from '../dto/create-kernel.dto.js';
import { FstabQueryDto, MountVolumeDto, UnmountDto } from '../dto/watcher.dto.js';
import { type Schema, schemaOf } from './dto-schema.js';

export interface RouteDescription {
  readonly method: 'get' | 'post' | 'delete';
  /** In OpenAPI's spelling: `/kernels/{id}`. */
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  /** Needs no token. */
  readonly open?: boolean;
  readonly query?: Schema;
  readonly body?: Schema;
  /** Status → name of a schema, or a media type for what is no JSON. */
  readonly answers: Readonly<Record<number, AnswerDescription>>;
}

export type AnswerDescription = { readonly schema: string; readonly list?: boolean } | { readonly media: string };

const createBody = schemaOf(CreateKernelDto, {
  mounts: MountDto,
  dotfiles: DotfileDto,
  registry_credentials: RegistryCredentialsDto,
});

/** Every route of the server; a test holds it against what is really served. */
export const ROUTES: readonly RouteDescription[] = [
  {
    ...{ method: 'get', path: '/livez', id: 'live', open: true, answers: { 200: { schema: 'Probe' } } },
    summary: 'The process answers.',
  },
  {
    ...{ method: 'get', path: '/readyz', id: 'ready', open: true },
    summary: 'Kernels can be created now.',
    answers: { 200: { schema: 'Probe' }, 503: { schema: 'Probe' } },
  },
  {
    ...{ method: 'get', path: '/health', id: 'health', open: true, answers: { 200: { schema: 'Health' } } },
    summary: 'The state of what the agent depends on; always 200.',
  },
  {
    ...{ method: 'get', path: '/metrics', id: 'metrics', open: true, answers: { 200: { media: 'text/plain' } } },
    summary: 'All metrics in Prometheus text format 0.0.4.',
  },
  {
    ...{ method: 'get', path: '/status', id: 'status', answers: { 200: { schema: 'Status' } } },
    summary: 'Slots, ports, kernels by state and dependencies.',
  },
  {
    ...{ method: 'get', path: '/openapi.json', id: 'openApi', answers: { 200: { media: 'application/json' } } },
    summary: 'This document.',
  },
  {
    ...{ method: 'get', path: '/kernels', id: 'listKernels', answers: { 200: { schema: 'Kernel', list: true } } },
    summary: 'All kernels of this agent.',
  },
  {
    ...{ method: 'post', path: '/kernels', id: 'createKernel', body: createBody },
    summary: 'Creates and starts a kernel. Goes on when the client leaves; the same kernel_id finds the first kernel.',
    answers: { 200: { schema: 'CreatedKernel' }, 201: { schema: 'CreatedKernel' } },
  },
  {
    ...{ method: 'get', path: '/kernels/{id}', id: 'getKernel', answers: { 200: { schema: 'Kernel' } } },
    summary: 'One kernel.',
  },
  {
    ...{ method: 'delete', path: '/kernels/{id}', id: 'destroyKernel', query: schemaOf(DestroyQueryDto) },
    summary: 'Destroys a kernel; answers when nothing of it is left.',
    answers: { 200: { schema: 'DestroyedKernel' } },
  },
  {
    ...{ method: 'post', path: '/kernels/{id}/restart', id: 'restartKernel' },
    summary: 'A new container with the same scratch and devices.',
    answers: { 200: { schema: 'CreatedKernel' } },
  },
  {
    ...{ method: 'post', path: '/kernels/{id}/execute', id: 'execute' },
    summary: 'Runs code, or passes input on to a run. Ends with the connection.',
    body: schemaOf(ExecuteDto, { batch: BatchDto }),
    answers: { 200: { schema: 'Execution' } },
  },
  {
    ...{
      method: 'post',
      path: '/kernels/{id}/interrupt',
      id: 'interrupt',
      answers: { 200: { schema: 'Interrupted' } },
    },
    summary: 'Interrupts what runs in the kernel.',
  },
  {
    ...{ method: 'post', path: '/kernels/{id}/complete', id: 'complete', body: schemaOf(CompleteDto) },
    summary: 'Completions for a piece of code.',
    answers: { 200: { schema: 'Completions' } },
  },
  {
    ...{ method: 'post', path: '/kernels/{id}/services/{name}', id: 'startService', body: schemaOf(StartServiceDto) },
    summary: 'Starts a service of the kernel.',
    answers: { 200: { schema: 'ServiceResult' } },
  },
  {
    ...{ method: 'get', path: '/kernels/{id}/logs', id: 'logs', query: schemaOf(LogsQueryDto) },
    summary: 'The container log, in chunks; with follow until the container ends.',
    answers: { 200: { media: 'text/plain' } },
  },
  {
    ...{ method: 'get', path: '/kernels/{id}/usage', id: 'usage', answers: { 200: { schema: 'Usage' } } },
    summary: 'What the kernel used since it started.',
  },
  {
    ...{ method: 'get', path: '/events', id: 'events', query: schemaOf(EventsQueryDto) },
    summary: 'Server-sent events; resume with Last-Event-ID or since. An event "gap" tells that some were missed.',
    answers: { 200: { media: 'text/event-stream' } },
  },
  {
    ...{ method: 'get', path: '/', id: 'watcherState', answers: { 200: { schema: 'WatcherState' } } },
    summary: 'What the service manager says of this agent.',
  },
  ...(['soft-reset', 'hard-reset', 'shutdown', 'agent/{action}'] as const).map(controlRoute),
  {
    ...{ method: 'get', path: '/fstab', id: 'fstab', query: schemaOf(FstabQueryDto) },
    summary: 'The fstab of this machine.',
    answers: { 200: { media: 'text/plain' } },
  },
  {
    ...{ method: 'get', path: '/mounts', id: 'listMounts', answers: { 200: { schema: 'MountPoint', list: true } } },
    summary: 'Mount points of volumes.',
  },
  {
    ...{ method: 'post', path: '/mounts', id: 'mount', body: schemaOf(MountVolumeDto) },
    summary: 'Mounts a volume below the mount prefix of the cluster.',
    answers: { 200: { media: 'text/plain' } },
  },
  {
    ...{ method: 'delete', path: '/mounts', id: 'unmount', body: schemaOf(UnmountDto) },
    summary: 'Unmounts a volume.',
    answers: { 200: { media: 'text/plain' } },
  },
];

function controlRoute(name: 'soft-reset' | 'hard-reset' | 'shutdown' | 'agent/{action}'): RouteDescription {
  const what = {
    ...{ 'soft-reset': 'Reloads the agent, if that is allowed.', shutdown: 'Switches the machine off.' },
    'hard-reset': 'Stops the agent, restarts the container engine, starts the agent.',
    'agent/{action}': 'start, stop or restart of the agent by the service manager.',
  };
  return {
    ...{ method: 'post', path: `/${name}`, id: `control-${name.replace('/{action}', '')}` },
    summary: what[name],
    answers: { 200: { schema: 'ControlResult' } },
  };
}
