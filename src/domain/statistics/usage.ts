/** What a kernel used since it started (`usage` of `ag run --json`). */
export interface RunUsage {
  readonly cpuMs: number;
  readonly memBytes: number;
  readonly memPeakBytes: number;
  readonly netRxBytes: number;
  readonly netTxBytes: number;
  readonly ioReadBytes: number;
  readonly ioWriteBytes: number;
}
