import { invalidArgument } from '../error/errors.js';
import {
  REPL_IN_PORT,
  REPL_OUT_PORT,
  SSHD_PORT,
  STDIN_PORT,
  STDOUT_PORT,
  TTYD_PORT,
} from '../krunner-wire/krunner-wire.js';
import type { ServiceProtocol } from './service-port.js';

/** Container ports that belong to the runner and its intrinsic services (lifecycle.md §1.16). */
export const RESERVED_PORTS: ReadonlySet<number> = new Set([
  REPL_IN_PORT,
  REPL_OUT_PORT,
  STDIN_PORT,
  STDOUT_PORT,
  SSHD_PORT,
  TTYD_PORT,
]);

export interface DeclaredService {
  readonly name: string;
  readonly protocol: ServiceProtocol;
  readonly containerPorts: readonly number[];
}

const ITEM = /^(?<name>[\w-]{1,128}):(?<protocol>[a-z]+):(?:(?<port>\d{1,5})|\[(?<ports>[\d,\s]+)\])$/i;
const PROTOCOLS: ReadonlySet<string> = new Set(['tcp', 'http', 'preopen', 'vnc', 'rdp'] satisfies ServiceProtocol[]);
const MAX_LABEL_LENGTH = 8192;
const MAX_PORTS = 256;
const ALLOWED = 'items such as jupyter:http:8081 or app:tcp:[9000,9001], separated by commas';

/**
 * Parses the label `ai.backend.service-ports` (lifecycle.md §1.16): `name:protocol:port` or `name:protocol:[port,port]`,
 * separated by commas. Of two services of one name the last counts, at the place of the first; `pty` ones are dropped.
 * Throws InvalidArgumentError naming the item at fault.
 */
export function parseServicePorts(label: string, field = 'image.labels.ai.backend.service-ports'): DeclaredService[] {
  if (label.length > MAX_LABEL_LENGTH) {
    throw invalidArgument(`${field}: longer than ${MAX_LABEL_LENGTH} characters`, { field, allowed: ALLOWED });
  }
  const services = new Map<string, DeclaredService>();
  const seen = new Set<number>();
  for (const item of splitItems(label)) {
    const service = parseItem(item, field);
    if (!service) continue;
    for (const port of service.containerPorts) checkPort(port, seen, item, field);
    services.set(service.name, service);
  }
  if (seen.size > MAX_PORTS)
    throw invalidArgument(`${field}: more than ${MAX_PORTS} ports`, { field, allowed: ALLOWED });
  return [...services.values()];
}

/** Splits at the commas outside brackets. */
function splitItems(label: string): string[] {
  return label
    .split(/,(?![^[\]]*\])/)
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function parseItem(item: string, field: string): DeclaredService | undefined {
  const groups = ITEM.exec(item)?.groups;
  const protocol = groups?.['protocol']?.toLowerCase() ?? '';
  if (!groups || (protocol !== 'pty' && !PROTOCOLS.has(protocol))) {
    throw invalidArgument(`${field}: '${item.slice(0, 64)}' is not a service`, { field, allowed: ALLOWED });
  }
  if (protocol === 'pty') return undefined;
  const ports = groups['port'] ?? groups['ports'] ?? '';
  const containerPorts = ports
    .split(',')
    .map((port) => port.trim())
    .filter((port) => port !== '')
    .map(Number);
  if (containerPorts.length === 0) {
    throw invalidArgument(`${field}: '${item.slice(0, 64)}' has no port`, { field, allowed: ALLOWED });
  }
  return { name: groups['name'] ?? '', protocol: protocol as ServiceProtocol, containerPorts };
}

function checkPort(port: number, seen: Set<number>, item: string, field: string): void {
  const where = `${field}: port ${port} of '${item.slice(0, 64)}'`;
  if (!Number.isInteger(port) || port < 1025 || port > 65_534) {
    throw invalidArgument(`${where} is out of range`, { field, allowed: '1025 to 65534' });
  }
  if (RESERVED_PORTS.has(port)) {
    throw invalidArgument(`${where} is reserved`, { field, allowed: `none of ${[...RESERVED_PORTS].join(', ')}` });
  }
  if (seen.has(port)) throw invalidArgument(`${where} is used twice`, { field, allowed: 'each port once' });
  seen.add(port);
}
