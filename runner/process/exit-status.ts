import { constants } from 'node:os';

/** How a process ended; both null only for one that could not be started. */
export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The wire's convention: the code, or the negative signal number; −1 for a process that never ran (krunner.md §2.4). */
export function exitCodeOf({ code, signal }: ExitStatus): number {
  return signal === null ? (code ?? -1) : -constants.signals[signal];
}

/** One sentence on a language process that ended while code ran. */
export function deathSentence(what: string, { code, signal }: ExitStatus, outOfMemory: string | undefined): string {
  const how =
    outOfMemory ??
    (signal === null
      ? `it exited with code ${code ?? -1}`
      : `it was killed by signal ${constants.signals[signal]} (${signal})`);
  return `The ${what} process is gone: ${how}. Its variables are lost; the next run starts a new one.\n`;
}
