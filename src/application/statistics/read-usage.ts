import type { RunUsage } from '../../domain/statistics/usage.js';
import type { LiveKernel } from '../kernel/live-kernel.js';
import type { UsageReading } from '../ports/usage-source.port.js';

/** Reads a kernel's counters now, and remembers them with the kernel. `undefined` once the container is gone. */
export function readUsage(live: LiveKernel): UsageReading | undefined {
  const reading = live.usage?.read();
  if (!reading) return undefined;
  live.lastReading = reading;
  live.lastUsage = toRunUsage(reading);
  if (reading.oomKills > live.oomKills) live.kernel.notice = 'oom';
  // Less than before: a restart gave the kernel a new container.
  live.oomKills = reading.oomKills;
  return reading;
}

function toRunUsage(reading: UsageReading): RunUsage {
  return {
    cpuMs: Math.round(reading.cpuMs),
    memBytes: reading.memBytes,
    memPeakBytes: reading.memPeakBytes,
    netRxBytes: reading.netRxBytes,
    netTxBytes: reading.netTxBytes,
    ioReadBytes: reading.ioReadBytes,
    ioWriteBytes: reading.ioWriteBytes,
  };
}
