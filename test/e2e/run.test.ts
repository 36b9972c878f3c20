import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentHome } from '../support/agent-home.js';
import { testImage } from '../support/images.js';

interface RunDocument {
  readonly kernel_id: string;
  readonly status: string;
  readonly exit_code: number | null;
  readonly console: readonly (readonly [string, string])[];
  readonly result: unknown;
  readonly usage: Readonly<Record<string, number>> | null;
  readonly timings_ms: Readonly<Record<string, number>>;
}

const MOCK = `
[accelerator.mock]
slot = "mock.device"
devices = [
  { id = "mock0", model = "Mock 8G", memory = "8G", processing-units = 80, numa-node = 0 },
  { id = "mock1", model = "Mock 8G", memory = "8G", processing-units = 80, numa-node = 0 },
]
`;

let image: string;
let home: AgentHome;

beforeAll(async () => {
  image = await testImage('python');
  home = await AgentHome.make({ sections: MOCK });
});

afterAll(async () => {
  await home[Symbol.asyncDispose]();
});

const run = (...args: readonly string[]) => home.ag('run', '--image', image, '--mem', '128m', ...args);
const start = (...args: readonly string[]) => home.start('run', '--image', image, '--mem', '128m', ...args);

async function runJson(expectedStatus: number, ...args: readonly string[]): Promise<RunDocument> {
  const { status, stdout, stderr } = await run('--json', ...args);
  expect({ status, stderr: expectedStatus === 3 ? '' : stderr }).toEqual({ status: expectedStatus, stderr: '' });
  return JSON.parse(stdout) as RunDocument;
}

async function expectNothingLeft(): Promise<void> {
  expect(await home.containers()).toEqual([]);
  expect(await home.scratches()).toEqual([]);
  expect(await readdir(join(home.stateFolder, 'embedded'))).toEqual([]);
}

describe('ag run with no agent: one program from its start to its end', () => {
  it('stdout has what the program prints and stderr what it complains, nothing else', async () => {
    const { status, stdout, stderr } = await run('-q', '-c', 'import sys\nprint("out")\nprint("err", file=sys.stderr)');
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'out\n', stderr: 'err\n' });
    await expectNothingLeft();
  });

  it('tells on stderr what is done, and no line of a log', async () => {
    const { stderr } = await run('-c', 'pass');
    const lines = stderr.trimEnd().split('\n');
    expect(lines.map((line) => line.replace(/:? .*/, ''))).toEqual(['✓', '✓', '✓', 'finished']);
    expect(lines.at(-1)).toMatch(/^finished after .* · CPU .* · memory .* · network .* · disk /);
  });

  it('a failing program is status 1 with its traceback', async () => {
    const { status, stderr } = await run('-q', '-c', 'raise ValueError("a reason")');
    expect(status).toBe(1);
    expect(stderr).toContain('ValueError: a reason');
  });

  it('passes lines on when the program asks, and takes files and options', async () => {
    const data = join(home.folder, 'data');
    await mkdir(data);
    await writeFile(join(data, 'file'), 'mounted');
    const program = join(home.folder, 'program.py');
    await writeFile(
      program,
      `import os
name = input("name? ")
print("hello", name, input())
print(open("/home/work/data/file").read(), os.environ["COLOUR"])
try:
    open("/home/work/data/new", "w")
except OSError as error:
    print("read-only:", error.strerror)
`,
    );
    await using process = start('-q', '--mount', `${data}:/home/work/data:ro`, '--env', 'COLOUR=blue', program);
    await process.until(({ stdout }) => stdout.includes('name? '));
    process.type('you\n');
    process.type('there\n');
    expect(await process.ended).toEqual({
      status: 0,
      stdout: 'name? hello you there\nmounted blue\nread-only: Read-only file system\n',
      stderr: '',
    });
  });

  it('--slot gives a device of the configured accelerator, and no more than there are', async () => {
    const { console } = await runJson(
      0,
      ...['--slot', 'mock.device=1', '-c', 'print(open("/home/config/resource.txt").read())'],
    );
    expect(console[0]![1]).toMatch(/^MOCK\.DEVICE_SHARES=mock[01]:1$/m);
    const { status, stderr } = await run('--slot', 'mock.device=3', '-c', 'pass');
    expect(status).toBe(2);
    expect(stderr).toContain('mock.device');
    await expectNothingLeft();
  });
});

describe('--json tells how it ended', () => {
  it('finished: with result, usage and timings', async () => {
    const write =
      'import os\nfile = open("/home/work/file", "wb")\nfile.write(bytes(8 << 20))\nfile.flush()\nos.fsync(file)\n';
    const document = await runJson(0, '-c', `${write}print("hello")\n6 * 7`);
    expect(document).toEqual({
      kernel_id: expect.any(String),
      image,
      status: 'finished',
      exit_code: 0,
      console: [['stdout', 'hello\n42']],
      result: '42',
      usage: {
        cpu_ms: expect.any(Number),
        mem_peak_bytes: expect.any(Number),
        net_rx_bytes: expect.any(Number),
        net_tx_bytes: expect.any(Number),
        io_read_bytes: expect.any(Number),
        io_write_bytes: expect.any(Number),
      },
      timings_ms: expect.any(Object),
    });
    expect(document.usage!['cpu_ms']).toBeGreaterThan(0);
    expect(document.usage!['mem_peak_bytes']).toBeGreaterThan(1_000_000);
    expect(document.usage!['io_write_bytes']).toBeGreaterThanOrEqual(8 << 20);
    for (const stage of ['agent', 'validate', 'image', 'container', 'runner', 'create', 'execute', 'destroy'])
      expect(document.timings_ms[stage], stage).toBeGreaterThan(0);
  });

  it('exception', async () => {
    const document = await runJson(1, '-c', 'print("before")\n1 / 0');
    expect(document).toMatchObject({ status: 'exception', result: null });
    expect(document.exit_code).not.toBe(0);
    expect(document.console.find(([stream]) => stream === 'stderr')?.[1]).toContain('ZeroDivisionError');
  });

  it('timeout, also of a program that takes no notice of interrupts', async () => {
    const code = 'import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(60)';
    const began = performance.now();
    expect(await runJson(1, '--timeout', '1', '-c', code)).toMatchObject({ status: 'timeout' });
    expect(performance.now() - began).toBeLessThan(20_000);
    await expectNothingLeft();
  });

  it('oom', async () => {
    const code = 'blocks = []\nwhile True: blocks.append(bytearray(8 << 20))';
    expect(await runJson(1, '-c', code)).toMatchObject({ status: 'oom' });
    await expectNothingLeft();
  });

  it('error, with status 3: the container is taken away', async () => {
    await using process = start('--json', '-c', 'import time\ntime.sleep(60)');
    const container = await untilRunning();
    await sleep(1_000);
    await home.docker.getContainer(container).kill();
    const { status, stdout, stderr } = await process.ended;
    expect(status).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ status: 'error', exit_code: null, result: null });
    expect(stderr).toMatch(/^error: /);
    await expectNothingLeft();
  });
});

describe('Ctrl-C', () => {
  const patient =
    'import time\nprint("begun", flush=True)\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print("tidied up")\n    raise';

  it('once interrupts the program, which can tidy up', async () => {
    await using process = start('--json', '-c', patient);
    await untilRunning();
    await sleep(1_000);
    process.send('SIGINT');
    const { status, stdout } = await process.ended;
    expect(status).toBe(1);
    const document = JSON.parse(stdout) as RunDocument;
    expect(document.status).toBe('interrupted');
    expect(document.console[0]).toEqual(['stdout', 'begun\ntidied up\n']);
    await expectNothingLeft();
  });

  it('twice destroys the kernel of a program that goes on', async () => {
    const stubborn =
      'import time\nprint("begun", flush=True)\nwhile True:\n  try:\n    time.sleep(60)\n  except KeyboardInterrupt:\n    print("no")';
    await using process = start('-c', stubborn);
    await process.until(({ stdout }) => stdout.includes('begun'));
    process.send('SIGINT');
    await process.until(({ stdout }) => stdout.includes('no'));
    expect(process.stderr).toContain('press Ctrl-C again to destroy the kernel');
    process.send('SIGINT');
    const { status, stderr } = await process.ended;
    expect(status).toBe(1);
    expect(stderr).toMatch(/^interrupted after/m);
    await expectNothingLeft();
  });

  it('before the program runs, and SIGTERM while it runs, leave nothing either', async () => {
    await using early = start('-c', patient);
    await untilRunning();
    early.send('SIGINT');
    await early.ended;
    await expectNothingLeft();

    await using late = start('-q', '-c', patient);
    await late.until(({ stdout }) => stdout.includes('begun'));
    late.send('SIGTERM');
    expect((await late.ended).status).toBe(3);
    await expectNothingLeft();
  });
});

it('what a killed ag run leaves, the next one takes away', async () => {
  await using killed = start('-c', 'import time\nprint("begun", flush=True)\ntime.sleep(600)');
  await killed.until(({ stdout }) => stdout.includes('begun'));
  const left = await home.containers();
  expect(left).toHaveLength(1);
  killed.send('SIGKILL');
  await killed.ended;

  await using living = start('-q', '-c', 'print("begun", flush=True)\nprint(input())');
  await living.until(({ stdout }) => stdout.includes('begun'));
  const now = await home.containers();
  expect(now).toHaveLength(1);
  expect(now).not.toEqual(left);
  // Nor does the next one touch what belongs to one that lives.
  expect((await run('-q', '-c', 'print("beside it")')).stdout).toBe('beside it\n');
  expect(await home.containers()).toEqual(now);
  living.type('still here\n');
  expect(await living.ended).toMatchObject({ status: 0, stdout: 'begun\nstill here\n' });
  await expectNothingLeft();
});

it('with an agent on this host it is that agent which runs it', async () => {
  await using daemon = await home.startDaemon();
  const { status, stdout, stderr } = await run('-c', 'print("hello")');
  expect({ status, stdout }).toEqual({ status: 0, stdout: 'hello\n' });
  expect(stderr).toContain('the one that runs here');
  expect((await daemon.events()).filter(({ name }) => name === 'kernel_terminated')).toHaveLength(1);
  expect(await home.containers()).toEqual([]);
});

/** The container of this home, as soon as it runs. */
async function untilRunning(): Promise<string> {
  const until = Date.now() + 30_000;
  while (Date.now() < until) {
    const [id] = await home.containers();
    if (id !== undefined && (await isRunning(id))) return id;
    await sleep(20);
  }
  throw new Error('no container runs');
}

async function isRunning(id: string): Promise<boolean> {
  try {
    return (await home.docker.getContainer(id).inspect()).State.Running;
  } catch {
    return false;
  }
}
