import { invalidArgument } from '../error/errors.js';
import type { KernelSpec } from '../kernel/kernel-spec.js';
import type { ScratchFile } from '../scratch/scratch-layout.js';

/** Where a kernel's container is attached: the engine's default, a network that exists already, or the host's own. */
export type ClusterNetwork =
  { readonly kind: 'default' } | { readonly kind: 'named'; readonly name: string } | { readonly kind: 'host' };

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;
/** Those that an engine has by itself. */
const PREDEFINED = ['bridge', 'host', 'none', 'default', 'docker_gwbridge', 'ingress'];
const FIELD = 'cluster_info.network_config';
const IPV4 = /^\d{1,3}(\.\d{1,3}){3}$/;
const IPV6 = /^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/;
const HOSTNAME = /^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,252}[a-zA-Z0-9])?$/;

/** Throws InvalidArgumentError for what is no name for a cluster's network. */
export function checkNetworkName(name: string, field = 'network_name'): string {
  if (NAME.test(name) && !PREDEFINED.includes(name)) return name;
  throw invalidArgument(`'${name.slice(0, 128)}' is not a name for a network`, {
    field,
    allowed: `letters, digits, ".", "_" and "-", at most 128, and none of ${PREDEFINED.join(', ')}`,
  });
}

/**
 * Reads the Manager's network set-up (lifecycle.md §1.9, §9.1). A persistent network is told as a bridge whatever it is,
 * so all but the host's are attached by name. Throws InvalidArgumentError.
 */
export function clusterNetwork(config: Readonly<Record<string, unknown>>): ClusterNetwork {
  const { mode, network_name: name } = config;
  if (mode === undefined || mode === null || mode === '') return { kind: 'default' };
  if (mode === 'host') return { kind: 'host' };
  if (mode === 'bridge' || mode === 'overlay') {
    return { kind: 'named', name: checkNetworkName(typeof name === 'string' ? name : '', `${FIELD}.network_name`) };
  }
  throw invalidArgument(`${FIELD}.mode: this agent has no network of mode ${JSON.stringify(mode).slice(0, 64)}`, {
    field: `${FIELD}.mode`,
    allowed: 'bridge, overlay, host, or none',
    hint: 'set the default network driver of the resource group to one of these',
  });
}

/**
 * The host port for SSH that the Manager had assigned to this kernel, if any: found under its host name, or under the
 * name that Managers really use (rpc.md §7.2.28).
 */
export function assignedSshPort({ cluster, clusterHostname, kernelId }: KernelSpec): number | undefined {
  const mapping = cluster.sshPortMapping ?? {};
  const [, port] = mapping[clusterHostname] ?? mapping[`node-${kernelId}`] ?? [];
  return port;
}

/** `name:address` of the cluster's other members, which no DNS knows on the host's own network. */
export function clusterHosts({ cluster }: KernelSpec): readonly string[] {
  return Object.entries(cluster.sshPortMapping ?? {}).flatMap(([name, [address]]) =>
    HOSTNAME.test(name) && (IPV4.test(address) || IPV6.test(address)) ? [`${name}:${address}`] : [],
  );
}

/** Where the runner listens when its ports are the host's (lifecycle.md §9.2). */
export function intrinsicPortsFile(ports: Readonly<Record<string, number>>): ScratchFile {
  return { path: 'config/intrinsic-ports.json', data: JSON.stringify(ports), mode: 0o644, owned: false };
}
