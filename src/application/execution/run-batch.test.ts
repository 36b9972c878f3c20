import 'reflect-metadata';
import { describe, expect, it } from 'vitest';
import { KERNEL_ID, kernelSpec } from '../../../test/support/kernel-records.js';
import { ManualClock, settle } from '../../../test/support/manual-clock.js';
import { MemoryKernelRunner } from '../../../test/support/memory-kernel-runner.js';
import { MemoryKernelStore } from '../../../test/support/memory-kernel-store.js';
import { MemoryLogger } from '../../../test/support/memory-logger.js';
import type { AgentEvent } from '../../domain/event/agent-event.js';
import { Kernel } from '../../domain/kernel/kernel.js';
import type { AgentSettings } from '../agent-settings.js';
import { KernelRegistry } from '../kernel/kernel-registry.js';
import { LiveKernel } from '../kernel/live-kernel.js';
import type { SampleUsage } from '../statistics/sample-usage.use-case.js';
import { ExecuteCode } from './execute-code.use-case.js';
import { RunBatch } from './run-batch.use-case.js';
import { RunSession } from './run-session.js';

const never = new AbortController().signal;
const sessionId = kernelSpec().sessionId;
const JOB = { kernelId: KERNEL_ID, sessionId, code: 'make all', timeoutMs: null };

/** One life of an agent; `before` is the one that died, whose disk and container are still there. */
class Life {
  readonly clock: ManualClock;
  readonly store: MemoryKernelStore;
  readonly told: AgentEvent[] = [];
  readonly logger = new MemoryLogger();
  readonly registry = new KernelRegistry();
  readonly runner = new MemoryKernelRunner();
  readonly live: LiveKernel;
  readonly batches: RunBatch;

  private constructor(kernel: Kernel, before?: Life) {
    this.clock = before?.clock ?? new ManualClock();
    this.store = before?.store ?? new MemoryKernelStore();
    this.live = new LiveKernel(kernel);
    const events = { announce: (event: AgentEvent) => Promise.resolve(void this.told.push(event)) } as never;
    const usage = { of: () => undefined } as unknown as SampleUsage;
    const code = new ExecuteCode(this.registry, events, usage, this.clock);
    const settings = { agentId: 'i-test' } as AgentSettings;
    this.batches = new RunBatch(settings, this.registry, code, this.store, events, this.clock, this.logger);
    const ids = { uuid: () => 'uuid', uuidOf: () => 'uuid', hex: () => 'hex' };
    const isRecovered = before !== undefined;
    this.live.session = new RunSession(this.runner, this.clock, ids, { isRecovered });
    this.registry.add(this.live);
  }

  static first(): Life {
    const life = new Life(new Kernel(kernelSpec({ sessionType: 'batch' }), 0));
    life.live.kernel.become('RUNNING');
    return life;
  }

  /** The agent is killed and started again; `runs` is what the runner says of its runs. */
  async again(runs?: ReadonlyMap<string, number | null>, afterMs = 0): Promise<Life> {
    const [record] = (await this.store.load()).records;
    // What the dead one does meanwhile is its own: nothing of it is read any more.
    await this.clock.advance(afterMs);
    const life = new Life(Kernel.fromRecord(record!), this);
    if (runs) life.live.session!.learn(runs);
    life.batches.resume(life.live);
    await settle();
    return life;
  }

  async trigger(changes: Partial<typeof JOB | { timeoutMs: number }> = {}): Promise<void> {
    await this.batches.execute({ ...JOB, ...changes }, never);
    await settle();
  }

  async finish(exitCode: number): Promise<void> {
    this.runner.emit('finished', JSON.stringify({ exitCode }));
    await this.pass(2_000);
  }

  async pass(ms: number): Promise<void> {
    await settle();
    for (let passed = 0; passed < ms; passed += 100) {
      await this.clock.advance(100);
      await settle();
    }
  }

  get outcomes(): readonly unknown[] {
    return this.told.flatMap((event) =>
      event.name === 'session_success' || event.name === 'session_failure'
        ? [[event.name, event.body.reason, event.body.exit_code]]
        : [],
    );
  }

  get execs(): readonly string[] {
    return this.runner.sent.flatMap(([op, payload]) => (op === 'exec' ? [payload] : []));
  }

  get interrupts(): number {
    return this.runner.sent.filter(([op]) => op === 'interrupt').length;
  }
}

describe('RunBatch', () => {
  it.each([
    [0, 'session_success', 'task-finished'],
    [3, 'session_failure', 'task-failed'],
    [-9, 'session_failure', 'task-failed'],
  ])('tells the end of a job once: exit code %i', async (exitCode, name, reason) => {
    const life = Life.first();
    await life.trigger();
    expect(life.execs).toEqual(['make all']);
    life.runner.emit('clean-finished', '{"exitCode": 0}');
    life.runner.emit('build-finished', '{"exitCode": 0}');
    life.runner.emit('stdout', 'x'.repeat(20 * 2 ** 20));
    await settle();
    expect(life.outcomes).toEqual([]);
    await life.finish(exitCode);
    expect(life.outcomes).toEqual([[name, reason, exitCode]]);
    expect(life.told.filter((event) => event.name === 'execution_finished')).toHaveLength(1);
    expect(life.store.saved.at(-1)?.batch).toMatchObject({ code: 'make all', isOver: true });
    expect(life.clock.pending).toBe(0);
  });

  it('does nothing when it is asked again, during the job and after it', async () => {
    const life = Life.first();
    await life.trigger();
    await life.trigger();
    await life.finish(0);
    await life.trigger();
    expect(life.execs).toHaveLength(1);
    expect(life.outcomes).toHaveLength(1);
  });

  it('tells the failure of a job for a kernel that is not here', async () => {
    const life = Life.first();
    life.registry.delete(life.live);
    await life.trigger();
    expect(life.outcomes).toEqual([['session_failure', 'task-failed', -1]]);
  });

  it('interrupts at the limit, insists, and does not tell the late end', async () => {
    const life = Life.first();
    await life.trigger({ timeoutMs: 60_000 });
    await life.clock.advance(59_999);
    expect(life.outcomes).toEqual([]);
    await life.clock.advance(1);
    expect(life.outcomes).toEqual([['session_failure', 'task-timeout', -2]]);
    expect(life.interrupts).toBe(1);
    await life.clock.advance(3_000);
    expect(life.interrupts).toBe(3);
    await life.finish(0);
    expect(life.outcomes).toHaveLength(1);
    expect(life.clock.pending).toBe(0);
  });

  it('interrupts once where that is enough', async () => {
    const life = Life.first();
    await life.trigger({ timeoutMs: 1_000 });
    await life.clock.advance(1_000);
    await life.finish(-2);
    await life.clock.advance(10_000);
    expect(life.interrupts).toBe(1);
    expect(life.outcomes).toEqual([['session_failure', 'task-timeout', -2]]);
  });

  it('does not even start with no time at all', async () => {
    const life = Life.first();
    await life.trigger({ timeoutMs: 0 });
    await life.pass(2_000);
    expect(life.execs).toEqual([]);
    expect(life.outcomes).toEqual([['session_failure', 'task-timeout', -2]]);
  });

  it('tells an end no sooner than 0.3 seconds after it was asked for the job', async () => {
    const life = Life.first();
    await life.trigger();
    life.runner.emit('finished', '{"exitCode": 0}');
    await life.pass(200);
    expect(life.outcomes).toEqual([]);
    await life.pass(100);
    expect(life.outcomes).toHaveLength(1);
  });

  it('does not keep an end back when the kernel is ended meanwhile', async () => {
    const life = Life.first();
    await life.trigger();
    life.runner.emit('finished', '{"exitCode": 0}');
    await life.pass(100);
    life.live.kernel.become('TERMINATING');
    await life.pass(100);
    expect(life.outcomes).toEqual([['session_success', 'task-finished', 0]]);
  });

  it('tells an end again while nobody ends the kernel, and no more than four times', async () => {
    const life = Life.first();
    await life.trigger();
    await life.finish(0);
    const toldAt: number[] = [];
    for (let second = 0; second < 400; second++) {
      const before = life.outcomes.length;
      await life.batches.repeatEnds();
      if (life.outcomes.length > before) toldAt.push(second);
      await life.clock.advance(1_000);
    }
    // The end was known two seconds before the first second counted here.
    expect(toldAt).toEqual([1, 13, 58, 298]);
    expect(new Set(life.outcomes.map(String)).size).toBe(1);
  });

  it('tells an end again after a restart of the agent, and none of a kernel that is being ended', async () => {
    const first = Life.first();
    await first.trigger();
    await first.finish(0);
    const second = await first.again(undefined, 20_000);
    await second.batches.repeatEnds();
    expect(second.outcomes).toEqual([['session_success', 'task-finished', 0]]);
    second.live.kernel.become('TERMINATING');
    await second.clock.advance(600_000);
    await second.batches.repeatEnds();
    expect(second.outcomes).toHaveLength(1);
  });

  it('leaves the end of a kernel to the event of that', async () => {
    const life = Life.first();
    await life.trigger({ timeoutMs: 1_000 });
    life.live.kernel.become('TERMINATING');
    await life.live.session!.close('self-terminated');
    await life.clock.advance(2_000);
    expect(life.outcomes).toEqual([]);
    expect(life.store.saved.at(-1)?.batch).toMatchObject({ isOver: false });
  });

  it('tells a job that a restart of the kernel broke off, and one that the runner does not take', async () => {
    const restarted = Life.first();
    await restarted.trigger();
    restarted.live.kernel.become('RESTARTING');
    await restarted.live.session!.close('restarting');
    await restarted.pass(2_000);
    expect(restarted.outcomes).toEqual([['session_failure', 'task-failed', -1]]);
    const refused = Life.first();
    refused.runner.onSend = () => Promise.reject(new Error('no'));
    await refused.trigger();
    await refused.pass(2_000);
    expect(refused.outcomes).toEqual([['session_failure', 'task-failed', -1]]);
  });

  it('runs also when nothing can be written', async () => {
    const life = Life.first();
    life.store.failure = new Error('disk full');
    await life.trigger();
    await life.finish(0);
    expect(life.outcomes).toEqual([['session_success', 'task-finished', 0]]);
  });
});

describe('RunBatch in an agent that was restarted', () => {
  it('hears the end of a job that still runs, with the time limit from its start', async () => {
    const first = Life.first();
    await first.trigger({ timeoutMs: 60_000 });
    await first.clock.advance(40_000);
    const second = await first.again(new Map([['batch-job', null]]));
    await second.clock.advance(19_000);
    expect(second.outcomes).toEqual([]);
    await second.clock.advance(1_000);
    expect(second.outcomes).toEqual([['session_failure', 'task-timeout', -2]]);
    expect(second.execs).toEqual([]);
  });

  it.each([0, 4])('tells the end that the runner kept, however late: %i', async (exitCode) => {
    const first = Life.first();
    await first.trigger({ timeoutMs: 1_000 });
    const second = await first.again(new Map([['batch-job', exitCode]]), 500_000);
    expect(second.outcomes).toMatchObject([[expect.any(String), expect.any(String), exitCode]]);
    expect(second.execs).toEqual([]);
    const third = await second.again(new Map([['batch-job', exitCode]]));
    expect(third.outcomes).toEqual([]);
  });

  it('starts a job that never reached the runner', async () => {
    const first = Life.first();
    first.runner.onSend = () => new Promise(() => undefined);
    await first.trigger();
    const second = await first.again(new Map());
    expect(second.execs).toEqual(['make all']);
    await second.finish(0);
    expect(second.outcomes).toEqual([['session_success', 'task-finished', 0]]);
  });

  it('waits for the end in a runner that names no runs', async () => {
    const first = Life.first();
    await first.trigger();
    const second = await first.again();
    await second.finish(6);
    expect(second.outcomes).toEqual([['session_failure', 'task-failed', 6]]);
    expect(second.execs).toEqual([]);
  });
});
