import { join } from 'node:path';
import type { RedisSettings } from '../../adapters/redis/redis-settings.js';
import type { HostFacts } from './host-facts.js';
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
    /** Both CURVE key files, or `null`: plain text. */
    readonly curve: { readonly managerPublicKeyFile: string; readonly agentKeypairFile: string } | null;
  };
  readonly http: {
    /** One address, or two if `[agent] service-addr` is configured. */
    readonly listen: readonly HostPort[];
    /** Configured token, if any; see `ensureToken`. */
    readonly token: string | null;
    /** The cluster's token for watchers, taken beside the own one; `null` = none. */
    readonly clusterToken: string | null;
    readonly tokenFile: string;
  };
  readonly logging: {
    readonly level: (typeof LOG_LEVELS)[number];
    readonly format: 'auto' | 'simple' | 'verbose' | 'json';
    /** `null` = if it is a terminal. */
    readonly colored: boolean | null;
  };
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

export function toDaemonSettings(config: LoadedConfig, host: HostFacts): DaemonSettings {
  const { agent, container, watcher, logging, debug } = config.values;
  const managerPublicKeyFile = agent['rpc-auth-manager-public-key'];
  const agentKeypairFile = agent['rpc-auth-agent-keypair'];
  const mock = config.values['accelerator.mock'];
  const varBase = agent['var-base-path'];
  const internal = agent['internal-addr'];
  return {
    rpc: {
      listen: rpcListenAddress(config, host),
      curve:
        managerPublicKeyFile === null || agentKeypairFile === null ? null : { managerPublicKeyFile, agentKeypairFile },
    },
    http: {
      listen: [watcher['service-addr'], ...(internal === null ? [] : [internal])],
      token: watcher.token,
      clusterToken: config.cluster?.watcherToken ?? null,
      tokenFile: join(varBase, 'watcher-token'),
    },
    logging: {
      level: debug.enabled && !['TRACE', 'NOTSET'].includes(logging.level) ? 'DEBUG' : logging.level,
      format: logging['console.format'],
      colored: logging['console.colored'],
    },
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
