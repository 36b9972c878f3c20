import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import type { PseudoTtyInfo, ServerChannel, Session } from 'ssh2';
import { HOME } from '../boot/account.js';
import type { Environment } from '../boot/child-environment.js';
import { findExecutable } from '../process/executable.js';
import { signalQuietly } from '../process/process-tree.js';
import { Terminal, type TerminalExit } from '../process/terminal.js';
import { splitWords } from '../service/service-definition.js';
import { SftpServer } from './sftp/sftp-server.js';

/** What a client may set, as with OpenSSH. */
const CLIENT_VARIABLES = /^(?:LANG|LC_[A-Z]+|COLORTERM)$/;
const MAX_VALUE = 1024;
const NOT_FOUND = 127;
/** The kernel's limits should kill the user's program before the runner. */
const OOM_SCORE = '300';

/** One session of a connection: a shell, a command or file transfer, with or without a terminal. */
export class ShellSession {
  private readonly env: Environment;
  private terminalInfo: PseudoTtyInfo | undefined;
  private terminal: Terminal | undefined;
  /** Of the running program. */
  private pid: number | undefined;

  constructor(session: Session, env: Environment) {
    this.env = { ...env };
    session.on('env', (accept, reject, { key, val }) => {
      const isAllowed = CLIENT_VARIABLES.test(key) && val.length <= MAX_VALUE && !val.includes('\0');
      if (isAllowed) this.env[key] = val;
      answer(isAllowed ? accept : reject);
    });
    session.on('pty', (accept, _reject, info) => {
      this.terminalInfo = info;
      answer(accept);
    });
    session.on('window-change', (accept, _reject, info) => {
      this.terminal?.resize(info);
      answer(accept);
    });
    session.on('signal', (accept, _reject, { name }) => {
      const signal = `SIG${name}`;
      if (this.pid !== undefined && signal in constants.signals) signalQuietly(-this.pid, signal as NodeJS.Signals);
      answer(accept);
    });
    session.on('shell', (accept) => this.run(accept(), undefined));
    session.on('exec', (accept, _reject, { command }) => this.run(accept(), command));
    session.on('sftp', (accept) => new SftpServer(accept()));
  }

  private run(channel: ServerChannel, command: string | undefined): void {
    channel.on('error', () => undefined);
    const argv = this.argvOf(command);
    if (!argv) {
      channel.stderr.write('This image has no shell: only single programs can be run.\n');
      leave(channel, NOT_FOUND);
      return;
    }
    try {
      if (this.terminalInfo) this.runOnTerminal(channel, argv, this.terminalInfo);
      else this.runOnPipes(channel, argv);
    } catch (error) {
      channel.stderr.write(`${argv[0]} cannot be run: ${error instanceof Error ? error.message : String(error)}\n`);
      leave(channel, NOT_FOUND);
    }
  }

  /** A login shell, or the command by that shell; in an image without one the command as it stands. */
  private argvOf(command: string | undefined): [string, ...string[]] | undefined {
    const shells = [this.env['SHELL'] ?? '', '/bin/bash', '/bin/ash', '/bin/sh', 'sh'].filter((name) => name !== '');
    const shell = findExecutable(shells, this.env['PATH'] ?? '');
    if (shell !== undefined) return command === undefined ? [shell, '-l'] : [shell, '-c', command];
    const [program, ...args] = command === undefined ? [] : splitWords(command);
    return program === undefined ? undefined : [program, ...args];
  }

  private runOnTerminal(channel: ServerChannel, argv: [string, ...string[]], info: PseudoTtyInfo): void {
    const term = (info as { readonly term?: unknown }).term;
    const env = { ...this.env, TERM: typeof term === 'string' && term !== '' ? term : 'xterm' };
    const terminal = new Terminal(argv, env, HOME, info);
    this.terminal = terminal;
    this.begin(terminal.pid);
    terminal.stream.pipe(channel, { end: false });
    channel.pipe(terminal.stream);
    channel.on('close', () => terminal.hangUp());
    void terminal.exited.then((exit) => {
      this.pid = undefined;
      end(channel, exit);
    });
  }

  private runOnPipes(channel: ServerChannel, [program, ...args]: [string, ...string[]]): void {
    const child = spawn(program, args, { cwd: HOME, env: this.env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    child.stdin.on('error', () => undefined);
    child.on('error', (error) => {
      channel.stderr.write(`${program} cannot be run: ${error.message}\n`);
      leave(channel, NOT_FOUND);
    });
    if (child.pid === undefined) return;
    this.begin(child.pid);
    channel.pipe(child.stdin);
    child.stdout.pipe(channel, { end: false });
    child.stderr.pipe(channel.stderr, { end: false });
    // A client that is gone: the program learns it when it next reads or writes, as with OpenSSH.
    channel.on('close', () => {
      child.stdin.destroy();
      child.stdout.destroy();
      child.stderr.destroy();
    });
    child.on('close', (code, signal) => {
      this.pid = undefined;
      end(channel, { code: code ?? 0, signal: signal === null ? 0 : constants.signals[signal] });
    });
  }

  private begin(pid: number): void {
    this.pid = pid;
    writeFile(`/proc/${pid}/oom_score_adj`, OOM_SCORE).catch(() => undefined);
  }
}

/** Not every request wants an answer, whatever the types say. */
function answer(reply: (() => void) | undefined): void {
  reply?.();
}

function end(channel: ServerChannel, { code, signal }: TerminalExit): void {
  const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0];
  if (signal === 0 || name === undefined) leave(channel, code);
  else {
    channel.exit(name.replace(/^SIG/, ''), false);
    channel.end();
  }
}

function leave(channel: ServerChannel, code: number): void {
  channel.exit(code);
  channel.end();
}
