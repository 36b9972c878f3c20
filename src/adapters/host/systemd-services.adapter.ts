import { execFile } from 'node:child_process';
import type { Call } from '../../application/ports/call.js';
import type { HostServices, ServiceAction } from '../../application/ports/host-services.port.js';
import { hostServiceFailed } from '../../domain/error/errors.js';

const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_OUTPUT_BYTES = 64 * 1024;

interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** systemd by its own command line: what it may do is what the agent's user may do. */
export class SystemdServices implements HostServices {
  /** Words in front of a command, e.g. the absolute path of `sudo`. */
  constructor(private readonly commands = { systemctl: 'systemctl', systemdRun: 'systemd-run' }) {}

  async state(unit: string, call: Call): Promise<string | undefined> {
    const outcome = await run(this.commands.systemctl, ['is-active', unit], call);
    if (outcome === undefined || isNotBooted(outcome)) return undefined;
    return outcome.stdout.trim() || 'unknown';
  }

  act(action: ServiceAction, unit: string, call: Call): Promise<boolean> {
    return this.#order(this.commands.systemctl, ['--no-block', action, unit], call);
  }

  cycle(unit: string, other: string, call: Call): Promise<boolean> {
    const script = 'systemctl stop "$1"; systemctl restart "$2"; systemctl start "$1"';
    return this.#order(
      this.commands.systemdRun,
      ['--no-block', '--collect', '--quiet', '/bin/sh', '-c', script, 'sh', unit, other],
      call,
    );
  }

  powerOff(call: Call): Promise<boolean> {
    return this.#order(this.commands.systemctl, ['--no-block', 'poweroff'], call);
  }

  async #order(command: string, args: readonly string[], call: Call): Promise<boolean> {
    const outcome = await run(command, args, call);
    if (outcome === undefined || isNotBooted(outcome)) return false;
    if (outcome.exitCode === 0) return true;
    throw hostServiceFailed(`systemd refused: ${outcome.stderr.trim().slice(0, 500) || `exit ${outcome.exitCode}`}`, {
      hint: 'the agent needs the right to control its unit: run it as root, or add a polkit rule for it',
    });
  }
}

/** A container or a chroot: the program is there, its manager is not. */
function isNotBooted({ stderr }: Outcome): boolean {
  return /not been booted with systemd|Failed to connect to bus|Failed to get D-Bus/i.test(stderr);
}

/** `undefined` if there is no such program. */
function run(command: string, args: readonly string[], call: Call): Promise<Outcome | undefined> {
  return new Promise((resolve, reject) => {
    const options = {
      signal: call.signal,
      timeout: call.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      maxBuffer: MAX_OUTPUT_BYTES,
      env: { ...process.env, LC_ALL: 'C' },
    };
    execFile(command, args, options, (error, stdout, stderr) => {
      if (error === null) resolve({ exitCode: 0, stdout, stderr });
      else if (error.code === 'ENOENT') resolve(undefined);
      else if (typeof error.code === 'number') resolve({ exitCode: error.code, stdout, stderr });
      else
        reject(
          error.name === 'AbortError'
            ? (error as Error)
            : hostServiceFailed(`${command} did not answer`, { cause: error }),
        );
    });
  });
}
