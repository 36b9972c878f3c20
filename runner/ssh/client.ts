import { readFileSync } from 'node:fs';
import ssh2, { type ClientChannel } from 'ssh2';
import { SSHD_PORT } from '../../src/domain/krunner-wire/krunner-wire.js';
import { USER_NAME } from '../boot/account.js';
import { type ClientRequest, parseClientArguments } from './client-arguments.js';
import { locateHost } from './cluster-config.js';
import { clusterFacts } from './home-keys.js';

/** As OpenSSH has it for anything that is not the remote program's own exit. */
const FAILED = 255;
const CONNECT_MS = 20_000;

/**
 * `ssh` for images that have none: runs commands and shells on the other kernels of the cluster, and only there, since it
 * knows no host keys. Resolves with the exit code.
 */
export async function runClient(words: readonly string[]): Promise<number> {
  try {
    const request = parseClientArguments(words);
    const facts = clusterFacts(process.env, SSHD_PORT);
    const place = locateHost(request.host, facts);
    if (!place) {
      throw new Error(
        `this image has no OpenSSH client; hosts of this cluster can be reached, '${request.host}' is none`,
      );
    }
    const privateKey = readFileSync(request.identity ?? facts.identityFile);
    return await connect(request, { ...place, port: request.port ?? place.port, privateKey });
  } catch (error) {
    process.stderr.write(`ssh: ${error instanceof Error ? error.message : String(error)}\n`);
    return FAILED;
  }
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly privateKey: Buffer;
}

function connect(request: ClientRequest, target: Target): Promise<number> {
  const client = new ssh2.Client();
  return new Promise<number>((resolve, reject) => {
    client.on('error', reject);
    client.on('close', () => reject(new Error(`the connection to ${request.host} was closed`)));
    client.on('ready', () => {
      const begin = (error: Error | undefined, channel: ClientChannel): void => {
        if (error) reject(error);
        else carry(channel, request, resolve);
      };
      const pty = request.terminal && process.stdin.isTTY ? terminalOf() : undefined;
      if (request.command === '') client.shell(pty ?? false, begin);
      else client.exec(request.command, pty ? { pty } : {}, begin);
    });
    client.connect({ ...target, username: request.user ?? USER_NAME, readyTimeout: CONNECT_MS });
  }).finally(() => client.end());
}

function terminalOf() {
  return { rows: process.stdout.rows, cols: process.stdout.columns, term: process.env['TERM'] ?? 'xterm' };
}

function carry(
  channel: ClientChannel,
  { terminal, noInput }: ClientRequest,
  resolve: (exitCode: number) => void,
): void {
  let exitCode = FAILED;
  channel.on('exit', (code: number | null) => (exitCode = code ?? FAILED));
  const { stdin } = process;
  const isRaw = terminal && stdin.isTTY;
  channel.on('close', () => {
    if (isRaw) stdin.setRawMode(false);
    resolve(exitCode);
  });
  channel.pipe(process.stdout, { end: false });
  channel.stderr.pipe(process.stderr, { end: false });
  if (noInput) channel.end();
  else stdin.pipe(channel);
  if (!isRaw) return;
  stdin.setRawMode(true);
  process.stdout.on('resize', () => channel.setWindow(process.stdout.rows, process.stdout.columns, 0, 0));
}
