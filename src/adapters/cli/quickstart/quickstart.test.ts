import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { type CliOptions, fakeAgent, say, startCli, type Program } from '../../../../test/support/cli-harness.js';
import { STATUS } from '../../../../test/support/scripted-use-cases.js';
import type { UseCases } from '../../../application/use-cases.js';
import type { KernelTrace } from '../cli-dependencies.js';
import { PIECES, webServer, workload } from './demonstration.js';

/** A kernel that answers like Python would, and remembers the page it is told to serve. */
function python(): { program: Program; page: () => string } {
  let page = '';
  const program: Program = ({ code }) => {
    if (code.includes('platform')) return say(['stdout', 'hello from main1\n'], ['stdout', '42']);
    if (code.includes('still')) return say(['stdout', 'x is still 6\n']);
    if (code.includes('divide'))
      return {
        status: 'finished',
        exitCode: 1,
        console: [['stderr', '\u001b[31mZeroDivisionError\u001b[0m: division by zero']],
      };
    page = /file\.write\("(served[^"]*)"\)/.exec(code)?.[1] ?? page;
    return say();
  };
  return { program, page: () => page };
}

/** Usage that grows with each reading. */
function growing(): UseCases['usage'] {
  let n = 0;
  return () => ({
    cpuMs: ++n * 100,
    memBytes: n << 20,
    memPeakBytes: n << 20,
    netRxBytes: 0,
    netTxBytes: n * 10,
    ioReadBytes: 0,
    ioWriteBytes: n * 1000,
  });
}

function quickstart(options: CliOptions & { script?: Partial<UseCases>; program?: Program } = {}) {
  const kernel = python();
  const agent = fakeAgent(options.program ?? kernel.program, { usage: growing(), ...options.script });
  const traces: KernelTrace[] = [];
  const urls: string[] = [];
  const run = startCli(['ag', 'quickstart'], {
    agent,
    ...options,
    quickstart: {
      leftovers: (trace) => (traces.push(trace), Promise.resolve([])),
      fetchPage: (url) => (urls.push(url), Promise.resolve(`${kernel.page()}\n`)),
      ...options.quickstart,
    },
  });
  return { run, agent, traces, urls };
}

describe('ag quickstart', () => {
  test('all steps, each with its time, and what to try next', async () => {
    const { run, agent, traces, urls } = quickstart();
    expect(await run.status).toBe(0);
    const steps = run
      .stderr()
      .split('\n')
      .filter((line) => line.startsWith('✓'));
    expect(steps.map((line) => /^✓ ([^:(]*?) ?[:(]/.exec(line)?.[1])).toEqual([
      ...['container engine', 'image', 'agent', 'kernel', 'code with output and a value', 'state kept between runs'],
      ...[
        'exception with its traceback',
        'what it uses, live',
        'service port',
        'destroy the kernel',
        'nothing is left',
      ],
    ]);
    for (const line of steps) expect(line).toMatch(/\([\d.]+ m?s\)$/);
    expect(run.stderr()).toContain('    ZeroDivisionError: division by zero\n');
    expect(run.stderr()).toContain('network in 0 B, out ');
    expect(urls[0]).toBe('http://127.0.0.1:30100/');
    expect(traces).toEqual([
      { kernelId: '00000000-0000-4000-8000-000000000001', containerId: 'c0ffee', hostPorts: [30100] },
    ]);
    expect(agent.calls).toEqual(['create', 'destroy', 'stop']);
    expect(run.stdout()).toContain('./backend.ai ag run');
  });

  test('the kernel has one core, 512 MiB and one preopen port', async () => {
    const seen: unknown[] = [];
    const { run } = quickstart({
      script: { createKernel: (spec) => (seen.push(spec), Promise.reject(new Error('enough'))) },
    });
    expect(await run.status).toBe(3);
    expect(seen[0]).toMatchObject({
      resourceSlots: { cpu: '1', mem: '512m' },
      preopenPorts: [8000],
      image: { canonical: 'default:1' },
    });
  });

  test.each([
    [
      'an engine that is not there',
      { quickstart: { checkEngine: () => Promise.reject(new Error('no Docker')) } },
      '✗ container engine',
      [],
    ],
    [
      'code that answers something else',
      { program: () => say(['stdout', '41']) },
      '✗|code with output and a value',
      ['create', 'destroy', 'stop'],
    ],
    [
      'a page that cannot be had',
      { quickstart: { fetchPage: () => Promise.resolve('another page') } },
      '✗ service port',
      ['create', 'destroy', 'stop'],
    ],
    [
      'usage that stands still',
      {
        script: {
          usage: () => ({
            cpuMs: 1,
            memBytes: 1,
            memPeakBytes: 1,
            netRxBytes: 1,
            netTxBytes: 1,
            ioReadBytes: 1,
            ioWriteBytes: 1,
          }),
        },
      },
      'no usage was measured of: cpuMs, netTxBytes, ioWriteBytes',
      ['create', 'destroy', 'stop'],
    ],
    [
      'a container left behind',
      { quickstart: { leftovers: () => Promise.resolve([{ kind: 'container' as const, what: 'c0ffee' }]) } },
      'left behind: container c0ffee',
      ['create', 'destroy', 'stop'],
    ],
  ])('%s: status 3, the step named, all cleaned up', async (_, options, told, calls) => {
    const { run, agent } = quickstart(options);
    expect(await run.status).toBe(3);
    for (const part of told.split('|')) expect(run.stderr()).toContain(part === '✗' ? 'error:' : part);
    expect(run.stdout()).not.toContain('try next');
    expect(agent.calls).toEqual(calls);
  });

  test('a slot that stays occupied in the books is a leak', async () => {
    let calls = 0;
    const status = (): typeof STATUS => ({
      ...STATUS,
      slots: { ...STATUS.slots, occupied: { cpu: ++calls === 1 ? '0' : '1' } },
    });
    const { run } = quickstart({ script: { status } });
    expect(await run.status).toBe(3);
    expect(run.stderr()).toContain('left behind: slot cpu: 1 occupied');
  });

  test('Ctrl-C in the middle destroys the kernel', async () => {
    const { run, agent } = quickstart({ program: () => ({}) });
    await run.until('✓ kernel');
    await new Promise((resolve) => setTimeout(resolve, 20));
    run.press('SIGINT');
    expect(await run.status).toBe(3);
    expect(agent.calls).toEqual(['create', 'destroy', 'stop']);
  });
});

/** The host's own Python shows that the programs are right; it is not what kernels run. */
const python3 = (() => {
  try {
    execFileSync('python3', ['--version']);
    return true;
  } catch {
    return false;
  }
})();

test.runIf(python3)('the programs of the quickstart are valid Python', () => {
  for (const code of [...PIECES.map((piece) => piece.code), workload(1), webServer(8000, `it's "quoted" \\ ü`)])
    execFileSync('python3', ['-c', 'import ast, sys; ast.parse(sys.stdin.read())'], { input: code });
});
