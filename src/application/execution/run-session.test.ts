import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock, settle } from '../../../test/support/manual-clock.js';
import { MemoryKernelRunner } from '../../../test/support/memory-kernel-runner.js';
import type { ConsoleItem, ExecutionResult } from '../../domain/execution/execution.js';
import { parseKernelId } from '../../domain/kernel/kernel-id.js';
import type { ExecuteRequest } from '../use-cases.js';
import { RunSession, type RunSessionOptions } from './run-session.js';

const kernelId = parseKernelId('7f3d2c1b-0000-4000-8000-000000000000');
const never = new AbortController().signal;
const OK = '{"exitCode": 0}';

function setUp(options?: RunSessionOptions) {
  const runner = new MemoryKernelRunner();
  const clock = new ManualClock();
  let made = 0;
  const ids = {
    uuid: () => `uuid-${++made}`,
    uuidOf: () => 'uuid',
    hex: (bytes: number) => String(++made).padStart(bytes * 2, '0'),
  };
  const session = new RunSession(runner, clock, ids, options);
  const call = (request: Partial<ExecuteRequest>, signal: AbortSignal = never) =>
    session.execute({ kernelId, runId: null, mode: 'query', code: '', flushTimeoutMs: null, ...request }, signal);
  return { runner, clock, session, call };
}

/** Without the names that go ahead of each run. */
const operations = (runner: MemoryKernelRunner) => runner.sent.filter(([op]) => op !== 'run-id');
const again = (runId: string): Partial<ExecuteRequest> => ({ runId, mode: 'continue', flushTimeoutMs: 100 });

describe('RunSession', () => {
  it('runs a query: sends the code, collects the console, ends with the exit code', async () => {
    const { runner, call } = setUp();
    const pending = call({ code: 'print(1); 1+1' });
    await settle();
    expect(operations(runner)).toEqual([['code', 'print(1); 1+1']]);
    runner.emit('stdout', '1\n');
    runner.emit('stdout', '2');
    runner.emit('finished', OK);
    expect(await pending).toEqual({
      runId: '1'.padStart(32, '0'),
      status: 'finished',
      exitCode: 0,
      options: null,
      console: [['stdout', '1\n2']],
    });
  });

  it('returns `continued` at the flush deadline, whether or not output flows, and goes on from there', async () => {
    const { runner, clock, call } = setUp();
    const first = call({ runId: 'r', flushTimeoutMs: 200 });
    await clock.advance(150);
    runner.emit('stdout', 'a');
    await clock.advance(50);
    expect(await first).toMatchObject({ status: 'continued', exitCode: null, console: [['stdout', 'a']] });
    const second = call(again('r'));
    await clock.advance(100);
    expect(await second).toMatchObject({ status: 'continued', console: [] });
    expect(clock.pending).toBe(0);
  });

  it('keeps what comes between two calls (W1): fast batch steps are told one per call, the end is never lost', async () => {
    const { runner, call } = setUp();
    const first = call({ runId: 'b', mode: 'batch', batch: { clean: '', build: 'make', exec: './a' } });
    await settle();
    expect(operations(runner)).toEqual([
      ['clean', ''],
      ['build', 'make'],
      ['exec', './a'],
    ]);
    runner.emit('clean-finished', OK);
    runner.emit('stdout', 'building\n');
    runner.emit('build-finished', OK);
    runner.emit('stdout', 'out\n');
    runner.emit('finished', '{"exitCode": 3}');
    expect(await first).toMatchObject({ status: 'clean-finished', exitCode: 0, console: [] });
    expect(await call(again('b'))).toMatchObject({ status: 'build-finished', console: [['stdout', 'building\n']] });
    expect(await call(again('b'))).toMatchObject({ status: 'finished', exitCode: 3, console: [['stdout', 'out\n']] });
    expect(await call(again('b'))).toMatchObject({ status: 'finished', exitCode: 3, console: [] });
  });

  it('asks for input and passes it on', async () => {
    const { runner, call } = setUp();
    const first = call({ runId: 'i' });
    await settle();
    runner.emit('stdout', 'name? ');
    runner.emit('waiting-input', '{"is_password": true}');
    expect(await first).toMatchObject({
      status: 'waiting-input',
      options: { is_password: true },
      console: [['stdout', 'name? ']],
    });
    const second = call({ runId: 'i', mode: 'input', code: 'Bob' });
    await settle();
    expect(runner.sent.at(-1)).toEqual(['input', 'Bob']);
    runner.emit('finished', OK);
    expect(await second).toMatchObject({ status: 'finished' });
  });

  it('gives no input to a run that is over, and refuses it for one that waits', async () => {
    const { runner, clock, call } = setUp();
    const first = call({ runId: 'one', flushTimeoutMs: 10 });
    const second = call({ runId: 'two', flushTimeoutMs: 10 });
    await clock.advance(10);
    await Promise.all([first, second]);
    await expect(call({ runId: 'two', mode: 'input', code: 'x' })).rejects.toMatchObject({ field: 'mode' });
    runner.emit('finished', OK);
    expect(await call({ runId: 'one', mode: 'input', code: 'late' })).toMatchObject({ status: 'finished' });
    expect(runner.sent.filter(([op]) => op === 'input')).toEqual([]);
  });

  it('sends the next run only when the one before has ended, read or not (W3, W4)', async () => {
    const { runner, clock, call } = setUp();
    const a = call({ runId: 'a', code: 'A', flushTimeoutMs: 50 });
    const b = call({ runId: 'b', code: 'B', flushTimeoutMs: 50 });
    await clock.advance(50);
    expect((await a).status).toBe('continued');
    expect((await b).status).toBe('continued');
    expect(operations(runner)).toEqual([['code', 'A']]);
    runner.emit('stdout', 'from a');
    runner.emit('finished', OK);
    await settle();
    expect(operations(runner)).toEqual([
      ['code', 'A'],
      ['code', 'B'],
    ]);
    runner.emit('stdout', 'from b');
    runner.emit('finished', '{"exitCode": 1}');
    expect(await call(again('b'))).toMatchObject({ status: 'finished', exitCode: 1, console: [['stdout', 'from b']] });
    expect(await call(again('a'))).toMatchObject({ status: 'finished', exitCode: 0, console: [['stdout', 'from a']] });
  });

  it('loses nothing when a call is cancelled, and keeps the channel (W6)', async () => {
    const { runner, session, call } = setUp();
    const impatient = new AbortController();
    const first = call({ runId: 'r' }, impatient.signal);
    await settle();
    runner.emit('stdout', 'before ');
    impatient.abort();
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });
    runner.emit('stdout', 'after');
    runner.emit('finished', OK);
    expect(await call(again('r'))).toMatchObject({ status: 'finished', console: [['stdout', 'before after']] });
    await session.interrupt();
    expect(runner.sent.at(-1)).toEqual(['interrupt', '']);
    expect(runner.closed).toBe(false);
  });

  it('takes a run out of the line when its first call is cancelled before its turn', async () => {
    const { runner, call } = setUp();
    const first = call({ runId: 'a', code: 'A' });
    const impatient = new AbortController();
    const second = call({ runId: 'b', code: 'B' }, impatient.signal);
    impatient.abort();
    await expect(second).rejects.toMatchObject({ name: 'AbortError' });
    runner.emit('finished', OK);
    await first;
    await settle();
    expect(operations(runner)).toEqual([['code', 'A']]);
    await expect(call(again('b'))).rejects.toMatchObject({ name: 'RunNotFoundError' });
  });

  it('starts again under the id of a run that is going on only after its end', async () => {
    const { runner, call } = setUp();
    const first = call({ runId: 'same', code: 'A' });
    const second = call({ runId: 'same', code: 'B' });
    await settle();
    runner.emit('stdout', 'a');
    runner.emit('finished', OK);
    await settle();
    runner.emit('stdout', 'b');
    runner.emit('finished', OK);
    expect((await first).console).toEqual([['stdout', 'a']]);
    expect((await second).console).toEqual([['stdout', 'b']]);
  });

  it('ends pending calls, those in line too, with a clear error when it is closed', async () => {
    const { runner, session, clock, call } = setUp();
    const a = call({ runId: 'a', flushTimeoutMs: 1000 });
    const b = call({ runId: 'b' });
    const ends = Promise.allSettled([a, b]);
    await session.close('user-requested');
    for (const end of await ends) {
      expect(end).toMatchObject({ status: 'rejected', reason: { name: 'KernelTerminatedError' } });
    }
    await expect(call({})).rejects.toThrow('user-requested');
    expect(runner.closed).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('fails a run that the runner does not take, and goes on with the next', async () => {
    const { runner, call } = setUp();
    runner.onSend = (_op, payload) => {
      if (payload === 'A') throw new Error('no peer');
    };
    const a = call({ code: 'A' });
    const b = call({ code: 'B' });
    await expect(a).rejects.toMatchObject({ name: 'KernelRunnerError' });
    runner.emit('finished', OK);
    expect(await b).toMatchObject({ status: 'finished' });
  });

  it('refuses more waiting runs than the limit, and `continue` without a known id', async () => {
    const { call, clock } = setUp({ limits: { outputCapacity: 1000, waiting: 1, ended: 1 } });
    const held = [call({ flushTimeoutMs: 1 }), call({ flushTimeoutMs: 1 })];
    await expect(call({})).rejects.toMatchObject({ name: 'TooManyRunsError', retryable: true });
    await expect(call(again('nobody'))).rejects.toMatchObject({ name: 'RunNotFoundError', status: 404 });
    await expect(call({ mode: 'continue' })).rejects.toMatchObject({ name: 'InvalidArgumentError', field: 'run_id' });
    await clock.advance(1);
    await Promise.all(held);
  });

  it('returns early when unread output piles up, and leaves out only what nobody reads in time', async () => {
    const { runner, clock, call } = setUp({ limits: { outputCapacity: 1000, waiting: 1, ended: 1 } });
    const first = call({ runId: 'r', flushTimeoutMs: 10_000 });
    await settle();
    runner.emit('stdout', 'x'.repeat(600));
    expect(await first).toMatchObject({ status: 'continued', console: [['stdout', 'x'.repeat(600)]] });
    runner.emit('stdout', 'y'.repeat(5000));
    const second = await call(again('r'));
    expect(second.console[0]).toEqual(['stdout', 'y'.repeat(968)]);
    expect(second.console[1]?.[1]).toContain('4032 characters');
    expect(clock.pending).toBe(0);
  });

  it('claims what a recovered runner is doing for the first unknown id', async () => {
    const { runner, call } = setUp({ isRecovered: true });
    runner.emit('stdout', 'unclaimed');
    const pending = call({ ...again('batch-job'), flushTimeoutMs: null });
    await settle();
    runner.emit('finished', '{"exitCode": 4}');
    expect(await pending).toMatchObject({ status: 'finished', exitCode: 4, console: [['stdout', 'unclaimed']] });
  });

  it('names each run, and takes a recovered runner at its word', async () => {
    const { runner, session, call } = setUp({ isRecovered: true });
    runner.emit('stdout', 'of an earlier run');
    runner.emit('finished', '{"exitCode": 9, "runId": "early"}');
    runner.emit('stdout', 'more');
    session.learn(new Map(Object.entries({ lost: 3, early: 9, going: null })));
    expect(await call(again('lost'))).toMatchObject({ status: 'finished', exitCode: 3, console: [] });
    expect(await call(again('early'))).toMatchObject({ exitCode: 9, console: [['stdout', 'of an earlier run']] });
    await expect(call(again('never'))).rejects.toMatchObject({ name: 'RunNotFoundError' });
    const next = call({ runId: 'next', code: 'A' });
    expect(runner.sent).toEqual([]);
    runner.emit('finished', '{"exitCode": 0, "runId": "going"}');
    await settle();
    expect(runner.sent).toEqual([
      ['run-id', 'next'],
      ['code', 'A'],
    ]);
    runner.emit('finished', '{"exitCode": 7, "runId": "stray"}');
    runner.emit('finished', '{"exitCode": 0, "runId": "next"}');
    expect(await next).toMatchObject({ status: 'finished', exitCode: 0 });
    expect(await call(again('going'))).toMatchObject({ exitCode: 0, console: [['stdout', 'more']] });
  });

  it('does not let a wrong guess about a recovered runner block a new run', async () => {
    const { runner, clock, call } = setUp({ isRecovered: true });
    const guess = call(again('gone'));
    await clock.advance(100);
    expect((await guess).status).toBe('continued');
    const fresh = call({ code: 'A' });
    await settle();
    expect(operations(runner)).toEqual([['code', 'A']]);
    runner.emit('finished', OK);
    expect((await fresh).status).toBe('finished');
    expect(await call(again('gone'))).toMatchObject({ status: 'finished', exitCode: null });
  });
});

type Action =
  | { readonly do: 'emit'; readonly kind: 'stdout' | 'stderr' | 'html'; readonly text: string }
  | { readonly do: 'step' }
  | { readonly do: 'finish' }
  | { readonly do: 'call'; readonly run: 0 | 1; readonly flushMs: number }
  | { readonly do: 'cancel' }
  | { readonly do: 'pass'; readonly ms: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('emit' as const),
      kind: fc.constantFrom('stdout' as const, 'stderr' as const, 'html' as const),
      text: fc.string({ maxLength: 5 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'step' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'finish' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('call' as const),
      run: fc.constantFrom(0 as const, 1 as const),
      flushMs: fc.constantFrom(0, 50, 200),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'cancel' as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(10, 60, 300) }) },
);

/** Text per kind of neighbours, as §3.5 merges them; the same for what was said and for what was heard. */
function merged(items: readonly ConsoleItem[]): readonly (readonly [string, string])[] {
  const out: [string, string][] = [];
  for (const [kind, value] of items) {
    const last = out.at(-1);
    if (last && last[0] === kind && kind !== 'html') last[1] += String(value);
    else if (value !== '') out.push([kind, String(value)]);
  }
  return out;
}

describe('RunSession, whatever happens in whatever order', () => {
  it('loses nothing, keeps the order, ends each run once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
        const { runner, clock, session, call } = setUp();
        const ids = ['run-a', 'run-b'] as const;
        const said: ConsoleItem[][] = [[], []];
        const heard: ConsoleItem[][] = [[], []];
        const steps = [0, 0];
        const stepsHeard = [0, 0];
        const ended = [false, false];
        const endsHeard = [0, 0];
        const calls: { abort: AbortController; done: Promise<void> }[] = [];
        const busy = [false, false];

        const hear = (run: 0 | 1, result: ExecutionResult) => {
          heard[run]!.push(...result.console);
          if (result.status === 'build-finished') stepsHeard[run]! += 1;
          if (result.status === 'finished') endsHeard[run]! += 1;
        };
        const listen = (run: 0 | 1, flushMs: number, mode: ExecuteRequest['mode']) => {
          const abort = new AbortController();
          busy[run] = true;
          const done = call({ runId: ids[run], mode, code: ids[run], flushTimeoutMs: flushMs }, abort.signal)
            .then((result) => hear(run, result))
            .catch((error: unknown) => {
              if (!abort.signal.aborted) throw error;
            })
            .finally(() => (busy[run] = false));
          calls.push({ abort, done });
        };
        // Both are started with a call that stays, so that cancelling can't take the second one out of the line.
        listen(0, 1, 'query');
        listen(1, 1, 'query');
        await clock.advance(1);

        const current = () => (ended[0] ? (ended[1] ? undefined : 1) : 0);
        for (const step of actions) {
          const run = current();
          if (step.do === 'emit' && run !== undefined) {
            said[run]!.push([step.kind, step.text]);
            runner.emit(step.kind, step.text);
          } else if (step.do === 'step' && run !== undefined) {
            steps[run]! += 1;
            runner.emit('build-finished', OK);
          } else if (step.do === 'finish' && run !== undefined) {
            ended[run] = true;
            runner.emit('finished', OK);
          } else if (step.do === 'call' && !busy[step.run] && endsHeard[step.run] === 0) {
            listen(step.run, step.flushMs, 'continue');
          } else if (step.do === 'cancel') {
            calls.at(-1)?.abort.abort();
          } else if (step.do === 'pass') {
            await clock.advance(step.ms);
          }
          await settle();
        }

        for (const run of [0, 1] as const) {
          if (!ended[run]) {
            ended[run] = true;
            runner.emit('finished', OK);
          }
        }
        await clock.advance(1000);
        await Promise.all(calls.map((one) => one.done));
        for (const run of [0, 1] as const) {
          for (let guard = 0; endsHeard[run] === 0 && guard < 100; guard += 1) {
            hear(run, await call(again(ids[run])));
          }
          expect(merged(heard[run]!)).toEqual(merged(said[run]!));
          expect(stepsHeard[run]).toBe(steps[run]);
          expect(endsHeard[run]).toBe(1);
        }
        expect(operations(runner)).toEqual([
          ['code', 'run-a'],
          ['code', 'run-b'],
        ]);
        await session.close('end of test');
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});
