import type { AnnouncedEvent } from '../../application/ports/event-bus.port.js';
import type { AgentStatus, CreatedKernel, HealthReport, KernelView } from '../../application/use-cases.js';
import type { ExecutionResult } from '../../domain/execution/execution.js';
import { toPublic } from '../../domain/service-port/service-port.js';
import type { RunUsage } from '../../domain/statistics/usage.js';

/** The JSON documents of the API: what the use cases return, in snake case and with times as ISO 8601 text. */

const isoTime = (ms: number): string => new Date(ms).toISOString();

export function kernelView(kernel: KernelView): Record<string, unknown> {
  return {
    kernel_id: kernel.kernelId,
    session_id: kernel.sessionId,
    state: kernel.state,
    image: kernel.image,
    container_id: kernel.containerId,
    slots: kernel.slots,
    service_ports: kernel.servicePorts.map(toPublic),
    kernel_host: kernel.kernelHost,
    created_at: isoTime(kernel.createdAtMs),
    started_at: kernel.startedAtMs === null ? null : isoTime(kernel.startedAtMs),
    notice: kernel.notice,
  };
}

export function createdView(kernel: CreatedKernel): Record<string, unknown> {
  return {
    kernel_id: kernel.kernelId,
    session_id: kernel.sessionId,
    created: kernel.created,
    container_id: kernel.containerId,
    kernel_host: kernel.kernelHost,
    repl_in_port: kernel.replInPort,
    repl_out_port: kernel.replOutPort,
    service_ports: kernel.servicePorts.map(toPublic),
    slots: kernel.slots,
    allocation: kernel.allocation,
    attached_devices: kernel.attachedDevices,
    mounts: kernel.mounts,
    agent_addr: kernel.agentAddr,
    scaling_group: kernel.scalingGroup,
    timings_ms: kernel.timingsMs,
  };
}

export function executionView(result: ExecutionResult): Record<string, unknown> {
  return {
    run_id: result.runId,
    status: result.status,
    exit_code: result.exitCode,
    options: result.options,
    console: result.console,
  };
}

export function usageView(usage: RunUsage): Record<string, number> {
  return {
    cpu_ms: usage.cpuMs,
    mem_bytes: usage.memBytes,
    mem_peak_bytes: usage.memPeakBytes,
    net_rx_bytes: usage.netRxBytes,
    net_tx_bytes: usage.netTxBytes,
    io_read_bytes: usage.ioReadBytes,
    io_write_bytes: usage.ioWriteBytes,
  };
}

export function statusView(status: AgentStatus): Record<string, unknown> {
  return {
    agent_id: status.agentId,
    version: status.version,
    ready: status.ready,
    slots: status.slots,
    ports: status.ports,
    kernels: status.kernels,
    dependencies: status.dependencies.map((dependency) => ({
      group: dependency.group,
      component: dependency.component,
      healthy: dependency.healthy,
      latency_ms: dependency.latencyMs,
      error: dependency.error,
      checked_at: isoTime(dependency.checkedAtMs),
      since: isoTime(dependency.sinceMs),
    })),
  };
}

/** The document of state.md §9.2 (rpc.md §6.1), also the reply of RPC `health`. */
export function healthView(report: HealthReport): Record<string, unknown> {
  return {
    status: report.status,
    version: report.version,
    component: 'agent',
    connectivity: {
      overall_healthy: report.status === 'ok',
      connectivity_checks: report.dependencies.map((dependency) => ({
        service_group: dependency.group,
        component_id: dependency.component,
        is_healthy: dependency.healthy,
        last_checked_at: isoTime(dependency.checkedAtMs),
        error_message: dependency.error,
        // Beyond the reference's document; its readers ignore what they do not know.
        latency_ms: dependency.latencyMs,
        since: isoTime(dependency.sinceMs),
      })),
      timestamp: isoTime(report.timestampMs),
    },
  };
}

export function eventView(announced: AnnouncedEvent): Record<string, unknown> {
  return {
    id: announced.id,
    name: announced.event.name,
    source: announced.source,
    timestamp: isoTime(announced.timestampMs),
    body: announced.event.body,
  };
}
