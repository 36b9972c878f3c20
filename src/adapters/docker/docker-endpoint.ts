import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../domain/error/agent-error.js';
import { configurationInvalid, engineUnavailable, notSupported } from '../../domain/error/errors.js';
import { currentContextName, loadContext, readTlsFiles } from './docker-context.js';

export interface TlsMaterial {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly rejectUnauthorized: boolean;
}

/** Where an engine listens; `origin` says how that was found out, for logs and errors. */
export type DockerEndpoint = { readonly origin: string } & (
  | { readonly kind: 'unix'; readonly socketPath: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls?: TlsMaterial }
);

/** What the search looks at; the process's own by default. */
export interface EndpointSearch {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly uid: number;
  /** The system-wide socket. */
  readonly systemSocket: string;
}

type Strategy = (search: EndpointSearch, tried: string[]) => Promise<DockerEndpoint | undefined>;

const SYSTEM_SOCKET = '/var/run/docker.sock';
const PROBE_TIMEOUT_MS = 2000;

/**
 * Finds the engine as the Docker CLI does: DOCKER_HOST, then the context of DOCKER_CONTEXT or of its configuration
 * file, then the system's socket; and after these the sockets of a rootless engine. A socket that somebody listens on
 * is preferred to one that is only there.
 *
 * @throws ConfigurationError for a setting that makes no sense, NotImplementedError for ssh and named pipes,
 *   ContainerEngineUnavailableError with everything that was tried if nothing is there.
 */
export async function findDockerEndpoint(search: Partial<EndpointSearch> = {}): Promise<DockerEndpoint> {
  const full: EndpointSearch = {
    env: process.env,
    home: homedir(),
    uid: process.getuid?.() ?? 0,
    systemSocket: SYSTEM_SOCKET,
    ...search,
  };
  const tried: string[] = [];
  for (const strategy of [fromDockerHost, fromContext, fromKnownSockets]) {
    const endpoint = await strategy(full, tried);
    if (endpoint) return endpoint;
  }
  throw engineUnavailable(`No container engine was found. Tried: ${tried.join('; ')}`, {
    hint: 'Install and start Docker ("systemctl start docker"), join the group "docker", or set DOCKER_HOST.',
  });
}

/**
 * Reads an address in the words of DOCKER_HOST (`unix:///run/docker.sock`, `tcp://host:2376`).
 * @throws ConfigurationError, NotImplementedError
 */
export function parseDockerHost(address: string, origin: string, tls?: TlsMaterial): DockerEndpoint {
  const scheme = /^([a-z]+):\/\//.exec(address)?.[1] ?? 'tcp';
  const rest = address.replace(/^[a-z]+:\/\//, '');
  if (scheme === 'unix') return { kind: 'unix', socketPath: rest || SYSTEM_SOCKET, origin };
  if (scheme === 'ssh' || scheme === 'npipe' || scheme === 'fd') {
    throw notSupported(`${origin}: an engine behind ${scheme}:// is not supported`, {
      field: origin,
      allowed: 'unix:// and tcp://',
      hint:
        scheme === 'ssh'
          ? 'Forward its socket ("ssh -L /tmp/docker.sock:/var/run/docker.sock HOST") and use unix:///tmp/docker.sock.'
          : 'Let the engine listen on a unix socket.',
    });
  }
  let url: URL | undefined;
  try {
    url = new URL(`http://${rest}`);
  } catch {
    url = undefined;
  }
  if (!url?.hostname || !['tcp', 'http', 'https'].includes(scheme)) {
    throw configurationInvalid(`${origin}: not an engine address: ${JSON.stringify(address)}`, {
      field: origin,
      allowed: 'unix:///PATH or tcp://HOST:PORT',
    });
  }
  const secure = tls ?? (scheme === 'https' ? { rejectUnauthorized: true } : undefined);
  // The WHATWG parser drops :80 as the default port of http.
  const port = Number(url.port) || (/:80$/.test(rest) ? 80 : secure ? 2376 : 2375);
  return { kind: 'tcp', host: url.hostname.replace(/^\[|\]$/g, ''), port, ...(secure && { tls: secure }), origin };
}

const fromDockerHost: Strategy = async ({ env, home }, tried) => {
  const address = env['DOCKER_HOST'];
  if (!address) {
    tried.push('DOCKER_HOST is not set');
    return undefined;
  }
  const verify = Boolean(env['DOCKER_TLS_VERIFY']);
  const secure = /^(tcp|https):|^[^:/]+:\d+$/.test(address) && (verify || Boolean(env['DOCKER_TLS']));
  const folder = env['DOCKER_CERT_PATH'] ?? join(home, '.docker');
  return parseDockerHost(
    address,
    'DOCKER_HOST',
    secure ? { ...(await readTlsFiles(folder)), rejectUnauthorized: verify } : undefined,
  );
};

const fromContext: Strategy = async ({ env, home }, tried) => {
  const folder = env['DOCKER_CONFIG'] ?? join(home, '.docker');
  const chosen = env['DOCKER_CONTEXT'];
  const name = chosen ?? (await currentContextName(folder));
  if (!name || name === 'default') {
    tried.push('no Docker context is chosen');
    return undefined;
  }
  const origin = chosen ? `DOCKER_CONTEXT=${name}` : `the current Docker context "${name}"`;
  const context = await loadContext(folder, name, origin);
  return parseDockerHost(context.host, origin, context.tls);
};

const fromKnownSockets: Strategy = async ({ env, home, uid, systemSocket }, tried) => {
  const runtimeDir = env['XDG_RUNTIME_DIR'];
  const paths = new Set([
    systemSocket,
    ...(runtimeDir ? [join(runtimeDir, 'docker.sock')] : []),
    `/run/user/${uid}/docker.sock`,
    join(home, '.docker/run/docker.sock'),
  ]);
  let silent: DockerEndpoint | undefined;
  for (const socketPath of paths) {
    const problem = await socketProblem(socketPath);
    const endpoint: DockerEndpoint = { kind: 'unix', socketPath, origin: 'the engine socket' };
    if (problem === undefined) return endpoint;
    tried.push(`${socketPath}: ${problem.text}`);
    if (problem.exists) silent ??= endpoint;
  }
  // The engine may be on its way up: its socket is there, and callers know how to wait for an engine.
  return silent;
};

/** Why nobody can be reached on a socket, or `undefined` when somebody can. */
async function socketProblem(path: string): Promise<{ text: string; exists: boolean } | undefined> {
  try {
    if (!(await stat(path)).isSocket()) return { text: 'not a socket', exists: false };
    await access(path, constants.R_OK | constants.W_OK);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : messageOf(error);
    const known: Readonly<Record<string, string>> = { ENOENT: 'not there', EACCES: 'permission denied' };
    return { text: known[code] ?? code, exists: false };
  }
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (text?: string): void => {
      socket.destroy();
      resolve(text === undefined ? undefined : { text, exists: true });
    };
    socket.setTimeout(PROBE_TIMEOUT_MS, () => done('no answer'));
    socket.once('connect', () => done());
    socket.once('error', (error) => done(messageOf(error)));
  });
}
