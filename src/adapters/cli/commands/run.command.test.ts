import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { containerCreationFailed, imageNotAvailable, kernelTerminated } from '../../../domain/error/errors.js';
import { fakeAgent, say, startCli, type Program } from '../../../../test/support/cli-harness.js';

const hang: Program = (call, index) => (index === 0 ? { console: [['stdout', 'started\n']] } : 'hang');

describe('ag run', () => {
  test('streams output in order, destroys the kernel and stops the agent it started', async () => {
    const agent = fakeAgent(
      (_call, index) =>
        [
          { console: [['stdout', 'one\n'] as const] },
          { console: [['stderr', 'two\n'] as const, ['stdout', 'three\n'] as const] },
          say(['stdout', 'four\n']),
        ][index]!,
    );
    const run = startCli(['ag', 'run', '-q', '-c', 'x'], { agent });
    expect(await run.status).toBe(0);
    expect(run.all()).toBe('one\ntwo\nthree\nfour\n');
    expect(run.stdout()).toBe('one\nthree\nfour\n');
    expect(agent.calls).toEqual(['create', 'destroy', 'stop']);
  });

  test('output is shown before the program ends', async () => {
    const agent = fakeAgent(hang);
    const run = startCli(['ag', 'run', '-c', 'x'], { agent });
    await run.until('started\n');
    expect(agent.calls).not.toContain('destroy');
    run.press('SIGINT');
    await run.status;
  });

  test('progress and a summary go to stderr, one plain line a step', async () => {
    const run = startCli(['ag', 'run', '-c', 'x']);
    expect(await run.status).toBe(0);
    const lines = run.stderr().trimEnd().split('\n');
    expect(lines.map((line) => line.replace(/\(.* m?s\)$/, '').trim())).toEqual([
      '✓ agent: none runs here, started one for this program',
      '✓ image: default:1',
      '✓ kernel: 00000000-0000-4000-8000-000000000001 from default:1',
      '✓ destroy',
      expect.stringMatching(/^finished after .* · CPU 40 ms · memory 1 KiB \(peak 2 KiB\)/),
    ]);
    expect(run.stderr()).not.toContain('\u001b');
  });

  test('on a terminal steps are updated in place and coloured, with NO_COLOR not coloured', async () => {
    const coloured = startCli(['ag', 'run', '-c', 'x'], { isTerminal: true });
    await coloured.status;
    expect(coloured.stderr()).toContain('\r\u001b[2K… image: looking');
    expect(coloured.stderr()).toContain('\u001b[32m✓\u001b[0m');
    const plain = startCli(['ag', 'run', '-c', 'x'], { isTerminal: true, env: { NO_COLOR: '1' } });
    await plain.status;
    expect(plain.stderr()).not.toMatch(/\u001b\[\d+m/);
  });

  test('--json is one document', async () => {
    const agent = fakeAgent(() => say(['stdout', 'hi\n'], ['stdout', '42']));
    const run = startCli(['ag', 'run', '--json', '--image', 'python:3', '-c', 'x'], { agent });
    expect(await run.status).toBe(0);
    const document = JSON.parse(run.stdout()) as Record<string, unknown>;
    expect(document).toEqual({
      kernel_id: '00000000-0000-4000-8000-000000000001',
      image: 'python:3',
      status: 'finished',
      exit_code: 0,
      console: [['stdout', 'hi\n42']],
      result: '42',
      usage: {
        cpu_ms: 40,
        mem_peak_bytes: 2048,
        net_rx_bytes: 1,
        net_tx_bytes: 2,
        io_read_bytes: 3,
        io_write_bytes: 4,
      },
      timings_ms: {
        ...{ agent: expect.any(Number), create: expect.any(Number), image: 1, start: 12 },
        ...{ execute: expect.any(Number), destroy: expect.any(Number) },
      },
    });
    expect(run.stderr()).toBe('');
  });

  test('the kernel gets what the options say', async () => {
    const agent = fakeAgent();
    let seen: unknown;
    const create = agent.useCases.createKernel.bind(agent.useCases);
    const useCases = {
      ...agent.useCases,
      createKernel: (spec: never, signal: never) => ((seen = spec), create(spec, signal)),
    };
    const options = ['--cpu', '2', '--mem', '1g', '--slot', 'mock.device=0.5', '--env', 'A=b=c', '--env', 'E='];
    const run = startCli(
      ['ag', 'run', '--image', 'a/b:1', ...options, '--mount', '/data:/home/work/data:ro', '-c', 'x'],
      {
        agent,
        setup: {
          startEmbeddedAgent: () => Promise.resolve({ useCases, [Symbol.asyncDispose]: () => Promise.resolve() }),
        },
      },
    );
    expect(await run.status).toBe(0);
    expect(seen).toMatchObject({
      image: { canonical: 'a/b:1' },
      resourceSlots: { cpu: '2', mem: '1g', 'mock.device': '0.5' },
      environ: { A: 'b=c', E: '' },
      mounts: [{ name: 'data', hostPath: '/data', kernelPath: '/home/work/data', permission: 'ro' }],
    });
  });

  test('a failing program: status 1, its kernel destroyed all the same', async () => {
    const agent = fakeAgent(() => ({ status: 'finished', exitCode: 1, console: [['stderr', 'Traceback\n']] }));
    const run = startCli(['ag', 'run', '--json', '-c', '1/0'], { agent });
    expect(await run.status).toBe(1);
    expect(JSON.parse(run.stdout())).toMatchObject({ status: 'exception', exit_code: 1, result: null });
    expect(agent.calls).toContain('destroy');
  });

  test('a program killed for memory is reported as such', async () => {
    const agent = fakeAgent(({ kernelId }) => {
      agent.outOfMemory.add(kernelId);
      return { status: 'finished', exitCode: -9 };
    });
    const run = startCli(['ag', 'run', '--json', '-c', 'x'], { agent });
    expect(await run.status).toBe(1);
    expect(JSON.parse(run.stdout())).toMatchObject({ status: 'oom', exit_code: -9 });
  });

  test('a kernel that is lost: status 3, and the document says error', async () => {
    const agent = fakeAgent(() => {
      throw kernelTerminated('the kernel was terminated: self-terminated', { hint: 'create a new kernel' });
    });
    const run = startCli(['ag', 'run', '--json', '-c', 'x'], { agent });
    expect(await run.status).toBe(3);
    expect(JSON.parse(run.stdout())).toMatchObject({ status: 'error', usage: null });
    expect(run.stderr()).toBe('error: the kernel was terminated: self-terminated\n  → create a new kernel\n');
  });

  test.each([
    ['an image that is not there', imageNotAvailable('no such image', { hint: 'pull it' }), 2, 'pull it'],
    ['an engine that fails', containerCreationFailed('no space'), 3, 'ag status'],
    ['a bug', new Error('oops'), 3, 'report it'],
  ])('%s', async (_, failure, status, remedy) => {
    const agent = fakeAgent(undefined, { createKernel: () => Promise.reject(failure) });
    const run = startCli(['ag', 'run', '-c', 'x'], { agent });
    expect(await run.status).toBe(status);
    const lines = run.stderr().trimEnd().split('\n').slice(-2);
    expect(lines[0]).toContain(`error: ${failure.name === 'Error' ? 'unexpected error: ' : ''}${failure.message}`);
    expect(lines[1]).toContain(remedy);
    expect(agent.calls).toEqual(['stop']);
  });
});

describe('Ctrl-C', () => {
  test('once interrupts the program, which may end by itself', async () => {
    const agent = fakeAgent(hang);
    const run = startCli(['ag', 'run', '--json', '-c', 'x'], { agent });
    while (!agent.calls.includes('create')) await new Promise((resolve) => setTimeout(resolve, 1));
    await new Promise((resolve) => setTimeout(resolve, 20));
    run.press('SIGINT');
    expect(await run.status).toBe(1);
    expect(JSON.parse(run.stdout())).toMatchObject({
      status: 'interrupted',
      console: [
        ['stdout', 'started\n'],
        ['stderr', 'KeyboardInterrupt\n'],
      ],
    });
    expect(agent.calls).toEqual(['create', 'interrupt', 'destroy', 'stop']);
  });

  test('twice destroys the kernel of a program that ignores the first', async () => {
    const agent = fakeAgent((_call, index) => ({ console: index === 0 ? [['stdout', 'deaf\n']] : [] }));
    const run = startCli(['ag', 'run', '--json', '-c', 'x'], { agent });
    while (!agent.calls.includes('create')) await new Promise((resolve) => setTimeout(resolve, 1));
    await new Promise((resolve) => setTimeout(resolve, 20));
    run.press('SIGINT');
    await run.until('press Ctrl-C again to destroy the kernel');
    expect(agent.calls).toEqual(['create', 'interrupt']);
    run.press('SIGINT');
    expect(await run.status).toBe(1);
    expect(JSON.parse(run.stdout())).toMatchObject({ status: 'interrupted', console: [['stdout', 'deaf\n']] });
    expect(agent.calls).toEqual(['create', 'interrupt', 'destroy', 'stop']);
  });

  test('while the kernel is made, it cancels that', async () => {
    const agent = fakeAgent(undefined, {
      createKernel: (_spec, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    });
    const run = startCli(['ag', 'run', '-c', 'x'], { agent });
    await run.until('image');
    await new Promise((resolve) => setTimeout(resolve, 5));
    run.press('SIGINT');
    expect(await run.status).toBe(3);
    expect(run.stderr()).toContain('error: interrupted');
    expect(agent.calls).toEqual(['stop']);
  });

  test('SIGTERM during the program destroys the kernel too', async () => {
    const agent = fakeAgent(hang);
    const run = startCli(['ag', 'run', '-c', 'x'], { agent });
    await run.until('started\n');
    run.press('SIGTERM');
    expect(await run.status).toBe(3);
    expect(agent.calls).toEqual(['create', 'destroy', 'stop']);
  });

  test('--timeout interrupts, and a program that goes on is left behind with its kernel destroyed', async () => {
    const agent = fakeAgent(hang);
    const run = startCli(['ag', 'run', '--json', '--timeout', '0.05', '-c', 'x'], { agent });
    expect(await run.status).toBe(1);
    expect(JSON.parse(run.stdout())).toMatchObject({ status: 'timeout' });
    expect(agent.calls).toEqual(['create', 'interrupt', 'destroy', 'stop']);
    const deaf = fakeAgent(() => ({}));
    const second = startCli(['ag', 'run', '--json', '--timeout', '0.05', '-c', 'x'], { agent: deaf });
    expect(await second.status).toBe(1);
    expect(JSON.parse(second.stdout())).toMatchObject({ status: 'timeout', exit_code: null });
    expect(deaf.calls).toEqual(['create', 'interrupt', 'destroy', 'stop']);
  });
});

describe('input', () => {
  const asks: Program = (call, index) => {
    if (index === 0)
      return { status: 'waiting-input', options: { is_password: false }, console: [['stdout', 'name? ']] };
    if (call.mode === 'input') return say(['stdout', `hi ${call.code}\n`]);
    return 'hang';
  };

  test('lines of standard input are passed on when asked for', async () => {
    const agent = fakeAgent(asks);
    const run = startCli(['ag', 'run', '-c', 'x'], { agent, stdin: 'Ada\nunread' });
    expect(await run.status).toBe(0);
    expect(run.stdout()).toBe('name? hi Ada\n');
    expect(agent.inputs).toEqual(['Ada']);
  });

  test('a line in pieces, and typed after the question', async () => {
    const agent = fakeAgent(asks);
    const run = startCli(['ag', 'run', '-c', 'x'], { agent });
    await run.until('name? ');
    run.stdin.write('Gr');
    run.stdin.write(Buffer.from('ü\n').subarray(0, 1));
    run.stdin.write(Buffer.from('ü\n').subarray(1));
    expect(await run.status).toBe(0);
    expect(agent.inputs).toEqual(['Grü']);
  });

  test('at the end of input the program is interrupted instead of asked for ever', async () => {
    const agent = fakeAgent(asks);
    const run = startCli(['ag', 'run', '-c', 'x'], { agent, stdin: '' });
    expect(await run.status).toBe(1);
    expect(run.stderr()).toContain('standard input is at its end');
    expect(agent.calls).toContain('interrupt');
  });

  test('a password is read without echo, in raw mode that is left again', async () => {
    const agent = fakeAgent((call, index) =>
      index === 0 ? { status: 'waiting-input', options: { is_password: true }, console: [['stdout', 'pw? ']] } : say(),
    );
    const run = startCli(['ag', 'run', '-c', 'x'], { agent });
    const modes: boolean[] = [];
    Object.assign(run.stdin, { isTTY: true, setRawMode: (on: boolean) => modes.push(on) });
    await run.until('pw? ');
    run.stdin.write('sesamx\u007fe\r');
    expect(await run.status).toBe(0);
    expect(agent.inputs).toEqual(['sesame']);
    expect(modes).toEqual([true, false]);
    expect(run.all()).not.toContain('sesam');
  });

  test('Ctrl-C while input is waited for interrupts the program', async () => {
    const agent = fakeAgent(asks);
    const run = startCli(['ag', 'run', '-c', 'x'], { agent });
    await run.until('name? ');
    run.press('SIGINT');
    expect(await run.status).toBe(1);
    expect(run.stderr()).toContain('KeyboardInterrupt');
  });

  test('- takes the whole of standard input as the program, FILE a file', async () => {
    const codes: string[] = [];
    const agent = fakeAgent((call) => (codes.push(call.code), say()));
    expect(await startCli(['ag', 'run', '-'], { agent, stdin: 'a = 1\nprint(a)\n' }).status).toBe(0);
    const folder = mkdtempSync(join(tmpdir(), 'cli-run-'));
    writeFileSync(join(folder, 'p.py'), 'print(2)\n');
    expect(await startCli(['ag', 'run', 'p.py'], { agent, cwd: folder }).status).toBe(0);
    rmSync(folder, { recursive: true });
    expect(codes).toEqual(['a = 1\nprint(a)\n', 'print(2)\n']);
  });
});

describe('wrong usage is told before anything happens', () => {
  test.each([
    [['--cpu', '0'], '--cpu', 'a number of cores'],
    [['--cpu', 'many'], '--cpu', 'a number of cores'],
    [['--mem', '12 apples'], '--mem', 'a size above 0'],
    [['--mem', '0'], '--mem', 'a size above 0'],
    [['--slot', 'cuda.device'], '--slot', 'NAME=N'],
    [['--slot', 'cuda.device=-1'], '--slot', 'NAME=N'],
    [['--slot', 'mem=1'], '--slot', '--mem'],
    [['--env', 'A'], '--env', 'K=V'],
    [['--env', 'A=1\nB=2'], '--env', 'K=V'],
    [['--env', '1A=1'], '--env', 'K=V'],
    [['--mount', '/a'], '--mount', 'SRC:DST'],
    [['--mount', '/a/../etc:/home/work/x'], '--mount', 'absolute paths without'],
    [['--mount', 'a:/home/work/x'], '--mount', 'SRC:DST'],
    [['--mount', '/a:/b:rx'], '--mount', 'SRC:DST'],
    [['--timeout', '-1'], '--timeout', 'seconds above 0'],
    [['--image', 'a b'], '--image', 'a name such as'],
    [['--no-such-option'], 'ag run', '--help'],
    [['file-too.py'], 'FILE', 'only one of'],
  ])('%j', async (options, field, allowed) => {
    const agent = fakeAgent();
    const run = startCli(['ag', 'run', ...options, '-c', 'x'], { agent });
    expect(await run.status).toBe(2);
    expect(run.stderr()).toMatch(/^error: .*\n {2}→ .*\n$/);
    expect(run.stderr()).toContain(`error: ${field}`);
    expect(run.stderr()).toContain(allowed);
    expect(agent.calls).toEqual([]);
  });

  test('no program at all, and one that is not there', async () => {
    const none = startCli(['ag', 'run']);
    expect(await none.status).toBe(2);
    expect(none.stderr()).toContain('FILE: no program is given');
    const absent = startCli(['ag', 'run', '/no/such.py']);
    expect(await absent.status).toBe(2);
    expect(absent.stderr()).toContain('/no/such.py');
  });
});
