import { existsSync } from 'node:fs';
import { BlockList, isIPv6 } from 'node:net';
import { showValue, type ConfigProblem } from './config-problem.js';
import type { ConfigValues } from './config-schema.js';
import { describeOrigin, type Origin } from './origin.js';
import type { HostPort } from './value-type.js';

interface Findings {
  problem(key: string, detail: string, options?: { value?: unknown; allowed?: string }): void;
  warning(text: string): void;
}

interface Facts {
  readonly origins: ReadonlyMap<string, Origin>;
  /** No etcd is configured. */
  readonly standalone: boolean;
  /** etcd was read. */
  readonly inCluster: boolean;
}

interface Check {
  /** Runs only if all of these are valid by themselves. */
  readonly keys: readonly string[];
  run(values: ConfigValues, found: Findings, facts: Facts): void;
}

const linkLocal = new BlockList();
linkLocal.addSubnet('169.254.0.0', 16, 'ipv4');
linkLocal.addSubnet('fe80::', 10, 'ipv6');

function isLinkLocal(host: string): boolean {
  const address = host.split('%')[0] ?? '';
  return linkLocal.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

/** True for addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

const sameAddress = (a: HostPort, b: HostPort): boolean =>
  a.port === b.port && (a.host === b.host || [a.host, b.host].some((host) => ['', '0.0.0.0', '::'].includes(host)));

const RPC = 'agent.rpc-listen-addr';
const MANAGER_KEY = 'agent.rpc-auth-manager-public-key';
const KEYPAIR = 'agent.rpc-auth-agent-keypair';
const WATCHER = 'watcher.service-addr';
const INTERNAL = 'agent.internal-addr';
const PORTS = 'container.port-range';

const curveKeys: Check = {
  keys: [MANAGER_KEY, KEYPAIR],
  run({ agent }, found) {
    const files = { [MANAGER_KEY]: agent['rpc-auth-manager-public-key'], [KEYPAIR]: agent['rpc-auth-agent-keypair'] };
    if (files[KEYPAIR] !== null && files[MANAGER_KEY] === null) {
      found.problem(MANAGER_KEY, `missing, while ${KEYPAIR} is configured`, {
        allowed: 'both key files, none, or only this one',
      });
    }
    for (const [key, file] of Object.entries(files)) {
      if (file !== null && !existsSync(file))
        found.problem(key, 'no such file', { value: file, allowed: 'a readable file' });
    }
  },
};

const rpcAddress: Check = {
  keys: [RPC, MANAGER_KEY],
  run({ agent }, found, { origins, standalone }) {
    const { host } = agent['rpc-listen-addr'];
    if (!standalone && isLoopback(host) && origins.get(RPC)?.kind === 'default')
      found.warning(`${RPC}: not configured, and without CURVE keys only this host is listened at; name an address`);
    if (isLinkLocal(host))
      found.problem(RPC, 'a link-local address', { value: host, allowed: 'any other address of this machine' });
    if (agent['rpc-auth-manager-public-key'] === null && !isLoopback(host))
      found.warning(
        `${RPC}: without CURVE keys everyone who reaches this address controls the agent; configure rpc-auth-*`,
      );
  },
};

const addressesDiffer: Check = {
  keys: [RPC, WATCHER, INTERNAL, PORTS],
  run({ agent, watcher, container }, found) {
    const listens = [
      [RPC, agent['rpc-listen-addr']],
      [WATCHER, watcher['service-addr']],
      [INTERNAL, agent['internal-addr']],
    ] as const;
    const [low, high] = container['port-range'];
    for (const [index, [key, address]] of listens.entries()) {
      if (address === null) continue;
      const value = `${address.host}:${address.port}`;
      const earlier = listens.slice(0, index).find(([, other]) => other !== null && sameAddress(address, other));
      if (earlier !== undefined)
        found.problem(key, `the same address as ${earlier[0]}`, { value, allowed: 'a port of its own' });
      if (address.port >= low && address.port <= high)
        found.problem(key, `port lies in ${PORTS}`, { value, allowed: `a port outside ${low}-${high}` });
    }
  },
};

const httpTls: Check = {
  keys: ['agent.ssl-enabled', 'agent.ssl-cert', 'agent.ssl-key', INTERNAL, 'watcher.ssl-enabled'],
  run({ agent, watcher }, found) {
    // Silently serving plain text where TLS was asked for would be worse than not starting.
    if (watcher['ssl-enabled'] === true)
      found.problem('watcher.ssl-enabled', 'Managers call it without TLS', { value: true, allowed: 'false' });
    if (!agent['ssl-enabled']) return;
    if (agent['internal-addr'] === null)
      found.problem(INTERNAL, 'missing, while agent.ssl-enabled is true', { allowed: 'the address to serve with TLS' });
    for (const name of ['ssl-cert', 'ssl-key'] as const) {
      const file = agent[name];
      if (file === null)
        found.problem(`agent.${name}`, 'missing, while agent.ssl-enabled is true', { allowed: 'a readable PEM file' });
      else if (!existsSync(file))
        found.problem(`agent.${name}`, 'no such file', { value: file, allowed: 'a readable PEM file' });
    }
  },
};

const logging: Check = {
  keys: ['logging.drivers', 'logging.file.path'],
  run({ logging: { drivers, 'file.path': folder } }, found) {
    if (drivers.includes('file') && folder === null)
      found.problem('logging.file.path', 'missing, while logging.drivers has "file"', { allowed: 'a directory' });
    for (const driver of drivers) {
      if (driver === 'logstash' || driver === 'graylog')
        found.warning(`logging.drivers: "${driver}" is not served: ship the log file, or what the agent prints`);
    }
  },
};

const rootKernels: Check = {
  keys: ['container.kernel-uid'],
  run({ container }, found) {
    if (container['kernel-uid'] === 0 || container['kernel-uid'] === 'root')
      found.warning('container.kernel-uid: kernels run as root, as configured');
  },
};

const redis: Check = {
  keys: ['redis.addr', 'redis.sentinel', 'redis.service-name', 'redis.override-configs', 'redis.tls-ca'],
  run({ redis: server, etcd }, found, { inCluster }) {
    if (inCluster && server.addr === null && server.sentinel === null)
      found.problem('redis.addr', 'missing: without Redis no Manager hears of this agent', {
        allowed: `an address in etcd (/sorna/${etcd.namespace}/config/redis/addr) or in the file`,
      });
    if (server['tls-ca'] !== null && !existsSync(server['tls-ca']))
      found.problem('redis.tls-ca', 'no such file', { value: server['tls-ca'], allowed: 'a readable file' });
    if (server.sentinel !== null && server['service-name'] === null)
      found.problem('redis.service-name', 'missing, while there are sentinels', { allowed: "the master's name" });
    for (const [role, other] of Object.entries(server['override-configs'] ?? {})) {
      if (other.addr === undefined && other.sentinel === undefined)
        found.problem('redis.override-configs', `${role} has no addr`, { allowed: 'addr or sentinel for each role' });
      else if (other.sentinel !== undefined && other['service-name'] === undefined)
        found.problem('redis.override-configs', `${role} has sentinels, but no service_name`, {
          allowed: "the master's name",
        });
    }
  },
};

const etcdTls: Check = {
  keys: ['etcd.tls', 'etcd.tls-ca', 'etcd.tls-cert', 'etcd.tls-key'],
  run({ etcd }, found) {
    const { 'tls-cert': cert, 'tls-key': keyFile } = etcd;
    if ((cert === null) !== (keyFile === null))
      found.problem(cert === null ? 'etcd.tls-cert' : 'etcd.tls-key', 'missing, while its counterpart is configured', {
        allowed: 'both files or none',
      });
    for (const name of ['tls-ca', 'tls-cert', 'tls-key'] as const) {
      const file = etcd[name];
      if (file !== null && !existsSync(file))
        found.problem(`etcd.${name}`, 'no such file', { value: file, allowed: 'a readable file' });
    }
    if (etcd['tls-skip-verify']) found.warning('etcd.tls-skip-verify: whoever is at that address can pose as etcd');
  },
};

const CHECKS: readonly Check[] = [
  ...[curveKeys, rpcAddress, addressesDiffer, httpTls],
  ...[logging, rootKernels, redis, etcdTls],
];

/** Rules over several keys, and over the machine's files. `invalid` names keys that already failed by themselves. */
export function checkCombinations(
  values: ConfigValues,
  facts: Facts & { /** Keys that failed by themselves. */ readonly invalid: ReadonlySet<string> },
): { readonly problems: readonly ConfigProblem[]; readonly warnings: readonly string[] } {
  const { origins, invalid } = facts;
  const problems: ConfigProblem[] = [];
  const warnings: string[] = [];
  const found: Findings = {
    problem(key, detail, { value, allowed } = {}) {
      const origin = origins.get(key) ?? { kind: 'default' };
      problems.push({
        where: origin.kind === 'file' ? origin.file : describeOrigin(origin),
        key: origin.kind === 'file' ? origin.key : key,
        detail,
        ...(value === undefined ? {} : { value: showValue(value, false) }),
        ...(allowed === undefined ? {} : { allowed }),
      });
    },
    warning: (text) => warnings.push(text),
  };
  for (const check of CHECKS) if (!check.keys.some((key) => invalid.has(key))) check.run(values, found, facts);
  return { problems, warnings };
}
