import { timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import ssh2, { type AuthContext, type Connection } from 'ssh2';
import { USER_NAME } from '../boot/account.js';
import type { Environment } from '../boot/child-environment.js';
import { parseAuthorizedKeys } from './authorized-keys.js';
import { ed25519Key } from './ed25519-key.js';
import { serveForwarding } from './forwarding.js';
import { AUTHORIZED_KEYS, readIfThere, SSH_CONFIG } from './home-keys.js';
import { ShellSession } from './shell-session.js';

const LOGIN_MS = 60_000;
const MAX_ATTEMPTS = 20;
const MAX_SESSIONS = 64;
/** Keeps the address translations on the way alive, and notices a client that is gone. */
const KEEP_ALIVE_MS = 15_000;
const KEEP_ALIVE_MISSES = 20;

/** What the process behind the gate is told. */
export interface SshOrder {
  /** Hex. */
  readonly hostKeySeed: string;
  /** Of the programs that users start. */
  readonly env: Environment;
}

/** SSH for the kernel's user: public keys only, as the user that this process runs as (krunner.md §5.6). */
export class SshService {
  private readonly server: ssh2.Server;

  constructor(private readonly order: SshOrder) {
    const { privateKey } = ed25519Key(Buffer.from(order.hostKeySeed, 'hex'), 'host');
    this.server = new ssh2.Server(
      {
        hostKeys: [privateKey],
        ident: 'backend.ai',
        keepaliveInterval: KEEP_ALIVE_MS,
        keepaliveCountMax: KEEP_ALIVE_MISSES,
        // All in native code: the default of OpenSSH's clients is slow here.
        algorithms: {
          cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes128-ctr', 'aes192-ctr', 'aes256-ctr'],
        },
      },
      (client) => this.serve(client),
    );
  }

  accept(socket: Socket): void {
    this.server.injectSocket(socket);
  }

  private serve(client: Connection): void {
    let attempts = 0;
    let sessions = 0;
    const tooLate = setTimeout(() => client.end(), LOGIN_MS);
    client.on('error', () => undefined);
    client.on('close', () => clearTimeout(tooLate));
    client.on('authentication', (context) => {
      attempts += 1;
      if (attempts > MAX_ATTEMPTS) client.end();
      else if (isUser(context.username) && isAuthentic(context)) context.accept();
      else context.reject(['publickey']);
    });
    client.on('ready', () => clearTimeout(tooLate));
    client.on('session', (accept, reject) => {
      if (sessions >= MAX_SESSIONS) {
        reject();
        return;
      }
      sessions += 1;
      const session = accept();
      session.on('close', () => (sessions -= 1));
      new ShellSession(session, this.order.env);
    });
    serveForwarding(client);
  }
}

function isUser(name: string): boolean {
  if (name === USER_NAME) return true;
  try {
    return name === userInfo().username;
  } catch {
    // The user has no entry in the image's account files.
    return false;
  }
}

/** Keys may come and go while the kernel runs, so the files are read each time. */
function isAuthentic(context: AuthContext): boolean {
  if (context.method !== 'publickey') return false;
  const files = [AUTHORIZED_KEYS, join(SSH_CONFIG, 'id_cluster.pub')];
  const known = files.flatMap((path) => parseAuthorizedKeys(readIfThere(path) ?? ''));
  const { algo, data } = context.key;
  if (!known.some((key) => key.length === data.length && timingSafeEqual(key, data))) return false;
  // A client asks first whether a key would do.
  if (!context.signature || !context.blob) return true;
  const key = ssh2.utils.parseKey(`${algo} ${data.toString('base64')}`);
  if (key instanceof Error) return false;
  // An Error where the signature makes no sense, whatever the types say.
  const verified: unknown = key.verify(context.blob, context.signature, context.hashAlgo);
  return verified === true;
}
