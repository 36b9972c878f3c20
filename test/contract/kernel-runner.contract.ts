import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type {
  KernelRunner,
  KernelRunnerAddress,
  KernelRunnerConnector,
  RunRecord,
} from '../../src/application/ports/kernel-runner.port.js';

/** A running peer that executes python-like code, in query and in batch mode. */
export interface RunningPeer extends AsyncDisposable {
  readonly address: KernelRunnerAddress;
}

export interface KernelRunnerSuite {
  readonly connector: KernelRunnerConnector;
  /** A fresh peer per test, or one that serves all tests and is disposed of by the caller. */
  readonly peer: () => Promise<RunningPeer>;
  /** How long the peer may take to boot and to answer. */
  readonly timeoutMs: number;
}

/** What every runner owes the agent through the port, whoever made it (krunner.md §2.3–2.8). */
export function describeKernelRunner(name: string, suite: KernelRunnerSuite): void {
  describe(`KernelRunner: ${name}`, { timeout: suite.timeoutMs + 5000 }, () => {
    let peer: RunningPeer;
    let runner: KernelRunner;
    let records: RunRecord[];
    let signal: AbortSignal;
    let heard: () => void = () => undefined;

    beforeEach(async () => {
      peer = await suite.peer();
      runner = await suite.connector.connect(peer.address);
      records = [];
      signal = AbortSignal.timeout(suite.timeoutMs);
      runner.onRecord((record) => {
        records.push(record);
        heard();
      });
      await runner.status({ signal, timeoutMs: suite.timeoutMs });
      // A runner may talk while it boots.
      records.length = 0;
    }, suite.timeoutMs + 5000);

    afterEach(async () => {
      await runner[Symbol.asyncDispose]();
      await peer[Symbol.asyncDispose]();
    });

    /** Records up to and including the first of `kind`, taken out of what was heard. */
    async function until(kind: RunRecord['kind']): Promise<RunRecord[]> {
      for (;;) {
        const end = records.findIndex((record) => record.kind === kind);
        if (end >= 0) return records.splice(0, end + 1);
        signal.throwIfAborted();
        await new Promise<void>((resolve, reject) => {
          heard = resolve;
          signal.addEventListener('abort', () => reject(new Error(`no ${kind}; heard ${JSON.stringify(records)}`)), {
            once: true,
          });
        });
      }
    }

    const text = (heardRecords: readonly RunRecord[], kind: RunRecord['kind']) =>
      heardRecords
        .filter((record) => record.kind === kind)
        .map((record) => record.text)
        .join('');
    const exitCode = (heardRecords: readonly RunRecord[]) =>
      (JSON.parse(heardRecords.at(-1)!.text) as { exitCode: number }).exitCode;

    it('tells when it was started', async () => {
      expect((await runner.status({ signal })).startedAt).toEqual(expect.any(Number));
    });

    it('lists its apps', async () => {
      const apps = await runner.apps({ signal });
      expect(apps.every((app) => app.name.length > 0)).toBe(true);
    });

    it('runs code: output, value, end', async () => {
      await runner.send('code', 'print(1); 1+1');
      const said = await until('finished');
      expect(text(said, 'stdout')).toBe('1\n2');
      expect(exitCode(said)).toBe(0);
    });

    it('ends empty code at once', async () => {
      await runner.send('code', '');
      expect(exitCode(await until('finished'))).toBe(0);
    });

    it('keeps stderr apart and its characters whole', async () => {
      await runner.send('code', "import sys; print('hé ✓', file=sys.stderr)");
      const said = await until('finished');
      expect(text(said, 'stderr')).toBe('hé ✓\n');
      expect(text(said, 'stdout')).toBe('');
    });

    it('reports an exception with its traceback', async () => {
      await runner.send('code', 'def f():\n    return 1/0\nf()');
      const said = await until('finished');
      expect(text(said, 'stderr')).toContain('ZeroDivisionError');
      expect(exitCode(said)).toBe(1);
    });

    it('asks for input and takes it', async () => {
      await runner.send('code', "n = input('name? ')\nprint('hello', n)");
      const asked = await until('waiting-input');
      expect(text(asked, 'stdout')).toBe('name? ');
      expect(JSON.parse(asked.at(-1)!.text)).toEqual({ is_password: false });
      await runner.send('input', 'Bob');
      expect(text(await until('finished'), 'stdout')).toContain('hello Bob\n');
    });

    it('runs queued code one after the other, each with its own end', async () => {
      await runner.send('code', "print('first')");
      await runner.send('code', "print('second')");
      expect(text(await until('finished'), 'stdout')).toBe('first\n');
      expect(text(await until('finished'), 'stdout')).toBe('second\n');
    });

    it('stops an endless loop when interrupted', async () => {
      await runner.send('code', 'while True:\n    pass');
      await new Promise((resolve) => setTimeout(resolve, 500));
      await runner.send('interrupt', '');
      const said = await until('finished');
      expect(text(said, 'stderr')).toContain('KeyboardInterrupt');
      expect(exitCode(said)).toBe(1);
    });

    it('answers status while code runs', async () => {
      await runner.send('code', 'import time; time.sleep(1)');
      await runner.status({ signal, timeoutMs: 900 });
      expect(exitCode(await until('finished'))).toBe(0);
    });

    it('runs a batch of three steps, each with its end', async () => {
      await runner.send('clean', '');
      await runner.send('build', 'echo building');
      await runner.send('exec', 'echo out; echo err >&2; exit 3');
      expect(exitCode(await until('clean-finished'))).toBe(0);
      const build = await until('build-finished');
      expect(text(build, 'stdout')).toBe('building\n');
      const exec = await until('finished');
      expect(text(exec, 'stdout')).toBe('out\n');
      expect(text(exec, 'stderr')).toBe('err\n');
      expect(exitCode(exec)).toBe(3);
    });

    it('skips the execution after a failed build', async () => {
      await runner.send('clean', '');
      await runner.send('build', 'exit 2');
      await runner.send('exec', 'echo never');
      expect(exitCode(await until('build-finished'))).toBe(2);
      const exec = await until('finished');
      expect(exitCode(exec)).toBe(127);
      expect(text(exec, 'stdout')).toBe('');
    });

    it('puts characters together that were split between messages', async () => {
      await runner.send('exec', `python3 -c "print('✓'*3334, end='')"`);
      expect(text(await until('finished'), 'stdout')).toBe('✓'.repeat(3334));
    });

    it('says why it does not start an unknown service', async () => {
      const request = { name: 'nope', port: 8900, ports: [8900], protocol: 'http', options: {} };
      const result = await runner.startService(request, { signal });
      expect(result.status).toBe('failed');
      expect(result.error).toContain('nope');
    });

    it('answers a completion, even if it knows nothing', async () => {
      expect(await runner.complete({ code: 'impo', row: 0, col: 4 }, { signal })).toEqual(expect.any(Array));
    });
  });
}
