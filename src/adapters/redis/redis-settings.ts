import type { StateRole } from '../../application/ports/state-store.port.js';

/** How one server, or the master behind Sentinels, is reached (state.md §1.1). */
export interface RedisServer {
  /** Ignored when there are sentinels. */
  readonly address: { readonly host: string; readonly port: number };
  readonly sentinels?: readonly { readonly host: string; readonly port: number }[];
  /** Sentinel's name of the master; required with sentinels. */
  readonly serviceName?: string;
  readonly password?: string;
  /** Falls back to `password`. */
  readonly sentinelPassword?: string;
  /** `ca`: certificates, in PEM, that are trusted besides the ones that Node trusts. */
  readonly tls?: { readonly skipVerify: boolean; readonly ca?: string };
  /** How long one command may take; absent = the adapter's own limit. */
  readonly requestTimeoutMs?: number;
}

export interface RedisSettings extends RedisServer {
  /** Another server for a role; its logical database stays the same. */
  readonly overrides?: Readonly<Partial<Record<StateRole, RedisServer>>>;
}

/** The logical database of each role (state.md §1.2). */
export const DATABASE: Readonly<Record<StateRole, number>> = {
  statistics: 0,
  live: 2,
  discovery: 0,
  image: 3,
  stream: 4,
  container_log: 6,
  bgtask: 7,
};
