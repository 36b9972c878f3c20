import type { KeyDefinition } from './key-definition.js';
import { agentSection } from './schema/agent-section.js';
import { containerSection } from './schema/container-section.js';
import { mockAcceleratorSection } from './schema/mock-accelerator-section.js';
import { resourceSection } from './schema/resource-section.js';
import { serviceDiscoverySection } from './schema/service-discovery-section.js';
import {
  apiSection,
  containerLogsSection,
  debugSection,
  etcdSection,
  kernelLifecyclesSection,
  loggingSection,
  redisSection,
  watcherSection,
} from './schema/service-sections.js';

/** The whole configuration file, section by section; the one place where a key is described. */
export const CONFIG_SCHEMA = {
  agent: agentSection,
  container: containerSection,
  resource: resourceSection,
  'container-logs': containerLogsSection,
  api: apiSection,
  'kernel-lifecycles': kernelLifecyclesSection,
  watcher: watcherSection,
  logging: loggingSection,
  debug: debugSection,
  'accelerator.mock': mockAcceleratorSection,
  etcd: etcdSection,
  redis: redisSection,
  'service-discovery': serviceDiscoverySection,
} as const;

type Schema = typeof CONFIG_SCHEMA;
type ValueOf<D> = D extends KeyDefinition<infer T> ? T : never;

/** Section → key → value, with defaults applied: `values.agent['rpc-listen-addr']`. */
export type ConfigValues = {
  readonly [S in keyof Schema]: { readonly [K in keyof Schema[S]['keys']]: ValueOf<Schema[S]['keys'][K]> };
};

/** A key with its place: `path` is `section.key`, as used for origins. */
export interface PlacedKey {
  readonly section: keyof Schema;
  readonly name: string;
  readonly path: string;
  readonly definition: KeyDefinition<unknown>;
}

export const ALL_KEYS: readonly PlacedKey[] = Object.entries(CONFIG_SCHEMA).flatMap(([section, { keys }]) =>
  Object.entries(keys as Readonly<Record<string, KeyDefinition<unknown>>>).map(([name, definition]) => ({
    section: section as keyof Schema,
    name,
    path: `${section}.${name}`,
    definition,
  })),
);
