import { type Figure, isKept } from './figure.js';
import type { Machine } from './machine.js';

export interface BenchReport {
  readonly bench: string;
  /** One-minute load average when it began. */
  readonly load: number;
  readonly figures: readonly Figure[];
  /** Why there are no figures. */
  readonly error?: string;
}

export function reportText(machine: Machine, reports: readonly BenchReport[]): string {
  const lines = [
    `${machine.cores} × ${machine.processor}, ${machine.system}, Linux ${machine.kernel}, Docker ${machine.docker} (cgroup v${machine.cgroup}), Node ${machine.node}`,
  ];
  for (const { bench, load, figures, error } of reports) {
    lines.push('', `${bench} (load ${load.toFixed(2)})`);
    if (error !== undefined) lines.push(`  FAILED ${error}`);
    for (const figure of figures) lines.push(lineOf(figure));
  }
  return lines.join('\n');
}

function lineOf(figure: Figure): string {
  const { name, promise, detail } = figure;
  const value = amount(figure.value, figure.unit);
  const limit = promise && ('atMost' in promise ? `≤ ${promise.atMost}` : `≥ ${promise.atLeast}`);
  const verdict = limit === undefined ? '' : `${isKept(figure) ? 'kept  ' : 'MISSED'} ${limit}`;
  return `  ${name.padEnd(52)} ${value.padStart(12)}  ${verdict.padEnd(14)} ${detail ?? ''}`.trimEnd();
}

function amount(value: number, unit: string): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${unit}`;
}
