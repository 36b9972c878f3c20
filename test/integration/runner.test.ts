import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { buildRunner } from '../../scripts/build-runner.mjs';
import { NodeRunnerRuntime } from '../../src/adapters/runner-runtime/node-runner-runtime.adapter.js';
import { testImage, type TestImageKind } from '../support/images.js';
import { RunnerContainer, type RunnerContainerOptions } from '../support/runner-container.js';

let root: string;
let runtime: NodeRunnerRuntime;
const started: RunnerContainer[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'runner-runtime-'));
  await buildRunner(join(root, 'bundle'));
  runtime = new NodeRunnerRuntime({ runtimeRoot: join(root, 'runtime'), bundleDirectory: join(root, 'bundle') });
  await runtime.prepare({ signal: AbortSignal.timeout(60_000) });
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function start(image: TestImageKind, options: RunnerContainerOptions = {}, type = 'app', path?: string) {
  const container = await RunnerContainer.start(await testImage(image), runtime.launch(type, path), options);
  started.push(container);
  await container.ask('status', '', 'status');
  return container;
}
const removeStarted = async () => {
  await Promise.all(started.splice(0).map((container) => container.remove()));
};

describe('the runner in any image', () => {
  afterEach(removeStarted);

  it('serves at once, as the user, without capabilities', async () => {
    const kernel = await start('python');
    const { stdout } = await kernel.run(
      'exec',
      'id; whoami; grep -E "Cap(Eff|Prm|Amb)|NoNew" /proc/self/status; pwd; env',
    );
    expect(stdout).toContain('uid=9001(work) gid=9001(work) groups=9001(work)');
    expect(stdout).toContain('CapEff:\t0000000000000000');
    expect(stdout).toContain('CapPrm:\t0000000000000000');
    expect(stdout).toContain('NoNewPrivs:\t1');
    expect(stdout).toMatch(/^PATH=\/home\/work\/.local\/bin:/m);
    expect(stdout).toMatch(/^HOME=\/home\/work$/m);
    expect(stdout).toMatch(/^_BACKEND_BATCH_MODE=1$/m);
    expect(stdout).not.toMatch(/LD_LIBRARY_PATH|LD_PRELOAD|NODE_OPTIONS|OPENSSL_CONF/);
    const pid = await kernel.runnerPid();
    const processes = await kernel.exec('cat', `/proc/${pid}/cmdline`, `/proc/${pid}/status`);
    expect(processes).toContain('bai-krunner');
    expect(processes).not.toMatch(/\bnode\b/);
  });

  it('takes environ.txt and cannot be attacked by the environment while it is root', async () => {
    const kernel = await start('python', {
      environTxt: 'NODE_OPTIONS=--require /nonexistent\nbroken\nMY=a=b\n',
      env: { ADDITIONAL_GIDS: '44,4711' },
    });
    const { stdout } = await kernel.run('exec', 'echo $MY $NODE_OPTIONS; id -G; id -Gn');
    expect(stdout).toBe('a=b --require /nonexistent\n9001 44 4711\nwork video group4711\n');
  });

  it('stays root for uid 0', async () => {
    const kernel = await start('busybox', { env: { LOCAL_USER_ID: '0', LOCAL_GROUP_ID: '0' } });
    expect((await kernel.run('exec', 'id -u')).stdout).toBe('0\n');
  });

  it.each(['busybox', 'musl'] as const)('keeps a shell alive in %s', async (image) => {
    const kernel = await start(image);
    expect(await kernel.run('code', 'x=5; cd /tmp; f() { echo "f $x"; }')).toMatchObject({ exitCode: 0 });
    expect(await kernel.run('code', 'f; pwd\nfalse')).toMatchObject({ stdout: 'f 5\n/tmp\n', exitCode: 1 });
    const broken = await kernel.run('code', 'if');
    expect(broken.exitCode).not.toBe(0);
    expect(broken.stderr).toMatch(/syntax/i);
    expect(await kernel.run('code', 'echo "still $x"; whoami 2>/dev/null; id -u')).toMatchObject({
      stdout: expect.stringMatching(/^still 5\n(work\n)?9001\n$/),
    });
    const from = kernel.received.length;
    await kernel.send('code', 'echo loop; while :; do :; done; echo never');
    await kernel.waitFor(([kind]) => kind === 'stdout', from);
    await kernel.send('interrupt');
    expect(await kernel.finished(from)).toMatchObject({ stdout: 'loop\n', exitCode: 130 });
    expect(await kernel.run('code', 'echo $x; exit 7')).toMatchObject({ stdout: '5\n', stderr: '', exitCode: 7 });
    expect(await kernel.run('code', 'echo "[$x]"')).toMatchObject({ stdout: '[]\n', exitCode: 0 });
  });

  it('says that an image has nothing to run code with', async () => {
    const kernel = await start('busybox', {}, 'python');
    expect(await kernel.run('code', '1')).toMatchObject({
      exitCode: 127,
      stderr: 'The code cannot run: this image has no program for the language python.\n',
    });
    expect(await kernel.run('exec', 'echo fine')).toMatchObject({ stdout: 'fine\n', exitCode: 0 });
  });

  it('runs with an unknown runtime type and says so in the log', async () => {
    const kernel = await start('busybox', {}, 'haskell');
    expect((await kernel.run('code', 'echo ok')).stdout).toBe('ok\n');
    expect(await kernel.docker('logs')).toContain('runtime type "haskell" is not known');
  });

  it('runs the bootstrap script before it serves', async () => {
    const kernel = await start('busybox', { files: { 'bootstrap.sh': 'echo boot; id -u; touch /home/work/made\n' } });
    expect((await kernel.run('exec', 'ls /home/work')).stdout).toContain('made');
    expect(await kernel.docker('logs')).toMatch(/boot\r?\n9001/);
  });

  it('keeps JavaScript alive with the image’s own node', async () => {
    const kernel = await start('node', {}, 'node', '/usr/bin/node');
    expect(await kernel.run('code', 'const a = 20; let b = 22; console.log("hi"); a + b')).toMatchObject({
      stdout: 'hi\n42',
      exitCode: 0,
    });
    expect(await kernel.run('code', 'b += 1; require("path").join("x", String(b))')).toMatchObject({
      stdout: "'x/23'",
    });
    expect(await kernel.run('code', 'await Promise.resolve(7)')).toMatchObject({ stdout: '7' });
    const failed = await kernel.run('code', 'function f() { throw new Error("boom") }\nf()');
    expect(failed).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('Error: boom') });
    expect(failed.stderr).not.toContain('driver.cjs');
    for (const code of ['while (true) {}', 'await new Promise(() => {})']) {
      const from = kernel.received.length;
      await kernel.send('code', `console.log("go")\n${code}`);
      await kernel.waitFor(([kind]) => kind === 'stdout', from);
      await sleep(50);
      await kernel.send('interrupt');
      expect(await kernel.finished(from)).toMatchObject({ exitCode: 1, stderr: 'Interrupted\n' });
    }
    const from = kernel.received.length;
    await kernel.send('code', 'prompt("who? ")');
    await kernel.waitFor(([kind]) => kind === 'waiting-input', from);
    await kernel.send('input', 'Eve');
    expect((await kernel.finished(from)).stdout).toBe("who? 'Eve'");
    expect(await kernel.run('code', 'process.exit(4)')).toMatchObject({ exitCode: 4 });
  });
});

describe.each(['python', 'jupyter'] as const)('query mode in %s', (image) => {
  let kernel: RunnerContainer;
  beforeAll(async () => {
    kernel = await start(image, { args: ['--memory', '400m', '--memory-swap', '400m'] }, 'python');
  });
  afterAll(removeStarted);

  const untilStdout = (from: number) => kernel.waitFor(([kind]) => kind === 'stdout', from);

  it('prints, gives the value of the last expression, keeps state', async () => {
    expect(await kernel.run('code', 'x = 41\nprint("one")\nx + 1')).toMatchObject({
      console: [['stdout', 'one\n42']],
      exitCode: 0,
      kind: 'finished',
    });
    expect(await kernel.run('code', 'x')).toMatchObject({ stdout: '41' });
    expect(await kernel.run('code', '')).toMatchObject({ console: [], exitCode: 0 });
  });

  it('reports an exception with the user’s frames only', async () => {
    const { stderr, exitCode } = await kernel.run('code', 'def f():\n    return 1/0\nf()');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('ZeroDivisionError');
    expect(stderr).toContain('return');
    expect(stderr).not.toContain('driver.py');
    expect(await kernel.run('code', '1 +')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('SyntaxError'),
    });
    expect((await kernel.run('code', 'import sys; sys.exit(3)')).exitCode).toBe(3);
  });

  it('keeps output of programs and prints in order, and streams as they write', async () => {
    const code = 'import os, subprocess\nfor i in range(3):\n    print("p", i)\n    os.system(f"echo s {i}")';
    if (image === 'python') expect((await kernel.run('code', code)).stdout).toBe('p 0\ns 0\np 1\ns 1\np 2\ns 2\n');
    expect(await kernel.run('code', 'import os; os.system("echo child")')).toMatchObject({
      stdout: 'child\n0',
      stderr: '',
    });
    const streams = 'import sys\nfor i in range(5):\n    print("o", i)\n    print("e", i, file=sys.stderr)';
    const { console } = await kernel.run('code', streams);
    expect(console.map(([kind, text]) => `${kind} ${text}`).join('')).toMatch(/^stdout o 0\n/);
    if (image === 'python') {
      expect(console).toEqual(
        [0, 1, 2, 3, 4].flatMap((i) => [
          ['stdout', `o ${i}\n`],
          ['stderr', `e ${i}\n`],
        ]),
      );
    }
  });

  it('asks for input, also without showing it', async () => {
    const from = kernel.received.length;
    await kernel.send(
      'code',
      'import getpass\nn = input("name? ")\np = getpass.getpass("pw: ")\nprint("hello", n, len(p))',
    );
    const asked = await kernel.waitFor(([kind]) => kind === 'waiting-input', from);
    expect(JSON.parse(kernel.received[asked]![1].toString())).toEqual({ is_password: false });
    expect(
      kernel.received
        .slice(from, asked)
        .map(([, data]) => data.toString())
        .join(''),
    ).toBe('name? ');
    await kernel.send('input', 'Bob');
    const again = await kernel.waitFor(([kind]) => kind === 'waiting-input', asked + 1);
    expect(JSON.parse(kernel.received[again]![1].toString())).toEqual({ is_password: true });
    await kernel.send('input', 'secret');
    expect((await kernel.finished(from)).stdout).toBe('name? pw: hello Bob 6\n');
  });

  it('stops on interrupt, answers status meanwhile, ignores an idle interrupt', async () => {
    await kernel.send('interrupt');
    for (const code of ['while True: pass', 'import time; time.sleep(60)']) {
      const from = kernel.received.length;
      await kernel.send('code', `print("go", flush=True)\n${code}`);
      await untilStdout(from);
      await kernel.ask('status', '', 'status', 2000);
      await kernel.send('interrupt');
      const { exitCode, stderr } = await kernel.finished(from, 10_000);
      expect([exitCode, stderr.includes('KeyboardInterrupt')]).toEqual([1, true]);
    }
    expect((await kernel.run('code', 'x')).stdout).toBe('41');
  });

  it('suggests completions', async () => {
    const reply = await kernel.ask('complete', JSON.stringify({ code: 'impor', row: 0, col: 5 }), 'completion');
    expect(JSON.parse(reply.toString())).toEqual({
      suggestions: expect.arrayContaining([expect.stringContaining('import')]),
    });
  });

  it('sends rich values as html and media', async () => {
    const code = 'class H:\n    def _repr_html_(self): return "<b>x</b>"\nprint("a")\nH()';
    expect((await kernel.run('code', code)).console).toEqual([
      ['stdout', 'a\n'],
      ['html', '<b>x</b>'],
    ]);
  });

  it('streams 50 MB without losing a byte', async () => {
    const { stdout, exitCode } = await kernel.run(
      'code',
      'line = "0123456789" * 10 + "\\n"\nfor _ in range(500000): print(line, end="")',
      90_000,
    );
    expect([stdout.length, exitCode]).toEqual([50_500_000, 0]);
  }, 120_000);

  it('reports the end of the language process and starts another one', async () => {
    const killed = await kernel.run(
      'code',
      'import os, signal\nprint("bye", flush=True)\nos.kill(os.getpid(), signal.SIGKILL)',
    );
    expect(killed).toMatchObject({ exitCode: -9, stderr: expect.stringContaining('signal 9 (SIGKILL)') });
    expect(await kernel.run('code', 'import os; os._exit(5)')).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining('exited with code 5'),
    });
    expect(await kernel.run('code', 'import os; os.abort()')).toMatchObject({ exitCode: -6 });
    expect(await kernel.run('code', 'x = 41; "x" in globals()')).toMatchObject({ stdout: 'True', exitCode: 0 });
  });

  it('says that memory ran out', async () => {
    const result = await kernel.run(
      'code',
      'x = bytearray(3 << 30)\nfor i in range(0, len(x), 4096): x[i] = 1',
      60_000,
    );
    expect(result).toMatchObject({
      exitCode: -9,
      stderr: expect.stringMatching(/memory ran out \(it held \d{3} of 400 MiB/),
    });
    expect((await kernel.run('code', '1')).stdout).toBe('1');
  });

  it('leaves nothing of what the code started when its process dies', async () => {
    const code =
      'import subprocess, os\nsubprocess.Popen(["sleep", "4711"])\nsubprocess.Popen(["sleep", "4711"], start_new_session=True)\nos.kill(os.getpid(), 9)';
    expect((await kernel.run('code', code)).exitCode).toBe(-9);
    const { stdout } = await kernel.run(
      'exec',
      'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; echo; done 2>/dev/null | grep -c "^sleep 4711"',
    );
    expect(stdout.trim()).toBe('0');
  });
});

describe('batch mode', () => {
  let kernel: RunnerContainer;
  beforeAll(async () => {
    const environTxt = 'BACKENDAI_KERNEL_ID=11111111-1111-4111-8111-111111111111\n';
    kernel = await start('python', { environTxt, args: ['--pids-limit', '100'] }, 'python');
  });
  afterAll(removeStarted);

  it('runs clean, build and exec in order, each with its finish', async () => {
    const from = kernel.received.length;
    await kernel.send('clean', '');
    await kernel.send('build', 'echo building');
    await kernel.send('exec', 'echo out; echo err >&2; exit 3');
    await kernel.waitFor(([kind]) => kind === 'finished', from);
    const frames = kernel.received.slice(from).map(([kind, data]) => `${kind} ${data.toString().trim()}`);
    expect(frames.slice(0, 3)).toEqual([
      'clean-finished {"exitCode":0}',
      'stdout building',
      'build-finished {"exitCode":0}',
    ]);
    expect(frames.slice(3, 5).sort()).toEqual(['stderr err', 'stdout out']);
    expect(frames.slice(5)).toEqual(['finished {"exitCode":3}']);
    expect(await kernel.docker('logs')).toMatch(/building\r?\nout|building\r?\nerr/);
  });

  it('skips exec once after a failed build', async () => {
    expect(await kernel.run('build', 'exit 2')).toMatchObject({ kind: 'build-finished', exitCode: 2 });
    expect(await kernel.run('exec', 'echo never')).toMatchObject({ exitCode: 127, console: [] });
    expect(await kernel.run('exec', 'echo now')).toMatchObject({ exitCode: 0, stdout: 'now\n' });
  });

  it('gives the exit codes of the convention', async () => {
    expect((await kernel.run('exec', 'kill -9 $$')).exitCode).toBe(-9);
    expect((await kernel.run('exec', '/no/such/cmd')).exitCode).toBe(127);
    expect(await kernel.run('exec', '*')).toMatchObject({
      exitCode: 127,
      stderr: 'There is no main.py in /home/work.\n',
    });
    await kernel.run('exec', 'echo "print(6*7)" > main.py');
    expect(await kernel.run('exec', '*')).toMatchObject({ exitCode: 0, stdout: '42\n' });
  });

  it('interrupts the whole group', async () => {
    const from = kernel.received.length;
    await kernel.send('exec', 'echo go; sleep 4712; echo never');
    await kernel.waitFor(([kind]) => kind === 'stdout', from);
    await kernel.send('interrupt');
    expect(await kernel.finished(from, 5000)).toMatchObject({ exitCode: -2, stdout: 'go\n' });
  });

  it('gives programs pipes that can be opened by name, and no stdin to hang on', async () => {
    await kernel.run('exec', 'true');
    expect(await kernel.run('exec', 'echo x > /dev/stdout; echo y > /dev/stderr; cat')).toMatchObject({
      stdout: 'x\n',
      stderr: 'y\n',
      exitCode: 0,
    });
  });

  it('cuts no character in two', async () => {
    const from = kernel.received.length;
    const { stdout } = await kernel.run('exec', `python3 -c "print('\u2713'*200000, end='')"`);
    expect(stdout).toBe('\u2713'.repeat(200_000));
    const strict = new TextDecoder('utf-8', { fatal: true });
    for (const [kind, data] of kernel.received.slice(from)) if (kind === 'stdout') strict.decode(data);
  });

  it('ends although the program has closed its output', async () => {
    expect(await kernel.run('exec', 'exec >&- 2>&-; sleep 0.2; exit 4')).toMatchObject({ exitCode: 4 });
  });

  it('survives a program that forks without end', async () => {
    const from = kernel.received.length;
    await kernel.send('exec', 'echo go; f() { f | f & f; }; f');
    await kernel.waitFor(([kind]) => kind === 'stdout', from);
    await sleep(500);
    await kernel.ask('status', '', 'status', 5000);
    for (let tries = 0; tries < 20; tries += 1) {
      await kernel.send('interrupt');
      const ended = await kernel.waitFor(([kind]) => kind === 'finished', from, 500).catch(() => undefined);
      if (ended !== undefined) break;
    }
    await kernel.finished(from, 1000);
    expect((await kernel.run('exec', 'echo alive')).stdout).toBe('alive\n');
  });

  it('ignores messages that are no requests', async () => {
    await kernel.send('nonsense', 'x');
    await kernel.send('start-service', '{');
    await kernel.send('event', 'null');
    await kernel.send('shutdown-service', '"nope"');
    expect((await kernel.ask('get-apps', '', 'apps-result')).toString()).toBe('{"status":"done","data":[]}');
  });
});

describe('an agent that goes away', () => {
  afterEach(removeStarted);

  it('stops a program that floods, keeps the memory small, and loses nothing that was not handed over', async () => {
    const kernel = await start('python', {}, 'python');
    const from = kernel.received.length;
    await kernel.send('exec', 'echo go; sleep 0.5; yes 0123456789abcde | head -c 300000000; echo done >&2');
    await kernel.waitFor(([kind]) => kind === 'stdout', from);
    kernel.disconnect();
    await sleep(3000);
    const rss = Number(/VmRSS:\s+(\d+)/.exec(await kernel.exec('cat', `/proc/${await kernel.runnerPid()}/status`))![1]);
    expect(rss).toBeLessThan(150_000);
    kernel.connect();
    const result = await kernel.finished(from, 60_000);
    expect([result.stdout.length, result.stderr, result.exitCode]).toEqual([300_000_003, 'done\n', 0]);
  }, 90_000);

  it('stops a Jupyter kernel that floods', async () => {
    const kernel = await start('jupyter', {}, 'python');
    const from = kernel.received.length;
    await kernel.send(
      'code',
      'import time\nprint("go")\ntime.sleep(0.5)\nfor _ in range(2_000_000): print("0123456789" * 10)',
    );
    await kernel.waitFor(([kind]) => kind === 'stdout', from);
    kernel.disconnect();
    await sleep(4000);
    kernel.connect();
    const result = await kernel.finished(from, 60_000);
    expect([result.stdout.length, result.exitCode]).toEqual([202_000_003, 0]);
  }, 90_000);
});

describe('stopping', () => {
  afterEach(removeStarted);

  it.each([
    ['idle', undefined],
    ['a query', ['code', 'print("go", flush=True)\nimport time; time.sleep(60)']],
    ['a batch program', ['exec', 'echo go; trap "" TERM; sleep 60']],
  ] as const)('ends within a second with exit code 0 and no false success: %s', async (_what, work) => {
    const kernel = await start('python', {}, 'python');
    if (work) {
      await kernel.send(work[0], work[1]);
      await kernel.waitFor(([kind]) => kind === 'stdout');
    }
    const from = Date.now();
    await kernel.docker('stop');
    expect(Date.now() - from).toBeLessThan(2000);
    expect((await kernel.docker('inspect', '--format', '{{.State.ExitCode}}')).trim()).toBe('0');
    if (work) expect((await kernel.finished(0, 1000)).exitCode).toBeLessThan(0);
  });
});

describe('services', () => {
  let kernel: RunnerContainer;
  const SERVER = ['/usr/bin/python3', '-m', 'http.server', '{ports[0]}'];
  const definitions = {
    probe: {
      command: SERVER,
      url_template: '{protocol}://{host}:{port}/',
      allowed_arguments: ['--directory'],
      prestart: [{ action: 'write_file', args: { filename: 'made.txt', body: ['port {ports[0]}'] } }],
    },
    dies: { command: 'exit 3', shell: 'sh' },
    noop: { command: [], noop: true },
    missing: { command: ['/no/such/file'] },
  };
  beforeAll(async () => {
    const directory = await mkdtemp(join(root, 'defs-'));
    await chmod(directory, 0o755);
    for (const [name, definition] of Object.entries(definitions)) {
      await writeFile(join(directory, `${name}.json`), JSON.stringify(definition));
    }
    await writeFile(join(directory, 'broken.json'), '{');
    kernel = await start('python', { args: ['--volume', `${directory}:/etc/backend.ai/service-defs:ro`] }, 'python');
  });
  afterAll(removeStarted);

  const startService = async (name: string, over: object = {}): Promise<unknown> => {
    const request = { name, port: 8900, ports: [8900], protocol: 'http', options: {}, ...over };
    return JSON.parse((await kernel.ask('start-service', JSON.stringify(request), 'service-result')).toString());
  };

  it('are listed without the broken one', async () => {
    const { data } = JSON.parse((await kernel.ask('get-apps', '', 'apps-result')).toString());
    expect((data as { name: string }[]).map((app) => app.name).sort()).toEqual(['dies', 'missing', 'noop', 'probe']);
    expect(data).toContainEqual({
      name: 'probe',
      url_template: '{protocol}://{host}:{port}/',
      allowed_arguments: ['--directory'],
    });
  });

  it('start once, run, stop and start again', async () => {
    expect(await startService('probe', { options: { arguments: { '--directory': '/home/work' } } })).toEqual({
      status: 'started',
    });
    expect(await startService('probe')).toEqual({ status: 'running' });
    const fetch = `python3 -c "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8900/made.txt').read().decode())"`;
    expect((await kernel.run('exec', fetch)).stdout).toContain('port 8900');
    await kernel.send('shutdown-service', '"probe"');
    expect(await startService('probe')).toEqual({ status: 'started' });
    await kernel.send('shutdown-service', '"probe"');
  });

  it('say at once why they do not start', async () => {
    expect(await startService('dies')).toEqual({
      status: 'failed',
      error: "the service ended while starting (exit code 3); what it said is in the kernel's log",
    });
    expect(await startService('missing')).toMatchObject({
      status: 'failed',
      error: expect.stringContaining('/no/such/file'),
    });
    expect(await startService('jupyterlab')).toEqual({
      status: 'failed',
      error: 'this image has no Python package "jupyterlab", which the service jupyterlab is',
    });
    expect(await startService('nope')).toEqual({ status: 'failed', error: 'unsupported service: nope' });
    expect(await startService('sshd')).toEqual({ status: 'running' });
    expect(await startService('ttyd')).toEqual({ status: 'running' });
    expect(await startService('probe', { options: { arguments: { '--bad': '1' } } })).toEqual({
      status: 'failed',
      error: 'Argument --bad not allowed for service probe',
    });
    expect(await startService('noop')).toEqual({ status: 'started' });
    expect(await startService('1234', { protocol: 'preopen' })).toEqual({ status: 'started' });
  });
});
