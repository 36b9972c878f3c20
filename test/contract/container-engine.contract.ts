import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Call } from '../../src/application/ports/call.js';
import type { ContainerEngine, ContainerSpec, EngineEvent } from '../../src/application/ports/container-engine.port.js';
import { shellSpec, testLabel } from '../support/container-specs.js';
import { filesOfTar, tarOf } from '../support/tar.js';

export interface EngineHarness {
  readonly engine: ContainerEngine;
  /** An engine that takes every request and never answers. */
  readonly stalled: ContainerEngine;
  /** An image with a shell. */
  readonly image: string;
  dispose(): Promise<void>;
}

/** The programs of the suite's containers: a fake engine has to act them out. */
export const programs = {
  sleep: 'trap "exit 0" TERM; while :; do sleep 0.05; done',
  ignoreTerm: 'trap "" TERM; while :; do sleep 0.05; done',
  printAndFail: 'echo out; echo err >&2; exit 3',
  countSlowly: 'for i in 1 2 3; do echo $i; sleep 0.2; done',
} as const;

export const execs = {
  both: 'echo out; echo err >&2; exit 7',
  flood: 'yes 0123456789 | head -c 3000000',
} as const;

const call = (timeoutMs?: number): Call => ({
  signal: new AbortController().signal,
  ...(timeoutMs !== undefined && { timeoutMs }),
});

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all).toString();
}

async function until<T>(look: () => Promise<T | undefined | false>, what: string): Promise<T> {
  for (const end = Date.now() + 20_000; Date.now() < end;) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`timed out: ${what}`);
}

/** Declares the contract of ContainerEngine for one implementation. */
export function containerEngineContract(title: string, setup: () => Promise<EngineHarness>): void {
  describe(`ContainerEngine: ${title}`, () => {
    let harness: EngineHarness;
    let engine: ContainerEngine;
    const made = new Set<string>();

    beforeAll(async () => {
      harness = await setup();
      engine = harness.engine;
    });
    afterAll(async () => {
      for (const name of made) await engine.removeContainer(name, call());
      await harness.dispose();
    });

    const spec = (script: string, change: Partial<ContainerSpec> = {}): ContainerSpec => {
      const made_ = shellSpec(harness.image, script, change);
      made.add(made_.name);
      return made_;
    };
    const run = async (script: string, change: Partial<ContainerSpec> = {}): Promise<string> => {
      const id = await engine.createContainer(spec(script, change), call());
      await engine.startContainer(id, call());
      return id;
    };
    const ended = (id: string) =>
      until(async () => {
        const container = await engine.inspectContainer(id, call());
        return container?.state === 'exited' ? container : undefined;
      }, 'the end of the container');

    it('describes the engine', async () => {
      const info = await engine.info(call());
      expect(info.version).toMatch(/^\d+\.\d+/);
      expect(info.apiVersion).toMatch(/^1\.\d+$/);
      expect(info.architecture).toMatch(/^(x86_64|aarch64)$/);
      expect(info.osType).toBe('linux');
      expect(info.cpus).toBeGreaterThan(0);
      expect(info.memoryBytes).toBeGreaterThan(0);
      expect(info.runtimes).toContain('runc');
    });

    describe('containers', () => {
      it('creates once a name, starts, stops and removes, each also when it is already so', async () => {
        const wanted = spec(programs.sleep, {
          labels: { [testLabel]: '1', 'ai.backend.kernel-id': 'k1' },
          env: { GREETING: 'a = "b"' },
        });
        const id = await engine.createContainer(wanted, call());
        await expect(engine.createContainer(wanted, call())).rejects.toMatchObject({
          name: 'ContainerEngineConflictError',
        });
        expect(await engine.inspectContainer(wanted.name, call())).toMatchObject({
          id,
          name: wanted.name,
          state: 'created',
          pid: 0,
          startedAtMs: 0,
          image: harness.image,
        });
        await engine.startContainer(id, call());
        await engine.startContainer(id, call());
        const running = await engine.inspectContainer(id, call());
        expect(running?.state).toBe('running');
        expect(running?.pid).toBeGreaterThan(1);
        expect(Math.abs((running?.startedAtMs ?? 0) - Date.now())).toBeLessThan(60_000);
        expect(running?.labels).toMatchObject({ 'ai.backend.kernel-id': 'k1' });
        expect(running?.ipAddress).toMatch(/^\d+\.\d+\.\d+\.\d+$/);

        const listed = await engine.listContainers({ [testLabel]: '1', 'ai.backend.kernel-id': 'k1' }, call());
        expect(listed).toEqual([
          { id, name: wanted.name, state: 'running', labels: expect.objectContaining({ [testLabel]: '1' }) },
        ]);
        expect(await engine.listContainers({ [testLabel]: 'other' }, call())).toEqual([]);

        await engine.stopContainer(id, 5000, call());
        await engine.stopContainer(id, 5000, call());
        expect(await engine.inspectContainer(id, call())).toMatchObject({ state: 'exited', pid: 0 });
        await engine.removeContainer(id, call());
        await engine.removeContainer(id, call());
        await engine.stopContainer(id, 1000, call());
        expect(await engine.inspectContainer(id, call())).toBeUndefined();
      });

      it('kills what ignores its stop signal', async () => {
        const id = await run(programs.ignoreTerm);
        await engine.stopContainer(id, 0, call());
        expect(await engine.inspectContainer(id, call())).toMatchObject({ state: 'exited', exitCode: 137 });
        const other = await run(programs.sleep);
        await engine.killContainer(other, 'SIGKILL', call());
        expect((await ended(other)).exitCode).toBe(137);
        await expect(engine.killContainer(other, 'SIGKILL', call())).rejects.toMatchObject({
          name: 'ContainerEngineConflictError',
        });
      });

      it('removes a running container', async () => {
        const id = await run(programs.sleep);
        await engine.removeContainer(id, call());
        expect(await engine.inspectContainer(id, call())).toBeUndefined();
      });

      it('fails for a container that is not there, where there is nothing to succeed with', async () => {
        const gone = '0'.repeat(64);
        for (const attempt of [
          () => engine.startContainer(gone, call()),
          () => engine.exec(gone, { command: ['true'] }, call()),
          () => engine.killContainer(gone, 'SIGTERM', call()),
          () => textOf(engine.containerLogs(gone, {}, call())),
          () => textOf(engine.getArchive(gone, '/etc', call())),
        ]) {
          await expect(attempt()).rejects.toMatchObject({ name: 'ContainerEngineError' });
        }
      });

      it('reports limits and port bindings as asked for', async () => {
        const limits = {
          cpusetCpus: '0',
          cpuQuotaCores: 0.5,
          memoryBytes: 64 * 1024 ** 2,
          memorySwapBytes: 64 * 1024 ** 2,
          pids: 50,
          shmBytes: 16 * 1024 ** 2,
        };
        const ports = [{ containerPort: 2000, hostPort: 39_417, hostIp: '127.0.0.1' }];
        const id = await run(programs.sleep, { limits, ports });
        expect(await engine.inspectContainer(id, call())).toMatchObject({ limits, ports });

        const rival = await engine.createContainer(spec(programs.sleep, { ports }), call());
        await expect(engine.startContainer(rival, call())).rejects.toMatchObject({
          name: 'ContainerEngineConflictError',
        });
        await engine.removeContainer(id, call());
      });
    });

    describe('logs', () => {
      it('gives stdout and stderr, or the last lines only, and the exit code stays', async () => {
        const id = await run(programs.printAndFail);
        expect(await ended(id)).toMatchObject({ exitCode: 3, oomKilled: false });
        expect((await textOf(engine.containerLogs(id, {}, call()))).split('\n').sort()).toEqual(['', 'err', 'out']);
        expect((await textOf(engine.containerLogs(id, { tail: 1 }, call()))).trim()).toMatch(/^(out|err)$/);
      });

      it('gives the bytes of a terminal as they are', async () => {
        const id = await run(programs.printAndFail, { tty: true });
        await ended(id);
        expect(await textOf(engine.containerLogs(id, {}, call()))).toMatch(/^out\r?\nerr\r?\n$/);
      });

      it('follows until the container ends', async () => {
        const id = await run(programs.countSlowly);
        expect(await textOf(engine.containerLogs(id, { follow: true }, call()))).toBe('1\n2\n3\n');
      });

      it('ends following by the signal', async () => {
        const id = await run(programs.sleep);
        const abort = new AbortController();
        const reading = textOf(engine.containerLogs(id, { follow: true }, { signal: abort.signal }));
        setTimeout(() => abort.abort(), 100);
        await expect(reading).rejects.toMatchObject({ name: 'AbortError' });
        await engine.removeContainer(id, call());
      });
    });

    it('runs a command and keeps at most 1 MiB of each stream', async () => {
      const id = await run(programs.sleep);
      expect(await engine.exec(id, { command: ['/bin/sh', '-c', execs.both] }, call())).toEqual({
        exitCode: 7,
        stdout: 'out\n',
        stderr: 'err\n',
      });
      const flood = await engine.exec(id, { command: ['/bin/sh', '-c', execs.flood] }, call());
      expect(flood.exitCode).toBe(0);
      expect(flood.stdout).toHaveLength(1024 * 1024);
      await engine.removeContainer(id, call());
    });

    it('writes and reads files of a container', async () => {
      const id = await run(programs.sleep);
      const data = Buffer.from('ä'.repeat(100_000));
      await engine.putArchive(id, '/', tarOf({ 'copied.txt': data }), call());
      const files = await filesOfTar(engine.getArchive(id, '/copied.txt', call()));
      expect(files.get('copied.txt')?.equals(data)).toBe(true);
      await expect(textOf(engine.getArchive(id, '/not-there', call()))).rejects.toMatchObject({
        name: 'ContainerEngineError',
      });
      await engine.removeContainer(id, call());
    });

    it('makes a network once a name and removes it when nobody is in it', async () => {
      const name = `bai-test-${randomUUID()}`;
      const labels = { [testLabel]: name };
      const id = await engine.createNetwork(name, labels, call());
      await expect(engine.createNetwork(name, labels, call())).rejects.toMatchObject({
        name: 'ContainerEngineConflictError',
      });
      expect(await engine.listNetworks(labels, call())).toEqual([{ id, name }]);
      const member = await run(programs.sleep, { network: { name, aliases: ['main'] } });
      await expect(engine.removeNetwork(name, call())).rejects.toMatchObject({ name: 'ContainerEngineConflictError' });
      await engine.removeContainer(member, call());
      await engine.removeNetwork(id, call());
      await engine.removeNetwork(id, call());
      expect(await engine.listNetworks(labels, call())).toEqual([]);
    });

    describe('events', () => {
      it('tells the life of a container in order, from the time asked for, until aborted', async () => {
        const sinceMs = Date.now();
        const { name, id } = await (async () => {
          const wanted = spec(programs.printAndFail);
          const created = await engine.createContainer(wanted, call());
          await engine.startContainer(created, call());
          await ended(created);
          return { name: wanted.name, id: created };
        })();
        const abort = new AbortController();
        const connections: boolean[] = [];
        const seen: EngineEvent[] = [];
        const watching = engine.watchEvents(sinceMs, { signal: abort.signal }, (up) => connections.push(up));
        const reading = (async () => {
          for await (const event of watching) if (event.containerId === id) seen.push(event);
        })();
        await until(() => Promise.resolve(seen.length >= 3), 'past events');
        await engine.removeContainer(id, call());
        await until(() => Promise.resolve(seen.length >= 4), 'the live event');
        abort.abort();
        await reading;
        expect(seen.map(({ action }) => action)).toEqual(['create', 'start', 'die', 'destroy']);
        expect(seen.every((event) => event.name === name && event.attributes[testLabel] === '1')).toBe(true);
        expect(seen[2]?.attributes['exitCode']).toBe('3');
        expect(connections).toEqual([true]);
      });
    });

    describe('a call that ends early', () => {
      const gone = '0'.repeat(64);
      const attempts: Record<string, (engine: ContainerEngine, call: Call) => Promise<unknown>> = {
        info: (e, c) => e.info(c),
        inspectImage: (e, c) => e.inspectImage('x:1', c),
        listImages: (e, c) => e.listImages(c),
        pullImage: (e, c) => e.pullImage('x:1', { credentials: { username: 'u', password: 'p' } }, c),
        importImage: (e, c) => e.importImage(tarOf({ a: 'b' }), 'x:1', [], c),
        pushImage: (e, c) => e.pushImage('x:1', {}, c),
        tagImage: (e, c) => e.tagImage('x:1', 'y:1', c),
        exportImage: (e, c) => textOf(e.exportImage('x:1', c)),
        commitContainer: (e, c) => e.commitContainer(gone, { labels: {}, entrypoint: [], cmd: [] }, c),
        removeImage: (e, c) => e.removeImage('x:1', {}, c),
        createContainer: (e, c) => e.createContainer(shellSpec('x:1', 'true'), c),
        startContainer: (e, c) => e.startContainer(gone, c),
        stopContainer: (e, c) => e.stopContainer(gone, 1000, c),
        killContainer: (e, c) => e.killContainer(gone, 'SIGKILL', c),
        removeContainer: (e, c) => e.removeContainer(gone, c),
        inspectContainer: (e, c) => e.inspectContainer(gone, c),
        listContainers: (e, c) => e.listContainers({}, c),
        containerLogs: (e, c) => textOf(e.containerLogs(gone, {}, c)),
        exec: (e, c) => e.exec(gone, { command: ['true'] }, c),
        getArchive: (e, c) => textOf(e.getArchive(gone, '/', c)),
        putArchive: (e, c) => e.putArchive(gone, '/', tarOf({ a: 'b' }), c),
        createNetwork: (e, c) => e.createNetwork('n', {}, c),
        removeNetwork: (e, c) => e.removeNetwork('n', c),
        listNetworks: (e, c) => e.listNetworks({}, c),
      };

      it.each(Object.keys(attempts))('%s ends at its deadline', async (method) => {
        await expect(attempts[method]!(harness.stalled, call(60))).rejects.toMatchObject({
          name: 'TimeoutError',
          retryable: true,
        });
      });

      it.each(Object.keys(attempts))('%s ends in the middle by its signal', async (method) => {
        const abort = new AbortController();
        const attempt = attempts[method]!(harness.stalled, { signal: abort.signal });
        setTimeout(() => abort.abort(), 30);
        await expect(attempt).rejects.toMatchObject({ name: 'AbortError' });
      });

      it.each(Object.keys(attempts))('%s does not start when already aborted', async (method) => {
        await expect(attempts[method]!(engine, { signal: AbortSignal.abort() })).rejects.toMatchObject({
          name: 'AbortError',
        });
      });
    });
  });
}
