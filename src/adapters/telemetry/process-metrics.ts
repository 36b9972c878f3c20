import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Telemetry } from '../../application/ports/telemetry.port.js';

const QUANTILES = [0.5, 0.99, 1] as const;
const NS_PER_S = 1e9;
/** Each look wakes the process up, also when nothing happens: four a second were half of what woke an idle agent. */
const LOOK_EVERY_MS = 2_000;
const LOOK_EVERY_NS = LOOK_EVERY_MS * 1e6;

/**
 * The agent's own process: event-loop delay and CPU usage since the last `refresh`, resident memory. Costs one timer;
 * `refresh` writes the values and starts the next interval.
 */
export function observeProcess(telemetry: Telemetry): Disposable & { refresh(): void } {
  const delay = monitorEventLoopDelay({ resolution: LOOK_EVERY_MS });
  delay.enable();
  let cpu = process.cpuUsage();
  let atNs = process.hrtime.bigint();
  return {
    refresh(): void {
      for (const quantile of QUANTILES) {
        // What is measured is the time between two looks. Right after a reset there are none, and the values mean nothing.
        const delayNs = delay.count === 0 ? 0 : Math.max(delay.percentile(quantile * 100) - LOOK_EVERY_NS, 0);
        telemetry.gauge('backendai_agent_event_loop_delay_seconds', delayNs / NS_PER_S, { quantile: String(quantile) });
      }
      delay.reset();
      const used = process.cpuUsage(cpu);
      const nowNs = process.hrtime.bigint();
      const elapsedUs = Number(nowNs - atNs) / 1_000;
      telemetry.gauge('backendai_cpu_usage_percent', elapsedUs > 0 ? ((used.user + used.system) / elapsedUs) * 100 : 0);
      telemetry.gauge('backendai_memory_used_rss', process.memoryUsage.rss());
      cpu = process.cpuUsage();
      atNs = nowNs;
    },
    [Symbol.dispose]: () => void delay.disable(),
  };
}
