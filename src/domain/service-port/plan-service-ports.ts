import { invalidArgument, portConflict, reservedPort } from '../error/errors.js';
import { REPL_IN_PORT, REPL_OUT_PORT, SSHD_PORT, TTYD_PORT } from '../krunner-wire/krunner-wire.js';
import type { ServicePort, ServiceProtocol } from './service-port.js';
import { parseServicePorts, RESERVED_PORTS } from './service-port-grammar.js';

/** A service that needs nothing of the image (lifecycle.md §1.16). */
export type IntrinsicService = 'sshd' | 'ttyd';

export interface ServicePortRequest {
  readonly clusterRole: string;
  readonly preopenPorts: readonly number[];
  /** Label `ai.backend.service-ports` of the image. */
  readonly servicePortsLabel: string;
  /** Service names of label `ai.backend.endpoint-ports`. */
  readonly endpointNames: readonly string[];
  /** Host ports that the caller chose itself. */
  readonly allocatedHostPorts: readonly number[];
  /** What the runner itself provides. */
  readonly intrinsic: readonly IntrinsicService[];
}

export interface PlannedBinding {
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIp: string;
}

const INTRINSIC = [
  { name: 'sshd', protocol: 'tcp', port: SSHD_PORT },
  { name: 'ttyd', protocol: 'http', port: TTYD_PORT },
] as const;

const LOOPBACK = '127.0.0.1';

/**
 * The services of a kernel in order (lifecycle.md §1.16), not yet with host ports: intrinsic ones, then for the main kernel
 * preopen ports, those of the image and those of allocated host ports. Throws ReservedPortError, PortConflictError, or
 * InvalidArgumentError for a bad label.
 */
export function planServicePorts(request: ServicePortRequest): ServicePort[] {
  const services = INTRINSIC.filter(({ name }) => request.intrinsic.includes(name)).map(({ name, protocol, port }) =>
    service(name, protocol, [port]),
  );
  if (request.clusterRole !== 'main' && request.clusterRole !== 'master') return services;
  const taken = new Set<number>([SSHD_PORT, TTYD_PORT]);
  request.preopenPorts.forEach((port, index) => {
    const field = `preopen_ports[${index}]`;
    checkRange(port, field);
    if (RESERVED_PORTS.has(port) && !taken.has(port)) {
      throw reservedPort(`${field}: port ${port} is reserved for the kernel runner`, {
        field,
        allowed: `none of ${[...RESERVED_PORTS].join(', ')}`,
      });
    }
    claim(port, field, taken);
    services.push(service(String(port), 'preopen', [port]));
  });
  for (const declared of parseServicePorts(request.servicePortsLabel)) {
    // The reference lets a preopen port and a service share a port, and then fails to publish it.
    for (const port of declared.containerPorts) claim(port, `service '${declared.name}' of the image`, taken);
    services.push({ ...declared, hostPorts: [], isInference: request.endpointNames.includes(declared.name) });
  }
  request.allocatedHostPorts.forEach((port, index) => {
    const field = `allocated_host_ports[${index}]`;
    checkRange(port, field);
    if (port === REPL_IN_PORT || port === REPL_OUT_PORT) {
      throw reservedPort(`${field}: port ${port} is reserved for the kernel runner`, { field });
    }
    claim(port, field, taken);
    services.push({ ...service(`hostport${index + 1}`, 'internal', [port]), hostPorts: [port] });
  });
  return services;
}

/** How many ports of the pool the services need; the runner's own two are not among them. */
export function countNeededPorts(services: readonly ServicePort[]): number {
  return services.reduce((count, { containerPorts, hostPorts }) => count + containerPorts.length - hostPorts.length, 0);
}

/**
 * Gives each container port a host port of its own, in order; services that have theirs keep them. `hostPorts` has
 * `countNeededPorts` entries. (The reference has one a service, so that services with several ports fail.)
 */
export function assignHostPorts(services: readonly ServicePort[], hostPorts: readonly number[]): ServicePort[] {
  if (hostPorts.length !== countNeededPorts(services)) {
    throw new RangeError(`${countNeededPorts(services)} host ports needed, ${hostPorts.length} given`);
  }
  let next = 0;
  return services.map((entry) => {
    if (entry.hostPorts.length === entry.containerPorts.length) return entry;
    const assigned = hostPorts.slice(next, next + entry.containerPorts.length);
    next += assigned.length;
    return { ...entry, hostPorts: assigned };
  });
}

/**
 * What to publish (lifecycle.md §1.20): services on `bindHost`, the runner's two sockets and the services named in
 * `loopbackOnly` on loopback.
 */
export function planBindings(
  services: readonly ServicePort[],
  repl: { readonly inPort: number; readonly outPort: number },
  bindHost: string,
  loopbackOnly: readonly string[] = [],
): PlannedBinding[] {
  return [
    { containerPort: REPL_IN_PORT, hostPort: repl.inPort, hostIp: LOOPBACK },
    { containerPort: REPL_OUT_PORT, hostPort: repl.outPort, hostIp: LOOPBACK },
    ...services.flatMap(({ name, containerPorts, hostPorts }) =>
      containerPorts.flatMap((containerPort, index) => {
        const hostPort = hostPorts[index];
        const hostIp = loopbackOnly.includes(name) ? LOOPBACK : bindHost;
        return hostPort === undefined ? [] : [{ containerPort, hostPort, hostIp }];
      }),
    ),
  ];
}

/** The services that others may know of: all but `internal` ones. */
export function publicServices(services: readonly ServicePort[]): ServicePort[] {
  return services.filter(({ protocol }) => protocol !== 'internal');
}

function service(name: string, protocol: ServiceProtocol, containerPorts: readonly number[]): ServicePort {
  return { name, protocol, containerPorts, hostPorts: [], isInference: false };
}

function checkRange(port: number, field: string): void {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw invalidArgument(`${field}: ${port} is not a port`, { field, allowed: '1 to 65535' });
  }
}

function claim(port: number, field: string, taken: Set<number>): void {
  if (taken.has(port)) {
    throw portConflict(`${field}: port ${port} is used by another service of this kernel`, {
      field,
      allowed: 'each container port once',
    });
  }
  taken.add(port);
}
