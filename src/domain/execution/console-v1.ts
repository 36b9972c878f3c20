import type { ConsoleItem } from './execution.js';

/** The console as API version 1 wants it: four fields without an order between them (krunner.md §3.5). */
export interface ConsoleV1 {
  readonly stdout: string;
  readonly stderr: string;
  readonly media: readonly (readonly [mime: string, payload: string])[];
  readonly html: readonly string[];
}

/** Folds an ordered console into the four fields; `log` and `completion` have no place there and are left out. */
export function foldConsoleV1(console: readonly ConsoleItem[]): ConsoleV1 {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const media: (readonly [mime: string, payload: string])[] = [];
  const html: string[] = [];
  for (const item of console) {
    if (item[0] === 'stdout') stdout.push(item[1]);
    else if (item[0] === 'stderr') stderr.push(item[1]);
    else if (item[0] === 'media') media.push(item[1]);
    else if (item[0] === 'html') html.push(item[1]);
  }
  return { stdout: stdout.join(''), stderr: stderr.join(''), media, html };
}
