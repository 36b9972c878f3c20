import type { CreatedKernel, KernelView } from '../../../application/use-cases.js';
import { MANAGER_STATE } from '../../../domain/kernel/kernel-state.js';
import { toPublic } from '../../../domain/service-port/service-port.js';
import type { RunUsage } from '../../../domain/statistics/usage.js';

/** Kernels as they are told over RPC: plain texts and numbers only (rpc.md §3.6). */

/** rpc.md §6.5.6. */
export function creationResult(kernel: CreatedKernel): Record<string, unknown> {
  return {
    id: kernel.kernelId,
    container_id: kernel.containerId,
    kernel_host: kernel.kernelHost,
    ...portsOf(kernel),
    resource_spec: {
      slots: kernel.slots,
      allocations: kernel.allocation,
      scratch_disk_size: 0,
      mounts: kernel.mounts.map((mount) => ({ type: 'bind', ...mount, opts: null })),
      unified_devices: [],
    },
    attached_devices: Object.fromEntries(
      Object.entries(kernel.attachedDevices).map(([name, devices]) => [
        name,
        devices.map((device) => ({
          device_id: device.deviceId,
          model_name: device.modelName,
          data: { mem: device.memoryBytes, proc: device.processingUnits },
        })),
      ]),
    ),
    agent_addr: kernel.agentAddr,
    scaling_group: kernel.scalingGroup,
  };
}

/** rpc.md §6.7. */
export function restartResult(kernel: CreatedKernel): Record<string, unknown> {
  return { container_id: kernel.containerId, ...portsOf(kernel) };
}

function portsOf(kernel: CreatedKernel): Record<string, unknown> {
  return {
    repl_in_port: kernel.replInPort,
    repl_out_port: kernel.replOutPort,
    // Legacy terminal ports, never used again.
    stdin_port: 0,
    stdout_port: 0,
    service_ports: kernel.servicePorts.map(toPublic),
  };
}

/** `get_status` of one kernel: ours, the reference has none. */
export function kernelStatus(kernel: KernelView, usage: RunUsage | undefined): Record<string, unknown> {
  return {
    kernel_id: kernel.kernelId,
    session_id: kernel.sessionId,
    state: kernel.state,
    status: MANAGER_STATE[kernel.state],
    image: kernel.image,
    container_id: kernel.containerId,
    kernel_host: kernel.kernelHost,
    slots: kernel.slots,
    service_ports: kernel.servicePorts.map(toPublic),
    created_at: isoTime(kernel.createdAtMs),
    started_at: kernel.startedAtMs === null ? null : isoTime(kernel.startedAtMs),
    notice: kernel.notice,
    usage:
      usage === undefined
        ? null
        : {
            cpu_ms: usage.cpuMs,
            mem_bytes: usage.memBytes,
            mem_peak_bytes: usage.memPeakBytes,
            net_rx_bytes: usage.netRxBytes,
            net_tx_bytes: usage.netTxBytes,
            io_read_bytes: usage.ioReadBytes,
            io_write_bytes: usage.ioWriteBytes,
          },
  };
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
