import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EngineProxy } from '../support/engine-proxy.js';
import { testImage } from '../support/images.js';
import { docker, LocalAgent, newKernelId } from '../support/local-agent.js';

const PIDS = 64;
const MEBIBYTE = 2 ** 20;

let agent: LocalAgent;
let proxy: EngineProxy;
let python: string;

beforeAll(async () => {
  python = await testImage('python');
  proxy = await EngineProxy.start();
  agent = await LocalAgent.start({
    socketPath: proxy.socketPath,
    settings: (settings) => ({
      ...settings,
      reconcileIntervalMs: 1_000,
      container: { ...settings.container, pidsLimit: PIDS, portCooldownMs: 0 },
    }),
  });
});
afterEach(async () => {
  Object.assign(proxy, { refusing: false, stalling: () => false });
  await Promise.all(agent.useCases.listKernels().map(({ kernelId }) => agent.destroy(kernelId)));
  // A pass of the reconciler that the trouble caught in a call comes back when that call's deadline is over.
  await until(async () => (await agent.leftovers()).length === 0, 45_000).catch(() => undefined);
  expect(await agent.leftovers()).toEqual([]);
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
});

/** Waits for what must come soon; rejects when it does not. */
async function until(isSo: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${isSo.toString()}`);
    await sleep(20);
  }
}

const isGone = (kernelId: string) => (): boolean =>
  !agent.useCases.listKernels().some((kernel) => kernel.kernelId === kernelId);

describe('code that misbehaves', () => {
  it('prints 200 MB: the agent keeps what it can hold and the kernel goes on', async () => {
    const { kernelId } = await agent.create(python);
    const before = process.memoryUsage().rss;
    const code = "import sys\nfor _ in range(200):\n    _ = sys.stdout.write('x' * 1048575 + '\\n')\nprint('the end')";
    const call = { kernelId, mode: 'query', code } as const;
    const signal = AbortSignal.timeout(60_000);
    // Nobody reads for a while.
    let result = await agent.useCases.execute({ ...call, runId: null, flushTimeoutMs: 50 }, signal);
    await sleep(2_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * MEBIBYTE);
    let all = 0;
    let isToldWhatIsMissing = false;
    for (let calls = 0; result.status !== 'finished'; calls += 1) {
      expect(calls).toBeLessThan(2_000);
      result = await agent.useCases.execute(
        { ...call, mode: 'continue', runId: result.runId, flushTimeoutMs: 500 },
        signal,
      );
      const text = result.console.map(([, item]) => String(item)).join('');
      expect(text.length).toBeLessThan(64 * MEBIBYTE);
      all += text.length;
      if (/\d+ characters of output/.test(text)) isToldWhatIsMissing = true;
    }
    expect(all).toBeGreaterThan(MEBIBYTE);
    expect(isToldWhatIsMissing).toBe(true);
    expect((await agent.run(kernelId, 'print("still here")')).stdout).toBe('still here\n');
  });

  it('never ends: it can be interrupted, and its state is kept', async () => {
    const { kernelId } = await agent.create(python);
    await agent.run(kernelId, 'x = 1');
    const running = agent.run(kernelId, 'print("begun", flush=True)\nwhile True: x += 1', (text) => {
      if (text.includes('begun')) void agent.useCases.interrupt(kernelId, AbortSignal.timeout(10_000));
    });
    const { stderr, exitCode } = await running;
    expect(stderr).toContain('KeyboardInterrupt');
    expect(exitCode).not.toBe(0);
    expect((await agent.run(kernelId, 'print(x > 1)')).stdout).toBe('True\n');
  });

  it('forks without end: no more than it may, and it can be destroyed', async () => {
    const { kernelId, containerId } = await agent.create(python);
    const code = `
import os, time
children = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(600)
            os._exit(0)
        children += 1
except OSError as error:
    print(error.errno, children)`;
    const { stdout } = await agent.run(kernelId, code);
    const [errno, children] = stdout.trim().split(' ').map(Number);
    expect(errno).toBe(11);
    expect(children).toBeGreaterThan(5);
    expect(children).toBeLessThan(PIDS);
    const processes = (await docker('top', containerId)).split('\n').length - 1;
    expect(processes).toBeLessThanOrEqual(PIDS);
    expect((await agent.run(kernelId, 'print("still here")')).stdout).toBe('still here\n');
    await agent.destroy(kernelId);
  });

  it('kills what it was started by: the kernel goes on, or is told to have ended', async () => {
    const { kernelId } = await agent.create(python);
    const run = agent.run(kernelId, 'import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(1)\nprint("survived")');
    const outcome = await run.catch((error: unknown) => error as Error);
    if (outcome instanceof Error) {
      expect(outcome).toMatchObject({ name: 'KernelTerminatedError' });
      await until(isGone(kernelId));
      expect(agent.endsOf(kernelId)).toMatchObject([{ reason: 'self-terminated' }]);
    } else {
      expect((await agent.run(kernelId, 'print("still here")')).stdout).toBe('still here\n');
    }
  });

  it('ends its own language process: the next run has a new one', async () => {
    const { kernelId } = await agent.create(python);
    const { exitCode, stderr } = await agent.run(kernelId, 'import os\nos._exit(3)');
    expect(exitCode).not.toBe(0);
    expect(stderr).not.toBe('');
    expect((await agent.run(kernelId, 'print("again")')).stdout).toBe('again\n');
  });

  it('closes its output: the run ends, and the kernel can be used or destroyed', async () => {
    const { kernelId } = await agent.create(python);
    expect(await agent.run(kernelId, 'import os, sys\nos.close(1)\nos.close(2)\nsys.stdout.close()')).toMatchObject({
      status: 'finished',
    });
    expect((await agent.run(kernelId, 'x = 1')).status).toBe('finished');
  });

  it('fills its memory: told as out of memory, by the run and by the kernel', async () => {
    const { kernelId } = await agent.create(python, { resourceSlots: { cpu: '1', mem: '128m' } });
    const { stderr, exitCode } = await agent.run(kernelId, 'all = []\nwhile True: all.append(bytearray(1 << 20))');
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(/memory ran out/);
    await until(() => agent.useCases.getKernel(kernelId).notice === 'oom', 5_000);
    expect((await agent.run(kernelId, 'print("again")')).stdout).toBe('again\n');
  });

  it('fills its memory from a child while the language process lives', async () => {
    const { kernelId } = await agent.create(python, { resourceSlots: { cpu: '1', mem: '128m' } });
    const hungry = 'all = []\\nwhile True: all.append(bytearray(1 << 20))';
    const code = `import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', '${hungry}']).returncode)`;
    await agent.run(kernelId, code);
    await until(() => agent.useCases.getKernel(kernelId).notice === 'oom', 5_000);
  });
});

describe('a container that somebody else takes away', () => {
  it.each(['kill', 'rm -f', 'stop -t 1'])('by docker %s: told within two seconds', async (command) => {
    const { kernelId, containerId } = await agent.create(python);
    const run = agent.run(kernelId, 'import time\ntime.sleep(60)');
    const outcome = run.catch((error: unknown) => error as Error);
    await sleep(300);
    await docker(...command.split(' '), containerId);
    await until(isGone(kernelId), 2_000);
    // A runner that is asked to stop still says how the run ended.
    expect(await outcome).toMatchObject(
      command.startsWith('stop') ? { stdout: '' } : { name: 'KernelTerminatedError' },
    );
    expect(agent.endsOf(kernelId)).toHaveLength(1);
    expect(['self-terminated', 'container-not-found']).toContain(agent.endsOf(kernelId)[0]!.reason);
  });

  it('and is told by no event: found by comparing', async () => {
    const { kernelId, containerId } = await agent.create(python);
    proxy.stalling = (request) => request.includes('/events');
    proxy.cut();
    await sleep(100);
    await docker('kill', containerId);
    await until(isGone(kernelId), 8_000);
    expect(agent.endsOf(kernelId)).toMatchObject([{ reason: 'self-terminated', exit_code: 137 }]);
  });

  it('paused and let go again: nothing happens to it', async () => {
    const { kernelId, containerId } = await agent.create(python);
    await agent.run(kernelId, 'x = 5');
    await docker('pause', containerId);
    await sleep(1_500);
    await docker('unpause', containerId);
    expect((await agent.run(kernelId, 'print(x)')).stdout).toBe('5\n');
  });
});

/** First lines of the requests that creating a kernel makes, one for each step. */
const STEPS = {
  'looking at the image': /^GET \S*\/images\//,
  'creating the container': /^POST \S*\/containers\/create/,
  'starting the container': /^POST \S*\/start/,
  'looking at the container': /^GET \S*\/containers\/[0-9a-f]{64}\/json/,
};

describe.each(Object.entries(STEPS))('an engine in trouble at %s', (_, step) => {
  it('goes away: the creation fails, and all is gone when the engine is back', async () => {
    const kernelId = newKernelId();
    proxy.stalling = (request) => {
      if (step.test(request)) {
        proxy.refusing = true;
        proxy.cut();
      }
      return proxy.refusing;
    };
    await expect(agent.create(python, { kernelId })).rejects.toMatchObject({ name: 'ContainerEngineUnavailableError' });
    Object.assign(proxy, { refusing: false, stalling: () => false });
    await until(isGone(kernelId));
    expect(agent.endsOf(kernelId)).toHaveLength(1);
  });

  it('restarts with the answer on its way: nothing is made twice or left', async () => {
    const kernelId = newKernelId();
    let cuts = 0;
    proxy.stalling = (request) => {
      if (step.test(request) && cuts === 0) {
        cuts += 1;
        setTimeout(() => proxy.cut(), 3);
      }
      return false;
    };
    const outcome = await agent.create(python, { kernelId }).catch((error: unknown) => error as Error);
    expect(cuts).toBe(1);
    if (outcome instanceof Error) {
      expect(outcome).toMatchObject({ name: 'ContainerEngineUnavailableError' });
      await until(isGone(kernelId));
    } else {
      expect((await agent.run(kernelId, 'print(1)')).stdout).toBe('1\n');
      expect(await agent.home.containers()).toHaveLength(1);
      await agent.destroy(kernelId);
    }
    expect(agent.endsOf(kernelId)).toHaveLength(1);
  });

  it('hangs: its caller can give up, and all is gone when the engine moves again', async () => {
    const kernelId = newKernelId();
    proxy.stalling = (request) => step.test(request);
    const caller = new AbortController();
    const creation = agent.create(python, { kernelId }, caller.signal).catch((error: unknown) => error as Error);
    await until(() => proxy.requests.some((request) => step.test(request)));
    await sleep(200);
    caller.abort();
    expect(await creation).toMatchObject({ name: 'ContainerStartupCancelledError' });
    proxy.stalling = () => false;
    await until(isGone(kernelId));
    expect(agent.endsOf(kernelId)).toHaveLength(1);
  });
});

describe('an engine in trouble at the end', () => {
  it('goes away during a destruction: the kernel is kept in the books and ended later', async () => {
    const { kernelId } = await agent.create(python);
    proxy.stalling = (request) => {
      if (request.startsWith('DELETE')) proxy.refusing = true;
      if (proxy.refusing) proxy.cut();
      return proxy.refusing;
    };
    await expect(agent.destroy(kernelId)).rejects.toMatchObject({ name: 'ContainerTeardownIncompleteError' });
    expect(agent.useCases.status().slots.occupied['cpu']).toBe('1');
    expect(agent.endsOf(kernelId)).toEqual([]);
    Object.assign(proxy, { refusing: false, stalling: () => false });
    await until(isGone(kernelId));
    expect(agent.endsOf(kernelId)).toMatchObject([{ reason: 'user-requested' }]);
  });

  it('goes away during a restart: the kernel ends once', async () => {
    const { kernelId } = await agent.create(python);
    proxy.stalling = (request) => {
      if (/^POST \S*\/containers\/create/.test(request)) proxy.refusing = true;
      if (proxy.refusing) proxy.cut();
      return proxy.refusing;
    };
    const restart = agent.useCases.restartKernel(kernelId, AbortSignal.timeout(30_000));
    await expect(restart).rejects.toMatchObject({ name: 'ContainerStartupFailedError' });
    Object.assign(proxy, { refusing: false, stalling: () => false });
    await until(isGone(kernelId));
    expect(agent.endsOf(kernelId)).toMatchObject([{ reason: 'failed-to-start' }]);
  });

  it('is away for a while: kernels run on, and code runs in them', async () => {
    const { kernelId } = await agent.create(python);
    proxy.refusing = true;
    proxy.cut();
    await sleep(2_500);
    expect((await agent.run(kernelId, 'print("on my own")')).stdout).toBe('on my own\n');
    proxy.refusing = false;
    await sleep(1_500);
    expect(agent.useCases.getKernel(kernelId).state).toBe('RUNNING');
    await agent.destroy(kernelId);
    expect(agent.endsOf(kernelId)).toHaveLength(1);
  });
});
