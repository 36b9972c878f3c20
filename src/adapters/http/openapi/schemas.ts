import type { Schema } from './dto-schema.js';

/** Schemas of what the API answers; views.ts makes the documents. All members that are named are always there. */

const text: Schema = { type: 'string' };
const integer: Schema = { type: 'integer' };
const yesNo: Schema = { type: 'boolean' };
const uuid: Schema = { type: 'string', format: 'uuid' };
const time: Schema = { type: 'string', format: 'date-time' };
const textMap: Schema = { type: 'object', additionalProperties: text };
const anyMap: Schema = { type: 'object', additionalProperties: true };

const orNull = (schema: Schema): Schema => ({ ...schema, nullable: true });
const list = (items: Schema): Schema => ({ type: 'array', items });
const record = (properties: Readonly<Record<string, Schema>>): Schema => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
});

const servicePort = record({
  name: text,
  protocol: { type: 'string', enum: ['http', 'tcp', 'preopen', 'internal', 'vnc', 'rdp'] },
  container_ports: list(integer),
  host_ports: list(integer),
  is_inference: yesNo,
});

export const SCHEMAS: Readonly<Record<string, Schema>> = {
  Probe: record({ status: { type: 'string', enum: ['ok', 'error'] }, version: text, component: text }),
  Health: record({
    status: { type: 'string', enum: ['ok', 'degraded'] },
    version: text,
    component: text,
    connectivity: record({
      overall_healthy: yesNo,
      connectivity_checks: list(
        record({
          ...{
            service_group: text,
            component_id: text,
            is_healthy: yesNo,
            latency_ms: orNull({ type: 'number' }),
            since: time,
          },
          ...{ last_checked_at: time, error_message: orNull(text) },
        }),
      ),
      timestamp: time,
    }),
  }),
  Status: record({
    agent_id: text,
    version: text,
    ready: yesNo,
    slots: record({ total: textMap, occupied: textMap, available: textMap }),
    ports: record({ free: integer, used: integer }),
    kernels: { type: 'object', additionalProperties: integer },
    dependencies: list(
      record({
        ...{ group: text, component: text, healthy: yesNo, latency_ms: orNull({ type: 'number' }) },
        ...{ error: orNull(text), checked_at: time, since: time },
      }),
    ),
  }),
  Kernel: record({
    kernel_id: uuid,
    session_id: uuid,
    state: { type: 'string', enum: ['PREPARING', 'RUNNING', 'RESTARTING', 'TERMINATING', 'TERMINATED'] },
    image: text,
    container_id: orNull(text),
    slots: textMap,
    service_ports: list(servicePort),
    kernel_host: text,
    created_at: time,
    started_at: orNull(time),
    notice: orNull(text),
  }),
  CreatedKernel: record({
    kernel_id: uuid,
    session_id: uuid,
    created: yesNo,
    container_id: text,
    kernel_host: text,
    repl_in_port: integer,
    repl_out_port: integer,
    service_ports: list(servicePort),
    slots: textMap,
    allocation: anyMap,
    attached_devices: anyMap,
    mounts: list(record({ source: text, target: text, permission: text })),
    agent_addr: text,
    scaling_group: text,
    timings_ms: { type: 'object', additionalProperties: { type: 'number' } },
  }),
  DestroyedKernel: record({ kernel_id: uuid, reason: text }),
  Interrupted: record({ kernel_id: uuid }),
  Execution: record({
    run_id: text,
    status: {
      type: 'string',
      enum: ['continued', 'waiting-input', 'clean-finished', 'build-finished', 'finished', 'exec-timeout'],
    },
    exit_code: orNull(integer),
    options: orNull(anyMap),
    console: list({ type: 'array', description: '[kind, text], or [media, [mime type, payload]]', items: {} }),
  }),
  Completions: record({ completions: list(text) }),
  ServiceResult: anyMap,
  Usage: record({
    kernel_id: uuid,
    usage: orNull(
      record({
        ...{ cpu_ms: { type: 'number' }, mem_bytes: integer, mem_peak_bytes: integer, net_rx_bytes: integer },
        ...{ net_tx_bytes: integer, io_read_bytes: integer, io_write_bytes: integer },
      }),
    ),
  }),
  WatcherState: record({ 'agent-status': text, 'watcher-status': text }),
  ControlResult: { type: 'object', description: 'result: ok, or a message', additionalProperties: text },
  MountPoint: text,
  Problem: {
    ...record({ type: text, title: text, status: integer, detail: text, error: text, retryable: yesNo }),
    properties: {
      ...{ type: text, title: text, status: integer, detail: text, error: text, retryable: yesNo },
      ...{ field: text, allowed: text, hint: text, errors: list(record({ field: text, message: text })) },
    },
  },
};
