import type { AgentStatus, HealthReport, KernelView } from '../../application/use-cases.js';
import { toPublic } from '../../domain/service-port/service-port.js';
import type { RunUsage } from '../../domain/statistics/usage.js';
import type { SeenEvent, StartedKernel } from './client/agent-client.js';
import { resultOf, type RunOutcome } from './execution/run-outcome.js';

/** The JSON documents of the command line: stable, in snake case. */

export function kernelDocument(kernel: KernelView): Record<string, unknown> {
  return {
    kernel_id: kernel.kernelId,
    session_id: kernel.sessionId,
    state: kernel.state,
    image: kernel.image,
    container_id: kernel.containerId,
    slots: kernel.slots,
    service_ports: kernel.servicePorts.map(toPublic),
    started_at: kernel.startedAtMs === null ? null : new Date(kernel.startedAtMs).toISOString(),
  };
}

export function createdDocument(kernel: StartedKernel): Record<string, unknown> {
  return {
    kernel_id: kernel.kernelId,
    container_id: kernel.containerId,
    kernel_host: kernel.kernelHost,
    service_ports: kernel.servicePorts.map(toPublic),
    timings_ms: kernel.timingsMs,
  };
}

export function statusDocument(status: AgentStatus): Record<string, unknown> {
  return {
    agent_id: status.agentId,
    version: status.version,
    ready: status.ready,
    slots: status.slots,
    ports: status.ports,
    kernels: status.kernels,
    dependencies: status.dependencies.map(({ group, component, healthy, latencyMs, error }) => ({
      ...{ group, component, healthy, latency_ms: latencyMs, error },
    })),
  };
}

export function healthDocument(report: HealthReport): Record<string, unknown> {
  return {
    status: report.status,
    version: report.version,
    timestamp: new Date(report.timestampMs).toISOString(),
    dependencies: report.dependencies.map(({ group, component, healthy, latencyMs, error, checkedAtMs, sinceMs }) => ({
      ...{ group, component, healthy, latency_ms: latencyMs, error },
      since: new Date(sinceMs).toISOString(),
      checked_at: new Date(checkedAtMs).toISOString(),
    })),
  };
}

export interface RunReport {
  readonly kernelId: string;
  readonly image: string;
  readonly outcome: RunOutcome;
  readonly usage: RunUsage | undefined;
  /** Stage → milliseconds. */
  readonly timingsMs: Readonly<Record<string, number>>;
}

export function runDocument({ kernelId, image, outcome, usage, timingsMs }: RunReport): Record<string, unknown> {
  return {
    kernel_id: kernelId,
    image,
    status: outcome.status,
    exit_code: outcome.exitCode,
    console: outcome.console,
    result: resultOf(outcome),
    usage: usage === undefined ? null : usageDocument(usage),
    timings_ms: Object.fromEntries(Object.entries(timingsMs).map(([stage, ms]) => [stage, Math.round(ms * 10) / 10])),
  };
}

function usageDocument(usage: RunUsage): Record<string, number> {
  return {
    cpu_ms: Math.round(usage.cpuMs),
    mem_peak_bytes: usage.memPeakBytes,
    net_rx_bytes: usage.netRxBytes,
    net_tx_bytes: usage.netTxBytes,
    io_read_bytes: usage.ioReadBytes,
    io_write_bytes: usage.ioWriteBytes,
  };
}

export function eventDocument(event: SeenEvent): Record<string, unknown> {
  return { id: event.id, name: event.name, timestamp: new Date(event.timestampMs).toISOString(), body: event.body };
}
