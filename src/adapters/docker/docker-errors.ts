import { isAgentError, messageOf, type AgentError } from '../../domain/error/agent-error.js';
import {
  engineConflict,
  engineError,
  engineUnavailable,
  imageArchitectureMismatch,
  imageNotAvailable,
  storageFailure,
} from '../../domain/error/errors.js';

/** An HTTP answer of the engine that is not a success, before it is given a meaning. */
export class EngineRefusal extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
  ) {
    super(`HTTP ${status}: ${reason}`);
    this.name = 'EngineRefusal';
  }
}

/** "There is no such thing" as an answer, not a failure. */
export async function orMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof EngineRefusal && error.status === 404) return undefined;
    throw error;
  }
}

/**
 * The one place that knows what the engine's statuses and texts mean. Rules are tried from top to bottom: texts first,
 * because Docker sends a full disk, a busy port and a broken command all as 500.
 */
const rulesByText: readonly { readonly text: RegExp; readonly make: (message: string) => AgentError }[] = [
  {
    text: /no space left on device|disk quota exceeded|not enough (free )?space|enospc/i,
    make: (message) =>
      storageFailure(message, {
        hint: 'Free space below the engine\'s root directory, e.g. with "docker system prune".',
      }),
  },
  {
    text: /no matching manifest for|does not match the (specified|detected|host) platform|exec format error|no match for platform/i,
    make: (message) =>
      imageArchitectureMismatch(message, { hint: 'Use an image that is built for the architecture of this node.' }),
  },
  {
    text: /unauthorized|authentication required|requested access to the resource is denied|pull access denied|no basic auth credentials|incorrect username or password/i,
    make: (message) =>
      imageNotAvailable(message, {
        hint: 'Check the name of the image; if it is private, give registry credentials or run "docker login".',
      }),
  },
  {
    text: /no such image|does not exist locally|reference does not exist|manifest unknown|manifest for .* not found|repository .* not found|name unknown|repository name not known|invalid reference format/i,
    make: (message) => imageNotAvailable(message, { hint: 'Check the name and the tag of the image.' }),
  },
  {
    text: /dial tcp|no such host|tls handshake|proxyconnect|server gave http response|registry.*timeout|request canceled while waiting|get "https?:/i,
    make: (message) =>
      engineError(message, { retryable: true, hint: 'Check that the engine can reach the registry of the image.' }),
  },
  {
    text: /port is already allocated|address already in use|failed to bind host port|ports are not available/i,
    make: (message) => engineConflict(message, { hint: 'Another program or container listens on that host port.' }),
  },
  {
    text: /has active endpoints|is already in use by container|already exists/i,
    make: (message) => engineConflict(message),
  },
  {
    text: /oci runtime|failed to create (shim|task)|invalid mount config|error gathering device information|could not select device driver|error mounting|bind source path does not exist|range of cpus is from|requested cpus are not available|minimum memory limit/i,
    make: (message) => engineError(message),
  },
];

/** Gives a refusal its meaning; `operation` is what was asked for, in words. */
export function errorOfRefusal(operation: string, refusal: EngineRefusal): AgentError {
  const message = `The container engine refused to ${operation}: ${refusal.reason} (HTTP ${refusal.status})`;
  const known = errorOfText(message, refusal.reason);
  if (known) return known;
  if (refusal.status === 409) return engineConflict(message);
  if (refusal.status >= 500) {
    return engineUnavailable(message, { hint: 'See the log of the container engine ("journalctl -u docker").' });
  }
  return engineError(message);
}

/** Gives an `error` item of a progress stream its meaning: there is no status there, only a text. */
export function errorOfProgress(operation: string, reason: string): AgentError {
  const message = `The container engine could not ${operation}: ${reason}`;
  return errorOfText(message, reason) ?? engineError(message);
}

/** Gives whatever broke below HTTP a meaning: socket gone, connection cut, an answer that makes no sense. */
export function errorOfTransport(operation: string, error: unknown): AgentError {
  if (isAgentError(error)) return error;
  if (error instanceof EngineRefusal) return errorOfRefusal(operation, error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return engineUnavailable(`The container engine could not be asked to ${operation}: ${messageOf(error)}`, {
    hint: hintOfCode[code] ?? 'Check that the container engine is running ("docker info").',
    cause: error,
  });
}

const hintOfCode: Readonly<Record<string, string>> = {
  EACCES: 'This user may not use the engine\'s socket: add it to the group "docker", or run as root.',
  ENOENT: 'The engine\'s socket is not there: start the engine ("systemctl start docker").',
  ECONNREFUSED: 'Nothing listens on the engine\'s socket: start the engine ("systemctl start docker").',
};

function errorOfText(message: string, reason: string): AgentError | undefined {
  return rulesByText.find(({ text }) => text.test(reason))?.make(message);
}
