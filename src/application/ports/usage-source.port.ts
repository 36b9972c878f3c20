/** Raw counters of one container at one instant. All cumulative but memory; bytes and milliseconds. */
export interface UsageReading {
  /** Monotonic time of the reading in milliseconds. */
  readonly atMs: number;
  readonly cpuMs: number;
  /** Working set: usage less inactive file cache. */
  readonly memBytes: number;
  readonly memPeakBytes: number;
  /** 0 = unlimited. */
  readonly memLimitBytes: number;
  readonly oomKills: number;
  readonly netRxBytes: number;
  readonly netTxBytes: number;
  readonly ioReadBytes: number;
  readonly ioWriteBytes: number;
  readonly pids: number;
}

/** Raw counters of one process of a container. */
export interface ProcessReading {
  /** As the host counts. */
  readonly pid: number;
  /** Tells a process from a later one of the same number. */
  readonly startTicks: number;
  /** Monotonic time of the reading in milliseconds. */
  readonly atMs: number;
  readonly cpuMs: number;
  readonly rssBytes: number;
  /** 0 without the right to read them. */
  readonly ioReadBytes: number;
  readonly ioWriteBytes: number;
}

/** Kept-open descriptors of one container. Dispose it when the container died: it may pin a network namespace. */
export interface ContainerUsage extends Disposable {
  /** Reads synchronously in microseconds; `undefined` once the container is gone. */
  read(): UsageReading | undefined;
  /** The processes, the 128 oldest of them at most; none once the container is gone. Reads a few files a process. */
  processes(): readonly ProcessReading[];
}

export interface NodeReading {
  readonly atMs: number;
  /** Per logical core: busy milliseconds since boot. */
  readonly cpuBusyMs: readonly number[];
  readonly memTotalBytes: number;
  readonly memUsedBytes: number;
  readonly netRxBytes: number;
  readonly netTxBytes: number;
  readonly diskTotalBytes: number;
  readonly diskUsedBytes: number;
  /** The disks that the two sums are of. */
  readonly disks: readonly { readonly device: string; readonly totalBytes: number; readonly usedBytes: number }[];
}

/** Where numbers come from: cgroup v1, v2 and hybrid files and /proc, never the container engine (stats.md §2, §9). */
export interface UsageSource {
  /** `pid` is the container's first process, `cgroupParent` as inspected. Throws if the cgroup can't be found. */
  open(container: { readonly id: string; readonly pid: number; readonly cgroupParent: string }): ContainerUsage;
  readNode(): NodeReading;
}

export const UsageSource = Symbol('UsageSource');
