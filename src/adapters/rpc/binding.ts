import { isMap } from './dialect/wire-values.js';
import { pythonRepr } from './failure.js';
import { malformed, missingKey, wrongCall } from './wire-errors.js';

/** A method's parameters in order, as its Python signature would list them. */
export interface Signature {
  readonly method: string;
  readonly required: readonly string[];
  readonly optional: readonly string[];
  /** Older names of parameters, for those who send them by name. */
  readonly aliases?: Readonly<Record<string, string>>;
}

/** The decoded FUNCTION body (rpc.md §4.1). */
export interface Envelope {
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** Untrusted; for logs only. */
  readonly metadata: unknown;
}

/**
 * Nil means a call without arguments; keys besides the three are ignored.
 *
 * @throws KeyError, TypeError as the reference answers (rpc.md §4.1).
 */
export function readEnvelope(document: unknown): Envelope {
  if (document === null) return { args: [], kwargs: {}, metadata: null };
  if (!isMap(document)) throw wrongCall('the body of a call must be a map with args and kwargs');
  const { args, kwargs, metadata } = document;
  if (args === undefined) throw missingKey('args');
  if (kwargs === undefined) throw missingKey('kwargs');
  if (!Array.isArray(args)) throw malformed("'args' must be an array", { field: 'args' });
  if (!isMap(kwargs)) throw malformed("'kwargs' must be a map", { field: 'kwargs' });
  return { args, kwargs, metadata };
}

/**
 * Python's call semantics: positional first, then by name (rpc.md §4.2). Unknown names are ignored, so that a newer
 * Manager may send more than we know.
 *
 * @throws TypeError with Python's words for too many, missing and doubled arguments.
 */
export function bindArguments(signature: Signature, envelope: Envelope): Readonly<Record<string, unknown>> {
  const { method, required, optional, aliases = {} } = signature;
  const names = [...required, ...optional];
  const { args } = envelope;
  const kwargs = withNewNames(envelope.kwargs, aliases);
  if (args.length > names.length) throw wrongCall(tooMany(signature, args.length));

  const bound: Record<string, unknown> = {};
  const missing: string[] = [];
  names.forEach((name, index) => {
    const isNamed = Object.hasOwn(kwargs, name);
    if (isNamed && index < args.length) throw wrongCall(`${method}() got multiple values for argument '${name}'`);
    if (index < args.length) bound[name] = args[index];
    else if (isNamed) bound[name] = kwargs[name];
    else if (index < required.length) missing.push(name);
  });
  if (missing.length > 0) {
    const plural = missing.length === 1 ? '' : 's';
    throw wrongCall(`${method}() missing ${missing.length} required positional argument${plural}: ${listed(missing)}`);
  }
  return bound;
}

function withNewNames(kwargs: Envelope['kwargs'], aliases: Readonly<Record<string, string>>): Envelope['kwargs'] {
  const old = Object.entries(aliases).filter(
    ([name, newer]) => Object.hasOwn(kwargs, name) && !Object.hasOwn(kwargs, newer),
  );
  if (old.length === 0) return kwargs;
  return { ...kwargs, ...Object.fromEntries(old.map(([name, newer]) => [newer, kwargs[name]])) };
}

function tooMany({ method, required, optional }: Signature, given: number): string {
  const most = required.length + optional.length;
  const takes = optional.length === 0 ? String(most) : `from ${required.length} to ${most}`;
  const plural = most === 1 && optional.length === 0 ? '' : 's';
  return `${method}() takes ${takes} positional argument${plural} but ${given} ${given === 1 ? 'was' : 'were'} given`;
}

/** `'a'`, `'a' and 'b'`, `'a', 'b', and 'c'`. */
function listed(names: readonly string[]): string {
  const quoted = names.map(pythonRepr);
  if (quoted.length < 3) return quoted.join(' and ');
  return `${quoted.slice(0, -1).join(', ')}, and ${quoted.at(-1) ?? ''}`;
}
