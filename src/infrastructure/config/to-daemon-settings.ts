import { join } from 'node:path';
import type { RedisSettings } from '../../adapters/redis/redis-settings.js';
import type { HostFacts } from './host-facts.js';
import type { ConfigValues } from './config-schema.js';
import type { LoadedConfig } from './load-config.js';
import type { MockDevice } from './schema/mock-accelerator-section.js';
import type { LOG_LEVELS } from './schema/service-sections.js';
import { rpcListenAddress } from './to-agent-settings.js';
import { toRedisSettings } from './to-redis-settings.js';
import type { HostPort } from './value-type.js';

/** What the composition root needs besides AgentSettings: addresses, keys, directories, logging. */
export interface DaemonSettings {
  readonly rpc: {
    readonly listen: HostPort;
    /** The CURVE key files, or `null`: plain text. */
    readonly curve: {
      readonly managerPublicKeyFile: string;
      readonly agentKeypairFile: string;
      /** It is nobody's but ours, and made if it is not there. */
      readonly isGenerated: boolean;
    } | null;
  };
  readonly http: {
    /** One address, or two if there is an `[agent] service-addr`; that one perhaps with TLS. */
    readonly listen: readonly (HostPort & { readonly tls?: TlsFiles })[];
    /** Configured token, if any; see `ensureToken`. */
    readonly token: string | null;
    /** The cluster's token for watchers, taken beside the own one; `null` = none. */
    readonly clusterToken: string | null;
    readonly tokenFile: string;
  };
  readonly logging: {
    readonly level: (typeof LOG_LEVELS)[number];
    /** `null` = nothing is printed. */
    readonly console: {
      readonly format: 'auto' | 'simple' | 'verbose' | 'json';
      /** `null` = if it is a terminal. */
      readonly colored: boolean | null;
    } | null;
    /** `null` = no log file. */
    readonly file: {
      readonly file: string;
      readonly maxBytes: number;
      readonly backups: number;
    } | null;
  };
  /** `null` = none. */
  readonly pidFile: string | null;
  readonly paths: {
    readonly scratchRoot: string;
    readonly ipcBase: string;
    readonly varBase: string;
    /** Where the in-container runtime is prepared, once for all agents of this machine. */
    readonly runtime: string;
  };
  /** Whether being without a Manager is a fault. */
  readonly needsManager: boolean;
  /** `null` = a machine of its own. */
  readonly redis: RedisSettings | null;
  /** `null` = no pretended accelerator. */
  readonly mockAccelerator: {
    readonly devices: readonly MockDevice[];
    readonly slot: string;
    readonly fractional: boolean;
    readonly quantum: string;
  } | null;
}

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export function toDaemonSettings(config: LoadedConfig, host: HostFacts): DaemonSettings {
  const { agent, container, watcher, logging, debug } = config.values;
  const managerPublicKeyFile = agent['rpc-auth-manager-public-key'];
  const agentKeypairFile = agent['rpc-auth-agent-keypair'];
  const mock = config.values['accelerator.mock'];
  const varBase = agent['var-base-path'];
  return {
    rpc: {
      listen: rpcListenAddress(config, host),
      curve:
        managerPublicKeyFile === null
          ? null
          : {
              managerPublicKeyFile,
              agentKeypairFile: agentKeypairFile ?? join(varBase, 'rpc-keypair.key_secret'),
              isGenerated: agentKeypairFile === null,
            },
    },
    http: {
      listen: [watcher['service-addr'], ...internalAddress(agent)],
      token: watcher.token,
      clusterToken: config.cluster?.watcherToken ?? null,
      tokenFile: join(varBase, 'watcher-token'),
    },
    logging: {
      level: debug.enabled && !['TRACE', 'NOTSET'].includes(logging.level) ? 'DEBUG' : logging.level,
      console: logging.drivers.includes('console')
        ? { format: logging['console.format'], colored: logging['console.colored'] }
        : null,
      file: logFile(logging),
    },
    pidFile: agent['pid-file'],
    paths: {
      scratchRoot: container['scratch-root'],
      ipcBase: agent['ipc-base-path'],
      varBase,
      runtime: join(varBase, 'runtime'),
    },
    needsManager: !agent['skip-manager-detection'],
    redis: toRedisSettings(config.values),
    mockAccelerator: mock.devices.length === 0 ? null : mock,
  };
}

function internalAddress(agent: ConfigValues['agent']): DaemonSettings['http']['listen'] {
  const address = agent['internal-addr'];
  if (address === null) return [];
  const { 'ssl-enabled': enabled, 'ssl-cert': certFile, 'ssl-key': keyFile } = agent;
  return [enabled && certFile !== null && keyFile !== null ? { ...address, tls: { certFile, keyFile } } : address];
}

function logFile(logging: ConfigValues['logging']): DaemonSettings['logging']['file'] {
  const folder = logging['file.path'];
  if (folder === null || !logging.drivers.includes('file')) return null;
  return {
    file: join(folder, logging['file.filename']),
    maxBytes: logging['file.rotation-size'],
    backups: logging['file.backup-count'],
  };
}
