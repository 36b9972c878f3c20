import { injectable } from 'inversify';
import { createServer, isIPv6, type ListenOptions, type Server } from 'node:net';
import type { HostPorts } from '../../application/ports/host-ports.port.js';
import { messageOf } from '../../domain/error/agent-error.js';
import { addressInUse, configurationInvalid } from '../../domain/error/errors.js';

const TAKEN: ReadonlySet<string> = new Set(['EADDRINUSE', 'EACCES', 'EPERM']);
/** A machine without IPv6 has no listeners there. */
const NO_SUCH_FAMILY: ReadonlySet<string> = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL']);

/**
 * TCP ports of the host, held by listening on them: a bound socket that does not listen would not keep others away.
 *
 * Linux refuses an IPv4 address when somebody listens on the wildcard, on the IPv6 wildcard too as long as that takes
 * IPv4 connections, and the other way round. A listener for IPv6 only is looked for separately, since clients that
 * prefer IPv6 would end up there.
 */
@injectable()
export class TcpHostPorts implements HostPorts {
  async hold(port: number, hostIp: string): Promise<AsyncDisposable | undefined> {
    const server = await listen({ host: hostIp, port, exclusive: true, backlog: 1 });
    if (typeof server === 'string') {
      if (TAKEN.has(server)) return undefined;
      throw holdError(server, port, hostIp);
    }
    const hold = { [Symbol.asyncDispose]: () => close(server) };
    if (isIPv6(hostIp) || !(await isTakenOnIpv6(port))) return hold;
    await close(server);
    return undefined;
  }
}

async function isTakenOnIpv6(port: number): Promise<boolean> {
  const probe = await listen({ host: '::', port, ipv6Only: true, exclusive: true });
  if (typeof probe === 'string') return !NO_SUCH_FAMILY.has(probe);
  await close(probe);
  return false;
}

/** A listening server, or the code of the error. */
function listen(options: ListenOptions): Promise<Server | string> {
  // Whoever connects to a held port finds nobody; a reset leaves no trace that could delay the engine.
  const server = createServer((socket) => socket.resetAndDestroy());
  server.unref();
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? messageOf(error)));
    server.listen(options, () => resolve(server));
  });
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  await new Promise((resolve) => server.close(resolve));
}

function holdError(code: string, port: number, hostIp: string): Error {
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EINVAL') {
    return configurationInvalid(`this machine has no address ${hostIp} to bind port ${port} on (${code})`, {
      field: 'container.bind-host',
      allowed: 'an IP address of this machine, or 0.0.0.0',
    });
  }
  return addressInUse(`port ${port} could not be bound on ${hostIp} (${code})`, { retryable: true });
}
