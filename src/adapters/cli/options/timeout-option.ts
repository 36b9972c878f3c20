import type { Command } from 'commander';
import { usageError } from '../exit-status.js';

export function addTimeoutOption(command: Command): Command {
  return command.option('--timeout <s>', 'seconds that the program may take');
}

/** `--timeout` in milliseconds; `null` = no limit. */
export function parseTimeout(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^\d{1,7}(?:\.\d{1,3})?$/.test(text) || Number(text) === 0)
    throw usageError('--timeout', `'${text.slice(0, 64)}' is not a time`, 'seconds above 0, such as 10 or 0.5');
  return Number(text) * 1000;
}
