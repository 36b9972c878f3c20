export type ServiceProtocol = 'http' | 'tcp' | 'preopen' | 'internal' | 'vnc' | 'rdp';

/** A named service of a kernel (lifecycle.md §1.16); `hostPorts` has one entry per container port once published. */
export interface ServicePort {
  readonly name: string;
  readonly protocol: ServiceProtocol;
  readonly containerPorts: readonly number[];
  readonly hostPorts: readonly number[];
  readonly isInference: boolean;
}

/** The same as it is told to a Manager (state.md §2.6). */
export interface PublicServicePort {
  readonly name: string;
  readonly protocol: ServiceProtocol;
  readonly container_ports: readonly number[];
  readonly host_ports: readonly number[];
  readonly is_inference: boolean;
}

export function toPublic(port: ServicePort): PublicServicePort {
  return {
    name: port.name,
    protocol: port.protocol,
    container_ports: port.containerPorts,
    host_ports: port.hostPorts,
    is_inference: port.isInference,
  };
}
