import { isAgentError, messageOf } from '../../domain/error/agent-error.js';
import type { FailureDetail } from './callosum/frames.js';

/** Names that are Python's own: they are told as Python shows them, all others as Backend.AI does (rpc.md §4.6). */
const PYTHON_BUILTINS = new Set([
  'KeyError',
  'NotImplementedError',
  'PermissionError',
  'RuntimeError',
  'TaskGroupError',
  'TimeoutError',
  'TypeError',
  'ValueError',
]);

/** An error that isn't in our catalogue: a fault of ours, whose text may say what callers shouldn't know. */
const INTERNAL = 'InternalError';

/** The name under which an error is told and counted. */
export function failureName(error: unknown): string {
  return isAgentError(error) ? error.name : INTERNAL;
}

/**
 * The three texts of a FAILURE. Of errors outside the catalogue only the fact is told; the log has the rest. The third
 * is one line for people: what was allowed, what to do next.
 */
export function failureOf(error: unknown): FailureDetail {
  if (!isAgentError(error)) {
    return [INTERNAL, `<${INTERNAL}(500): unexpected error in the agent>`, 'The agent log has the details.'];
  }
  const repr = PYTHON_BUILTINS.has(error.name)
    ? `${error.name}(${pythonRepr(error.message)})`
    : `<${error.name}(${error.status}): ${error.message}>`;
  const advice = [
    error.field === undefined ? '' : `field: ${error.field}`,
    error.allowed === undefined ? '' : `allowed: ${error.allowed}`,
    error.hint === undefined ? '' : `hint: ${error.hint}`,
  ].filter((part) => part !== '');
  return [error.name, repr, [messageOf(error), ...advice].join('; ')];
}

/** A text as Python's `repr` writes it: double quotes only when that saves escaping. */
export function pythonRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t');
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote;
}
