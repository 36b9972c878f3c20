import type { ConsoleItem } from './execution.js';

/** Reading of the payloads that a runner sends with its records (krunner.md §2.4, §2.5). Nothing here throws. */

const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;
const MAX_EXIT_CODE = 2 ** 31;

/**
 * A `media` payload is JSON with `type` and `data`; the official runner sends a bare document for HTML results, so
 * anything else is taken as HTML (krunner.md W2).
 */
export function parseMedia(payload: string): ConsoleItem {
  const media = parseObject(payload);
  const type = media?.['type'];
  const data = media?.['data'];
  if (typeof type !== 'string' || data === undefined) return ['html', payload];
  return ['media', [wellFormed(type), wellFormed(typeof data === 'string' ? data : JSON.stringify(data))]];
}

/** The exit code of a finish payload; `null` if it has none, as with `{}`. */
export function parseExitCode(payload: string): number | null {
  const code = parseObject(payload)?.['exitCode'];
  return typeof code === 'number' && Number.isInteger(code) && Math.abs(code) <= MAX_EXIT_CODE ? code : null;
}

/** Which run a finish payload ends, if the runner says so; only ours does. */
export function parseRunName(payload: string): string | undefined {
  const name = parseObject(payload)?.['runId'];
  return typeof name === 'string' ? name : undefined;
}

/** The options of `waiting-input`: empty in batch mode. */
export function parseInputOptions(payload: string): Readonly<Record<string, unknown>> {
  const isPassword = parseObject(payload)?.['is_password'];
  return typeof isPassword === 'boolean' ? { is_password: isPassword } : {};
}

function parseObject(payload: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(payload);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

/** JSON escapes can spell half characters, which no UTF-8 encoder downstream accepts. */
function wellFormed(text: string): string {
  return text.replace(LONE_SURROGATE, '\uFFFD');
}
