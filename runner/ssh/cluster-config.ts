/** Facts of the cluster that a kernel is part of. */
export interface ClusterFacts {
  /** BACKENDAI_CLUSTER_REPLICAS: `main:1,sub:3`. */
  readonly replicas: string;
  /** port-mapping.json: host name → address and port, on networks where every kernel has a port of its own. */
  readonly portMapping: string | undefined;
  readonly identityFile: string;
  readonly port: number;
}

const BEGIN = '# Hosts of this cluster, written at each start of the kernel';
const END = '# End of the hosts of this cluster';
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/;

/**
 * A user's ~/.ssh/config with the hosts of the cluster at its end, where they don't overrule the user's own words; those
 * of an earlier start are replaced (krunner.md §5.6).
 */
export function withClusterHosts(config: string, facts: ClusterFacts): string {
  const start = config.indexOf(BEGIN);
  const end = config.indexOf(END, start);
  const rest =
    start < 0 || end < 0 ? config : config.slice(0, start) + config.slice(end + END.length).replace(/^\n/, '');
  const separator = rest === '' || rest.endsWith('\n') ? '' : '\n';
  return `${rest}${separator}${[BEGIN, ...hostBlocks(facts), END].join('\n')}\n`;
}

/** Where a host of the cluster is, for a client that reads no configuration file. */
export function locateHost(
  name: string,
  facts: ClusterFacts,
): { readonly host: string; readonly port: number } | undefined {
  const mapping = parseMapping(facts.portMapping);
  const mapped = mapping?.find(([host]) => host === name);
  if (mapped) return { host: mapped[1], port: mapped[2] };
  if (mapping || !NAME.test(name)) return undefined;
  const isOfRole = rolesOf(facts.replicas).some((role) => name.startsWith(role));
  return isOfRole ? { host: name, port: facts.port } : undefined;
}

function hostBlocks(facts: ClusterFacts): string[] {
  const mapping = parseMapping(facts.portMapping);
  const hosts = mapping
    ? mapping.map(([name, host, port]) => [`Host ${name}`, `  HostName ${host}`, `  Port ${port}`])
    : rolesOf(facts.replicas).map((role) => [`Host ${role}*`, `  Port ${facts.port}`]);
  return hosts.flatMap((lines) => [
    ...lines,
    '  User work',
    `  IdentityFile ${facts.identityFile}`,
    // A kernel's host key is made with it: there is nothing to compare it with.
    '  StrictHostKeyChecking no',
    '  UserKnownHostsFile /dev/null',
    '  LogLevel ERROR',
  ]);
}

function rolesOf(replicas: string): string[] {
  const roles = replicas.split(',').map((item) => item.split(':')[0]?.trim() ?? '');
  return [...new Set(roles.filter((role) => NAME.test(role)))];
}

/** `undefined` if there is none or it makes no sense. */
function parseMapping(text: string | undefined): (readonly [name: string, host: string, port: number])[] | undefined {
  if (text === undefined) return undefined;
  try {
    return Object.entries(JSON.parse(text) as object).flatMap(([name, target]: [string, unknown]) => {
      const [host, port] = Array.isArray(target) ? (target as unknown[]) : [];
      const isUsable =
        NAME.test(name) && typeof host === 'string' && /^[\w.:-]+$/.test(host) && typeof port === 'number';
      return isUsable && Number.isInteger(port) ? [[name, host, port] as const] : [];
    });
  } catch {
    return undefined;
  }
}
