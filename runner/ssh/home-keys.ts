import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HOME } from '../boot/account.js';
import { type ClusterFacts, withClusterHosts } from './cluster-config.js';
import { ed25519Key, SEED_BYTES } from './ed25519-key.js';

/** What the agent puts into a kernel for SSH (lifecycle.md §1.10). */
export const SSH_CONFIG = '/home/config/ssh';
export const CLUSTER_KEY = join(SSH_CONFIG, 'id_cluster');
export const AUTHORIZED_KEYS = join(HOME, '.ssh/authorized_keys');

export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

export function clusterFacts(env: Readonly<Record<string, string | undefined>>, port: number): ClusterFacts {
  return {
    replicas: env['BACKENDAI_CLUSTER_REPLICAS'] ?? 'main:1',
    portMapping: readIfThere(join(SSH_CONFIG, 'port-mapping.json')),
    identityFile: CLUSTER_KEY,
    port,
  };
}

/**
 * Makes the home directory ready for SSH (krunner.md §5.6): a user who brought no key finds one in `id_container`, to be
 * downloaded and logged in with, and the hosts of the cluster are in ~/.ssh/config.
 */
export function prepareHome(cluster: ClusterFacts): void {
  const folder = join(HOME, '.ssh');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  if (existsSync(AUTHORIZED_KEYS)) {
    chmodSync(AUTHORIZED_KEYS, 0o600);
  } else {
    const { privateKey, publicKey } = ed25519Key(randomBytes(SEED_BYTES), 'work@kernel');
    writeFileSync(AUTHORIZED_KEYS, publicKey, { mode: 0o600 });
    writeFileSync(join(HOME, 'id_container'), privateKey, { mode: 0o600 });
  }
  if (existsSync(CLUSTER_KEY)) {
    const config = join(folder, 'config');
    const before = readIfThere(config) ?? '';
    const after = withClusterHosts(before, cluster);
    if (after !== before) writeFileSync(config, after, { mode: 0o600 });
  }
}

/** Of this kernel for its whole life; a runner whose agent gave it none has one for its own. */
export function hostKeySeed(): Buffer {
  const text = readIfThere(join(SSH_CONFIG, 'host_key.seed'))?.trim() ?? '';
  return /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, 'hex') : randomBytes(SEED_BYTES);
}
