import type { RunUsage } from '../../../domain/statistics/usage.js';
import type { RunOutcome } from '../execution/run-outcome.js';
import { formatDuration } from '../terminal/progress.js';
import { formatBytes } from '../terminal/table.js';
import type { Terminal } from '../terminal/terminal.js';

const WORDS: Readonly<Record<RunOutcome['status'], string>> = {
  finished: 'finished',
  exception: 'failed',
  timeout: 'stopped at its time limit',
  interrupted: 'interrupted',
  oom: 'killed: out of memory',
  error: 'lost',
};

/** What a kernel used, in one line. */
export function formatUsage(usage: RunUsage): string {
  return [
    `CPU ${formatDuration(usage.cpuMs)}`,
    `memory ${formatBytes(usage.memBytes)} (peak ${formatBytes(usage.memPeakBytes)})`,
    `network in ${formatBytes(usage.netRxBytes)}, out ${formatBytes(usage.netTxBytes)}`,
    `disk read ${formatBytes(usage.ioReadBytes)}, written ${formatBytes(usage.ioWriteBytes)}`,
  ].join(' · ');
}

/** The last line of `ag run`. */
export function formatOutcome(
  terminal: Terminal,
  outcome: RunOutcome,
  usage: RunUsage | undefined,
  executeMs: number,
): string {
  const code = outcome.exitCode === null || outcome.exitCode === 0 ? '' : ` with exit code ${outcome.exitCode}`;
  const head = `${WORDS[outcome.status]}${code} after ${formatDuration(executeMs)}`;
  const line = terminal.colour(outcome.status === 'finished' ? 'green' : 'red', head);
  return usage === undefined ? line : `${line} · ${terminal.colour('dim', formatUsage(usage))}`;
}
