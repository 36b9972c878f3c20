import { spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Logger } from '../../application/ports/logger.port.js';
import { messageOf } from '../../domain/error/agent-error.js';
import type { RegistryCredentials } from '../../domain/kernel/kernel-spec.js';
import { parseImageName } from './image-name.js';
import { readSmallFile } from './small-file.js';

const DOCKER_HUB = 'docker.io';
const DOCKER_HUB_KEY = 'https://index.docker.io/v1/';
const HELPER_TIMEOUT_MS = 10_000;
const MAX_HELPER_OUTPUT = 64 * 1024;
/** With this user name a helper says that its secret is an identity token. */
const TOKEN_USER = '<token>';

const configSchema = z.object({
  auths: z
    .record(z.string(), z.object({ auth: z.string().optional(), identitytoken: z.string().optional() }))
    .optional(),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
});
const helperAnswerSchema = z.object({ Username: z.string(), Secret: z.string() });

type Login = RegistryCredentials | { readonly identityToken: string };

export interface DockerLoginOptions {
  /** The folder of the Docker CLI's `config.json`. */
  readonly configFolder?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly logger?: Logger;
}

/** What the Docker CLI of this user knows about registries: `config.json` and its credential helpers. */
export class DockerLogins {
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #logger: Logger | undefined;

  constructor(options: DockerLoginOptions = {}) {
    this.#env = options.env ?? process.env;
    this.#folder = options.configFolder ?? this.#env['DOCKER_CONFIG'] ?? join(homedir(), '.docker');
    this.#logger = options.logger;
  }

  /**
   * The `X-Registry-Auth` header for an image (lifecycle.md §1.6), or `undefined` for an anonymous pull. Credentials
   * of the call win; a broken configuration or helper is logged and means none, as for the Docker CLI.
   */
  async headerFor(
    reference: string,
    given: RegistryCredentials | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    if (given?.username && given.password) {
      return encode({
        username: given.username,
        password: given.password,
        email: null,
        serveraddress: reference.split('/')[0],
      });
    }
    const { registry } = parseImageName(reference);
    const server = registry === DOCKER_HUB ? DOCKER_HUB_KEY : registry;
    try {
      const login = await this.#find(server, signal);
      if (!login) return undefined;
      return 'identityToken' in login
        ? encode({ identitytoken: login.identityToken, serveraddress: server })
        : encode({ ...login, email: null, serveraddress: server });
    } catch (error) {
      signal.throwIfAborted();
      this.#logger?.warn('The stored registry credentials could not be read; pulling without', {
        registry,
        error: messageOf(error),
      });
      return undefined;
    }
  }

  async #find(server: string, signal: AbortSignal): Promise<Login | undefined> {
    const file = await readSmallFile(join(this.#folder, 'config.json'));
    if (!file) return undefined;
    // The parser's own message could quote a secret.
    const parsed = configSchema.safeParse(parseOrUndefined(file.toString('utf8')));
    if (!parsed.success) throw new Error('config.json cannot be understood');
    const { auths = {}, credHelpers = {}, credsStore } = parsed.data;
    const helper = credHelpers[server] ?? credHelpers[hostOf(server)] ?? credsStore;
    if (helper) return this.#ask(helper, server, signal);
    const entry = auths[server] ?? Object.entries(auths).find(([key]) => hostOf(key) === hostOf(server))?.[1];
    if (entry?.identitytoken) return { identityToken: entry.identitytoken };
    return entry?.auth ? decode(entry.auth) : undefined;
  }

  /** Runs `docker-credential-NAME get`; an exit status other than 0 means that it knows nothing. */
  async #ask(helper: string, server: string, signal: AbortSignal): Promise<Login | undefined> {
    if (!/^[A-Za-z0-9._-]+$/.test(helper)) throw new Error('the name of the credential helper is not allowed');
    const output = await runHelper(`docker-credential-${helper}`, server, this.#env, signal);
    if (output === undefined) return undefined;
    const answer = helperAnswerSchema.safeParse(parseOrUndefined(output));
    if (!answer.success) throw new Error(`docker-credential-${helper} gave an answer that cannot be understood`);
    const { Username: username, Secret: password } = answer.data;
    return username === TOKEN_USER ? { identityToken: password } : { username, password };
  }
}

function runHelper(
  program: string,
  input: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], {
      env,
      signal,
      stdio: ['pipe', 'pipe', 'ignore'],
      timeout: HELPER_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
      if (output.length > MAX_HELPER_OUTPUT) child.kill('SIGKILL');
    });
    child.stdin.on('error', () => undefined).end(input);
    child.once('error', reject);
    child.once('close', (code, killedBy) => {
      if (killedBy) reject(new Error(`${program} did not answer in time`));
      else resolve(code === 0 ? output : undefined);
    });
  });
}

function decode(auth: string): RegistryCredentials | undefined {
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon > 0 ? { username: text.slice(0, colon), password: text.slice(colon + 1) } : undefined;
}

/** The engine decodes the URL-safe alphabet, with padding. */
function encode(login: Readonly<Record<string, unknown>>): string {
  return Buffer.from(JSON.stringify(login)).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}

function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, '').split('/')[0] ?? key;
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
