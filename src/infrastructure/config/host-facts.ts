import { existsSync, readFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { type CloudIdentity, findCloudIdentity } from '../../adapters/host/cloud-identity.js';
import type { LoadedConfig } from './load-config.js';

/** What defaults need to know of this machine. */
export interface HostFacts {
  readonly hostname: string;
  /** Linux spelling: `x86_64`, `aarch64`. */
  readonly architecture: string;
  /** Identity of the agent process. */
  readonly uid: number;
  readonly gid: number;
  /** Who this machine is in the cloud that lent it; `null` = a machine of one's own, or not asked for. */
  readonly cloud: CloudIdentity | null;
  /** First address of this machine that others can reach; `127.0.0.1` if there is none. */
  readonly primaryAddress: string;
  /** Every address of this machine. */
  readonly addresses: readonly string[];
  /** Hard limit of open files of this process; `Infinity` without one. */
  readonly openFilesLimit: number;
  /** Files that give containers this machine's time zone, as far as they exist. */
  readonly timeZoneFiles: readonly string[];
  userId(name: string): number | undefined;
  groupId(name: string): number | undefined;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };

/** Reads `name:x:id:…` databases; a name that is not there is `undefined`. */
function lookUp(database: string, name: string): number | undefined {
  try {
    const line = readFileSync(database, 'utf8')
      .split('\n')
      .find((entry) => entry.startsWith(`${name}:`));
    const id = Number(line?.split(':')[2] ?? Number.NaN);
    return Number.isInteger(id) ? id : undefined;
  } catch {
    return undefined;
  }
}

export function readHostFacts(): HostFacts {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outside = addresses.find(
    ({ family, internal, address }) => family === 'IPv4' && !internal && !address.startsWith('169.254.'),
  );
  return {
    hostname: hostname(),
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    addresses: addresses.map(({ address }) => address),
    primaryAddress: outside?.address ?? '127.0.0.1',
    cloud: null,
    openFilesLimit: openFilesLimit(),
    timeZoneFiles: ['/etc/localtime', '/etc/timezone'].filter((path) => existsSync(path)),
    userId: (name) => lookUp('/etc/passwd', name),
    groupId: (name) => lookUp('/etc/group', name),
  };
}

/** The same for a member of a cluster whose id or region is not configured: its cloud names it, as for the reference. */
export async function readClusterHostFacts({ values: { agent }, standalone }: LoadedConfig): Promise<HostFacts> {
  const isNamed = agent.id !== null && agent.region !== null;
  return { ...readHostFacts(), cloud: standalone || isNamed ? null : ((await findCloudIdentity()) ?? null) };
}

function openFilesLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1] ?? 'unlimited';
  return hard === 'unlimited' ? Infinity : Number(hard);
}
