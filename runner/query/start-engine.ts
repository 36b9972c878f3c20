import { execFile } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Environment } from '../boot/child-environment.js';
import type { Console } from '../console.js';
import { findExecutable } from '../process/executable.js';
import type { PipePool } from '../process/pipe-pool.js';
import type { FrameSender } from '../wire/frame-sender.js';
import { DriverEngine } from './driver/driver-engine.js';
import { JupyterEngine } from './jupyter/jupyter-engine.js';
import { chooseKernelspec, findKernelspecs, kernelspecDirectories, type Kernelspec } from './jupyter/kernelspec.js';
import type { QueryEngine } from './query-engine.js';
import type { RuntimeChoice } from './runtime-choice.js';

const PROBE = 'import importlib.util as u, sys; sys.exit(0 if u.find_spec("ipykernel") else 3)';
const PROBE_TIMEOUT_MS = 10_000;

export interface EngineDependencies {
  readonly choice: RuntimeChoice;
  readonly env: Environment;
  readonly sender: FrameSender;
  readonly pipes: PipePool;
  readonly console: Console;
  readonly driverDirectory: string;
}

/** Starts language processes: a Jupyter kernel if the image has a working one, else our driver for its language. */
export class EngineStarter {
  private jupyterFailed = false;

  constructor(private readonly deps: EngineDependencies) {}

  async start(): Promise<QueryEngine> {
    const { choice, env, sender, pipes, console, driverDirectory } = this.deps;
    const spec = this.jupyterFailed ? undefined : await this.findSpec();
    if (spec) {
      try {
        return await JupyterEngine.start({ spec, env, sender, console });
      } catch (error) {
        this.jupyterFailed = true;
        const reason = error instanceof Error ? error.message : String(error);
        console.log('WARNING', `the Jupyter kernel ${spec.name} does not start: ${reason}`);
        sender.push({ kind: 'stderr', payload: `The Jupyter kernel ${spec.name} does not start: ${reason}.\n` });
      }
    }
    const { language, interpreter } = choice;
    if (language === 'none') throw new Error('this image has no Python, no Node and no shell.');
    if (interpreter === undefined) throw new Error(`this image has no program for the language ${language}.`);
    return DriverEngine.start({ language, interpreter, driverDirectory, env, pipes, sender });
  }

  private async findSpec(): Promise<Kernelspec | undefined> {
    const { choice, env } = this.deps;
    if (!choice.detected && choice.language !== 'python') return undefined;
    const path = env['PATH'] ?? '';
    const usable = findKernelspecs(kernelspecDirectories(env, this.prefixes())).filter((spec) =>
      findExecutable(spec.argv.slice(0, 1), path),
    );
    const spec = chooseKernelspec(usable, choice.language === 'python' && !choice.detected);
    if (spec || choice.language !== 'python' || choice.interpreter === undefined) return spec;
    const argv = [choice.interpreter, '-m', 'ipykernel_launcher', '-f', '{connection_file}'];
    return (await this.hasIpykernel(choice.interpreter))
      ? { name: 'python', argv, env: {}, interruptByMessage: false }
      : undefined;
  }

  private prefixes(): string[] {
    const { choice, env } = this.deps;
    const programs = choice.interpreter === undefined ? [] : [choice.interpreter];
    try {
      if (choice.interpreter !== undefined) programs.push(realpathSync(choice.interpreter));
    } catch {
      // A dangling link: its own place is enough.
    }
    return [...(env['VIRTUAL_ENV'] ? [env['VIRTUAL_ENV']] : []), ...programs.map((path) => dirname(dirname(path)))];
  }

  private hasIpykernel(interpreter: string): Promise<boolean> {
    return new Promise((resolve) => {
      execFile(interpreter, ['-c', PROBE], { env: this.deps.env, timeout: PROBE_TIMEOUT_MS }, (error) =>
        resolve(!error),
      );
    });
  }
}
