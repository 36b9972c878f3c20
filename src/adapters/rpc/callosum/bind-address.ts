import { lookup } from 'node:dns/promises';
import { createServer, isIP } from 'node:net';
import type { AgentError } from '../../../domain/error/agent-error.js';
import { messageOf } from '../../../domain/error/agent-error.js';
import { addressInUse, configurationInvalid } from '../../../domain/error/errors.js';

const SETTING = 'agent.rpc-listen-addr';

export interface BindAddress {
  /** As libzmq wants it: an IP literal or `*`, never a name. */
  readonly endpoint: string;
  readonly ipv6: boolean;
  readonly loopback: boolean;
}

/**
 * Turns `tcp://host:port` into what a socket can bind; names are resolved, port 0 means any free one.
 *
 * @throws ConfigurationError for another shape, a port out of range or a name that doesn't resolve.
 */
export async function resolveBindAddress(address: string): Promise<BindAddress> {
  const [, bracketed, plain, portText] = /^tcp:\/\/(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(address) ?? [];
  const port = Number(portText);
  if (portText === undefined || port > 65_535) throw invalid(address, 'not of the form tcp://host:port');
  const host = bracketed ?? plain ?? '';
  if (host === '' || host === '*') return { endpoint: `tcp://*:${wildcard(port)}`, ipv6: false, loopback: false };
  const ip = isIP(host) === 0 ? await resolve(address, host) : host;
  const ipv6 = isIP(ip) === 6;
  return {
    endpoint: `tcp://${ipv6 ? `[${ip}]` : ip}:${wildcard(port)}`,
    ipv6,
    loopback: ip === '::1' || ip.startsWith('127.'),
  };
}

/**
 * Rejects as binding would while another program listens there. For those who must know before they change anything on
 * the machine, and bind only later.
 */
export async function ensureFree(address: string): Promise<void> {
  const { endpoint } = await resolveBindAddress(address);
  const [, host = '', port = ''] = /^tcp:\/\/\[?(.*?)\]?:(\d+|\*)$/.exec(endpoint) ?? [];
  if (port === '*') return;
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once('error', reject);
      probe.listen({ host: host === '*' ? '0.0.0.0' : host, port: Number(port) }, resolve);
    });
  } catch (error) {
    throw bindError(address, error);
  } finally {
    await new Promise((resolve) => probe.close(resolve));
  }
}

function wildcard(port: number): string {
  return port === 0 ? '*' : String(port);
}

async function resolve(address: string, host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (cause) {
    throw invalid(address, `host '${host}' does not resolve`, cause);
  }
}

function invalid(address: string, why: string, cause?: unknown): AgentError {
  return configurationInvalid(`${SETTING} '${address}': ${why}`, {
    field: SETTING,
    allowed: 'tcp://HOST:PORT with an address of this machine and a port below 65536',
    cause,
  });
}

/** What a refused bind means for whoever started the agent. */
export function bindError(address: string, cause: unknown): AgentError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'EADDRINUSE') {
    return addressInUse(`RPC address ${address} is already in use`, {
      field: SETTING,
      hint: `another agent may be running here: stop it, or choose another port in ${SETTING}`,
      cause,
    });
  }
  return invalid(address, `can't listen there: ${messageOf(cause)}`, cause);
}
