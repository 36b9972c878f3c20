import type { AgentError } from '../../domain/error/agent-error.js';
import { configurationInvalid } from '../../domain/error/errors.js';

/** Something wrong in the configuration; every problem is told, not only the first. */
export interface ConfigProblem {
  /** A file, `env NAME` or `option NAME`. */
  readonly where: string;
  /** Key path as it is spelled there. */
  readonly key: string;
  /** Already masked if secret. */
  readonly value?: string;
  readonly allowed?: string;
  readonly detail?: string;
  /** The nearest key that exists, if the key itself is in doubt. */
  readonly nearest?: string;
}

const MAX_SHOWN = 50;

export function describeProblem(problem: ConfigProblem): string {
  const value = problem.value === undefined ? '' : ` = ${problem.value}`;
  const parts = [
    problem.detail,
    problem.allowed === undefined ? undefined : `allowed: ${problem.allowed}`,
    problem.nearest === undefined ? undefined : `nearest known key: ${problem.nearest}`,
  ].filter((part) => part !== undefined);
  return `${problem.where}: ${problem.key}${value}: ${parts.join('; ')}`;
}

/** One error that lists all problems; its `field` and `allowed` are those of the first. */
export function configurationError(problems: readonly ConfigProblem[], warnings: readonly string[] = []): AgentError {
  const first = problems[0];
  const lines = problems.slice(0, MAX_SHOWN).map(describeProblem);
  if (problems.length > MAX_SHOWN) lines.push(`… and ${problems.length - MAX_SHOWN} more`);
  lines.push(...warnings.slice(0, MAX_SHOWN).map((warning) => `warning: ${warning}`));
  const head =
    problems.length === 1 ? 'invalid configuration: ' : `invalid configuration, ${problems.length} errors:\n  `;
  return configurationInvalid(head + lines.join('\n  '), {
    ...(first === undefined ? {} : { field: first.key }),
    ...(first?.allowed === undefined ? {} : { allowed: first.allowed }),
    hint: 'correct the values named above; "backend.ai ag config sample" prints every key with its meaning',
  });
}

/** A value as it is shown in a message: short, on one line, never a secret. */
export function showValue(value: unknown, secret: boolean): string {
  if (secret) return '***';
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) return String(value);
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}
