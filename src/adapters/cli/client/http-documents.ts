import { z } from 'zod';
import type { AgentStatus, HealthReport, KernelView } from '../../../application/use-cases.js';
import type { ConsoleItem, ExecutionResult } from '../../../domain/execution/execution.js';
import { parseKernelId, parseSessionId } from '../../../domain/kernel/kernel-id.js';
import type { ServicePort } from '../../../domain/service-port/service-port.js';
import type { RunUsage } from '../../../domain/statistics/usage.js';
import type { SeenEvent, StartedKernel } from './agent-client.js';

/** The JSON documents of the HTTP application, read back into the words of the use cases. */

const words = z.record(z.string(), z.string());
const count = z.number().min(0);
const time = z.string().transform((text) => Date.parse(text));
const kernelId = z.string().transform((text) => parseKernelId(text));

const servicePort = z
  .object({
    name: z.string(),
    protocol: z.enum(['http', 'tcp', 'preopen', 'internal', 'vnc', 'rdp']),
    container_ports: z.array(z.number()),
    host_ports: z.array(z.number()),
    is_inference: z.boolean(),
  })
  .transform((port): ServicePort => ({
    name: port.name,
    protocol: port.protocol,
    containerPorts: port.container_ports,
    hostPorts: port.host_ports,
    isInference: port.is_inference,
  }));

export const startedKernel = z
  .object({
    kernel_id: kernelId,
    container_id: z.string(),
    kernel_host: z.string(),
    service_ports: z.array(servicePort),
    slots: words,
    timings_ms: z.record(z.string(), z.number()),
  })
  .transform((kernel): StartedKernel => ({
    kernelId: kernel.kernel_id,
    containerId: kernel.container_id,
    kernelHost: kernel.kernel_host,
    servicePorts: kernel.service_ports,
    slots: kernel.slots,
    timingsMs: kernel.timings_ms,
  }));

const kernelView = z
  .object({
    kernel_id: kernelId,
    session_id: z.string().transform((text) => parseSessionId(text)),
    state: z.enum(['PREPARING', 'RUNNING', 'RESTARTING', 'TERMINATING', 'TERMINATED']),
    image: z.string(),
    container_id: z.string().nullable(),
    slots: words,
    service_ports: z.array(servicePort),
    kernel_host: z.string(),
    created_at: time,
    started_at: time.nullable(),
    notice: z.string().nullable(),
  })
  .transform((kernel): KernelView => ({
    kernelId: kernel.kernel_id,
    sessionId: kernel.session_id,
    state: kernel.state,
    image: kernel.image,
    containerId: kernel.container_id,
    slots: kernel.slots,
    servicePorts: kernel.service_ports,
    kernelHost: kernel.kernel_host,
    createdAtMs: kernel.created_at,
    startedAtMs: kernel.started_at,
    notice: kernel.notice,
  }));

export const kernelViews = z.array(kernelView);

const consoleItem: z.ZodType<ConsoleItem> = z.union([
  z.tuple([z.enum(['stdout', 'stderr', 'html', 'log', 'completion']), z.string()]),
  z.tuple([z.literal('media'), z.tuple([z.string(), z.string()])]),
]);

export const executionResult = z
  .object({
    run_id: z.string(),
    status: z.enum(['continued', 'waiting-input', 'clean-finished', 'build-finished', 'finished', 'exec-timeout']),
    exit_code: z.number().nullable(),
    options: z.record(z.string(), z.unknown()).nullable(),
    console: z.array(consoleItem),
  })
  .transform((result): ExecutionResult => ({
    runId: result.run_id,
    status: result.status,
    exitCode: result.exit_code,
    options: result.options,
    console: result.console,
  }));

const usage = z
  .object({
    cpu_ms: count,
    mem_bytes: count,
    mem_peak_bytes: count,
    net_rx_bytes: count,
    net_tx_bytes: count,
    io_read_bytes: count,
    io_write_bytes: count,
  })
  .transform((raw): RunUsage => ({
    cpuMs: raw.cpu_ms,
    memBytes: raw.mem_bytes,
    memPeakBytes: raw.mem_peak_bytes,
    netRxBytes: raw.net_rx_bytes,
    netTxBytes: raw.net_tx_bytes,
    ioReadBytes: raw.io_read_bytes,
    ioWriteBytes: raw.io_write_bytes,
  }));

export const usageAnswer = z.object({ usage: usage.nullable() });

const slots = z.object({ total: words, occupied: words, available: words });

export const agentStatus = z
  .object({
    agent_id: z.string(),
    version: z.string(),
    ready: z.boolean(),
    slots,
    ports: z.object({ free: count, used: count }),
    kernels: z.object({ PREPARING: count, RUNNING: count, RESTARTING: count, TERMINATING: count, TERMINATED: count }),
    dependencies: z.array(
      z.object({
        group: z.string(),
        component: z.string(),
        healthy: z.boolean(),
        latency_ms: z.number().nullable(),
        error: z.string().nullable(),
        checked_at: time,
        since: time,
      }),
    ),
  })
  .transform((status): AgentStatus => ({
    agentId: status.agent_id,
    version: status.version,
    ready: status.ready,
    slots: status.slots,
    ports: status.ports,
    kernels: status.kernels,
    dependencies: status.dependencies.map((dependency) => ({
      group: dependency.group,
      component: dependency.component,
      healthy: dependency.healthy,
      latencyMs: dependency.latency_ms,
      error: dependency.error,
      checkedAtMs: dependency.checked_at,
      sinceMs: dependency.since,
    })),
  }));

export const healthReport = z
  .object({
    status: z.enum(['ok', 'degraded']),
    version: z.string(),
    connectivity: z.object({
      timestamp: time,
      connectivity_checks: z.array(
        z.object({
          service_group: z.string(),
          component_id: z.string(),
          is_healthy: z.boolean(),
          last_checked_at: time,
          error_message: z.string().nullable(),
          latency_ms: z.number().nullable(),
          since: time,
        }),
      ),
    }),
  })
  .transform(({ status, version, connectivity }): HealthReport => ({
    ...{ status, version, timestampMs: connectivity.timestamp },
    dependencies: connectivity.connectivity_checks.map((check) => ({
      group: check.service_group,
      component: check.component_id,
      healthy: check.is_healthy,
      latencyMs: check.latency_ms,
      error: check.error_message,
      checkedAtMs: check.last_checked_at,
      sinceMs: check.since,
    })),
  }));

export const eventDocument = z
  .object({ id: z.number(), name: z.string(), timestamp: time, body: z.record(z.string(), z.unknown()) })
  .transform((event): SeenEvent => ({
    id: event.id,
    name: event.name,
    timestampMs: event.timestamp,
    body: event.body,
  }));
