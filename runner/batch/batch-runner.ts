import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { HOME } from '../boot/account.js';
import type { Environment } from '../boot/child-environment.js';
import { startChild, type Child } from '../process/child.js';
import { exitCodeOf } from '../process/exit-status.js';
import type { MemoryWatch } from '../process/memory-watch.js';
import { OutputPump, type Echo } from '../process/output-pump.js';
import type { PipePool } from '../process/pipe-pool.js';
import type { RuntimeChoice } from '../query/runtime-choice.js';
import type { FrameSender } from '../wire/frame-sender.js';
import { planStep, type BatchPlan, type BatchStep } from './heuristics.js';

const SKIPPED = 127;
/** From this interrupt on, a program and all that it has started are killed. */
const INSISTENT = 3;

export interface BatchDependencies {
  readonly sender: FrameSender;
  readonly env: Environment;
  readonly pipes: PipePool;
  readonly memory: MemoryWatch;
  readonly echo: Echo;
  readonly shell: string | undefined;
  readonly choice: RuntimeChoice;
}

/** Clean, build and exec: programs run to their end with their output streamed (krunner.md §4.3). */
export class BatchRunner {
  private running: Child | undefined;
  private buildFailed = false;
  private stopping = false;
  /** Of the program that runs. */
  private interrupts = 0;

  constructor(private readonly deps: BatchDependencies) {}

  /** Runs one step; resolves with its exit code when all its output is on the way. After a failed build the next exec is skipped once (krunner.md §2.8). */
  async step(step: BatchStep, payload: string): Promise<number> {
    if (step === 'exec' && this.buildFailed) {
      this.buildFailed = false;
      return SKIPPED;
    }
    const { language, interpreter } = this.deps.choice;
    const exists = (name: string): boolean => existsSync(join(HOME, name));
    const plan = planStep(step, payload, { language, interpreter, exists });
    const exitCode = await this.execute(plan, step === 'exec' ? { _BACKEND_BATCH_MODE: '1' } : {});
    if (step === 'build') this.buildFailed = exitCode !== 0;
    return exitCode;
  }

  /** Runs a script of the user to its end, output sent like that of a step. */
  runScript(path: string): Promise<number> {
    return this.execute(this.deps.shell === undefined ? { argv: [path] } : { argv: [this.deps.shell, path] }, {});
  }

  get busy(): boolean {
    return this.running !== undefined;
  }

  /** A program may take its time to end, or take no notice, as what runs in a shell's background; not for ever. */
  interrupt(): void {
    this.interrupts += 1;
    if (this.interrupts < INSISTENT) this.running?.signal('SIGINT');
    else this.running?.kill();
  }

  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    await this.running?.terminate(graceMs);
  }

  /** A method, since it changes while `execute` waits. */
  private isStopping(): boolean {
    return this.stopping;
  }

  private async execute(plan: BatchPlan, extra: Environment): Promise<number> {
    if ('exitCode' in plan) {
      if (plan.reason !== undefined) this.complain(plan.reason);
      return plan.exitCode;
    }
    if (this.isStopping()) return -15;
    const argv = 'argv' in plan ? plan.argv : this.shellArgv(plan.command);
    const { sender, env, pipes, memory, echo } = this.deps;
    const killsBefore = memory.kills();
    let child: Child;
    try {
      child = await startChild(argv, { cwd: HOME, env: { ...env, ...extra }, pipes });
    } catch (error) {
      this.complain(`Cannot run ${argv[0] ?? ''}: ${error instanceof Error ? error.message : String(error)}`);
      return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? SKIPPED : -1;
    }
    this.running = child;
    this.interrupts = 0;
    const pumps = [
      new OutputPump(child.stdout, 'stdout', sender, echo),
      new OutputPump(child.stderr, 'stderr', sender, echo),
    ];
    const status = await child.exited;
    if (this.isStopping()) for (const pump of pumps) pump.abandon();
    await Promise.all(pumps.map((pump) => pump.ended));
    this.running = undefined;
    const outOfMemory = memory.clauseSince(killsBefore);
    if (outOfMemory !== undefined) this.complain(`A process of this run is gone: ${outOfMemory}.`);
    const exitCode = exitCodeOf(status);
    return this.isStopping() && exitCode === 0 ? -15 : exitCode;
  }

  private shellArgv(command: string): string[] {
    if (this.deps.shell !== undefined) return [this.deps.shell, '-c', command];
    this.complain('This image has no /bin/sh: the command is run without shell syntax, split at blanks.');
    return command.trim().split(/\s+/);
  }

  private complain(text: string): void {
    this.deps.sender.push({ kind: 'stderr', payload: `${text}\n` });
  }
}
