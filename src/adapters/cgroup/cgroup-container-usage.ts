import { performance } from 'node:perf_hooks';
import type { ContainerUsage, ProcessReading, UsageReading } from '../../application/ports/usage-source.port.js';
import type { Counters, MemoryCounters } from './cgroup-counters.js';
import type { ContainerNetwork } from './container-network.js';
import type { ContainerProcesses } from './container-processes.js';

/** The kept-open files of one container, put together to readings. */
export class CgroupContainerUsage implements ContainerUsage {
  readonly #counters: readonly Counters[];
  readonly #network: ContainerNetwork;
  readonly #processes: ContainerProcesses;
  #peakBytes = 0;
  #io = { read: 0, written: 0 };
  #gone = false;

  constructor(counters: readonly Counters[], network: ContainerNetwork, processes: ContainerProcesses) {
    this.#counters = counters;
    this.#network = network;
    this.#processes = processes;
  }

  read(): UsageReading | undefined {
    const reading = this.#gone ? undefined : this.#read();
    if (!reading) this[Symbol.dispose]();
    return reading;
  }

  processes(): readonly ProcessReading[] {
    return this.#gone ? [] : this.#processes.read();
  }

  /** `undefined` when CPU time or memory cannot be read: the kernel answers ENODEV for a group that was removed. */
  #read(): UsageReading | undefined {
    let cpuMs = 0;
    let memory: MemoryCounters | undefined;
    let io: { read: number; written: number } | undefined;
    let pids = 0;
    for (const counters of this.#counters) {
      if (counters.cpuMs) {
        const value = counters.cpuMs();
        if (value === undefined) return undefined;
        cpuMs = value;
      }
      if (counters.memory) {
        memory = counters.memory();
        if (memory === undefined) return undefined;
      }
      io ??= counters.io?.();
      pids = counters.pids?.() ?? pids;
    }
    io ??= this.#processes.readIo();
    // Counters only grow: a process that ended and waits for its parent would be missing for a moment.
    this.#io = { read: Math.max(this.#io.read, io.read), written: Math.max(this.#io.written, io.written) };
    this.#peakBytes = Math.max(this.#peakBytes, memory?.peakBytes ?? memory?.bytes ?? 0);
    const network = this.#network.read();
    return {
      atMs: performance.now(),
      cpuMs,
      memBytes: memory?.bytes ?? 0,
      memPeakBytes: this.#peakBytes,
      memLimitBytes: memory?.limitBytes ?? 0,
      oomKills: memory?.oomKills ?? 0,
      netRxBytes: network.rx,
      netTxBytes: network.tx,
      ioReadBytes: this.#io.read,
      ioWriteBytes: this.#io.written,
      pids,
    };
  }

  [Symbol.dispose](): void {
    this.#gone = true;
    for (const counters of this.#counters) counters[Symbol.dispose]();
    this.#network[Symbol.dispose]();
  }
}
