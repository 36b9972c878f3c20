import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Pull, Push } from 'zeromq';
import { REPL_IN_PORT, REPL_OUT_PORT, SSHD_PORT, TTYD_PORT } from '../src/domain/krunner-wire/krunner-wire.js';
import { BatchRunner } from './batch/batch-runner.js';
import { HOME } from './boot/account.js';
import { becomeUser } from './boot/become-user.js';
import { childEnvironment, type Environment } from './boot/child-environment.js';
import { batchEcho, Console } from './console.js';
import { Gate } from './gate/gate.js';
import { findShell } from './process/executable.js';
import { MemoryWatch } from './process/memory-watch.js';
import { PipePool } from './process/pipe-pool.js';
import { QueryRunner } from './query/query-runner.js';
import { chooseRuntime } from './query/runtime-choice.js';
import { EngineStarter } from './query/start-engine.js';
import { Server } from './server.js';
import { clusterFacts, hostKeySeed, prepareHome } from './ssh/home-keys.js';
import type { SshOrder } from './ssh/ssh-service.js';
import { ServiceManager } from './service/service-manager.js';
import type { TerminalOrder } from './terminal/terminal-service.js';
import { FrameSender } from './wire/frame-sender.js';

const CONFIG = '/home/config';
const SERVICE_DEFINITIONS = '/etc/backend.ai/service-defs';
const STOP_GRACE_MS = 500;
const FLUSH_MS = 200;
/** Messages handed to the socket are lost when the agent goes away, so few are handed over ahead (krunner.md §2.1). */
const SEND_AHEAD = 64;

const readOrEmpty = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

/**
 * Host networking gives each kernel ports of its own (krunner.md §1.4). There the sockets, which ask nobody who he is, must
 * be out of reach of other machines; the agent is on this one.
 */
function listenPorts(): { host: string; input: number; output: number; ssh: number; terminal: number } {
  try {
    const ports = JSON.parse(readOrEmpty(`${CONFIG}/intrinsic-ports.json`)) as Record<string, unknown>;
    const port = (name: string, fallback: number): number => (typeof ports[name] === 'number' ? ports[name] : fallback);
    return {
      host: '127.0.0.1',
      input: port('replin', REPL_IN_PORT),
      output: port('replout', REPL_OUT_PORT),
      ssh: port('sshd', SSHD_PORT),
      terminal: port('ttyd', TTYD_PORT),
    };
  } catch {
    return { host: '*', input: REPL_IN_PORT, output: REPL_OUT_PORT, ssh: SSHD_PORT, terminal: TTYD_PORT };
  }
}

async function main(): Promise<void> {
  process.title = 'bai-krunner';
  const console = new Console();
  const warn = (text: string): void => console.log('WARNING', text);
  becomeUser(process.env, findShell('/bin:/usr/bin') ?? '/bin/sh', warn);
  const startedAtSeconds = Number(process.hrtime.bigint()) / 1e9;

  const pull = new Pull();
  const push = new Push({ sendHighWaterMark: SEND_AHEAD, linger: FLUSH_MS });
  const ports = listenPorts();
  await pull.bind(`tcp://${ports.host}:${ports.input}`);
  await push.bind(`tcp://${ports.host}:${ports.output}`);
  const sender = new FrameSender(push);

  const env = childEnvironment(
    process.env,
    readOrEmpty(`${CONFIG}/environ.txt`),
    existsSync,
    join(__dirname, 'fallback'),
  );
  const path = env['PATH'] ?? '';
  const choice = chooseRuntime(process.argv[2] ?? 'app', process.argv[3], path);
  if (choice.warning !== undefined) warn(choice.warning);
  const pipes = new PipePool(env);
  const memory = new MemoryWatch();
  const starter = new EngineStarter({
    choice,
    env,
    sender,
    pipes,
    console,
    driverDirectory: join(__dirname, 'drivers'),
  });
  const query = new QueryRunner({ sender, memory, start: () => starter.start() });
  const echo = await batchEcho(console, env['BACKENDAI_KERNEL_ID']);
  const batch = new BatchRunner({ sender, env, pipes, memory, echo, shell: findShell(path), choice });
  const sshOrder: SshOrder = { hostKeySeed: hostKeySeed().toString('hex'), env };
  const terminalOrder: TerminalOrder = { env };
  const gates = new Map([
    ['sshd', new Gate({ name: 'sshd', port: ports.ssh, program: 'ssh.cjs', order: sshOrder, path }, console)],
    [
      'ttyd',
      new Gate({ name: 'ttyd', port: ports.terminal, program: 'terminal.cjs', order: terminalOrder, path }, console),
    ],
  ]);
  const services = new ServiceManager({ env, console, choice, gates });
  services.load(SERVICE_DEFINITIONS);
  const server = new Server({ sender, query, batch, services, memory, console, startedAtSeconds });

  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    pull.close();
    await server.stop(STOP_GRACE_MS);
    await Promise.race([sender.flushed(), new Promise((resolve) => setTimeout(resolve, FLUSH_MS))]);
    pipes.close();
    push.close();
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop());
  process.on('SIGINT', () => void stop());

  pipes.fill();
  prepareSsh(env, ports.ssh, warn);
  // A kernel without one of them is still a kernel.
  for (const gate of gates.values()) {
    const error = await gate.open();
    if (error !== undefined) warn(error);
  }
  const bootstrap = join(HOME, 'bootstrap.sh');
  if (existsSync(bootstrap)) {
    const exitCode = await batch.runScript(bootstrap);
    if (exitCode !== 0) warn(`bootstrap.sh ended with ${exitCode}`);
  }
  console.log('INFO', `serving ${choice.language} (${choice.interpreter ?? 'no interpreter'})`);
  try {
    for await (const frames of pull) server.receive(frames);
  } catch (error) {
    if (!pull.closed) throw error;
  }
}

function prepareSsh(env: Environment, port: number, warn: (text: string) => void): void {
  try {
    prepareHome(clusterFacts(env, port));
  } catch (error) {
    warn(`${HOME}/.ssh: ${error instanceof Error ? error.message : String(error)}`);
  }
}

main().catch((error: unknown) => {
  new Console().log('ERROR', error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exit(1);
});
