import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DockerContainerEngine } from '../../src/adapters/docker/docker-container-engine.adapter.js';
import type { ContainerEngine, EngineEvent } from '../../src/application/ports/container-engine.port.js';
import { shellSpec } from '../support/container-specs.js';
import { EngineProxy } from '../support/engine-proxy.js';
import { testImage } from '../support/images.js';

/** Watching events over an engine that goes away, on the real engine behind a proxy. */
describe('DockerContainerEngine.watchEvents over broken connections', () => {
  const call = { signal: new AbortController().signal };
  let direct: ContainerEngine;
  let image: string;
  let proxy: EngineProxy;
  let watch: Watch;
  const made: string[] = [];

  class Watch {
    readonly events: EngineEvent[] = [];
    readonly connections: boolean[] = [];
    readonly #abort = new AbortController();
    readonly #done: Promise<void>;

    constructor(engine: ContainerEngine, sinceMs = Date.now()) {
      this.#done = (async () => {
        const source = engine.watchEvents(sinceMs, { signal: this.#abort.signal }, (up) => this.connections.push(up));
        for await (const event of source) this.events.push(event);
      })();
    }

    of(id: string): string[] {
      return this.events.filter(({ containerId }) => containerId === id).map(({ action }) => action);
    }

    async stop(): Promise<void> {
      this.#abort.abort();
      await this.#done;
    }
  }

  const waitFor = async (look: () => boolean, ms = 10_000): Promise<void> => {
    for (const end = Date.now() + ms; !look(); await new Promise((resolve) => setTimeout(resolve, 20))) {
      if (Date.now() > end) throw new Error('timed out');
    }
  };
  const create = async (script: string): Promise<string> => {
    const id = await direct.createContainer(shellSpec(image, script), call);
    made.push(id);
    return id;
  };

  beforeAll(async () => {
    image = await testImage('busybox');
    direct = new DockerContainerEngine({
      endpoint: { kind: 'unix', socketPath: '/var/run/docker.sock', origin: 'test' },
    });
  });
  beforeEach(async () => {
    proxy = await EngineProxy.start();
    const engine = new DockerContainerEngine({
      endpoint: { kind: 'unix', socketPath: proxy.socketPath, origin: 'test' },
      eventTiming: { idleProbeMs: 300, probeTimeoutMs: 300 },
    });
    watch = new Watch(engine);
    await waitFor(() => watch.connections.length === 1);
  });
  afterEach(async () => {
    await watch.stop();
    await proxy[Symbol.asyncDispose]();
  });
  afterAll(async () => {
    for (const id of made) await direct.removeContainer(id, call);
  });

  it('tells every event exactly once over many cuts', async () => {
    const ids: string[] = [];
    const cutting = setInterval(() => proxy.cut(), 150);
    try {
      for (let i = 0; i < 8; i += 1) {
        const id = await create('exit 5');
        ids.push(id);
        await direct.startContainer(id, call);
        while ((await direct.inspectContainer(id, call))?.state === 'running');
        await direct.removeContainer(id, call);
      }
    } finally {
      clearInterval(cutting);
    }
    await waitFor(() => ids.every((id) => watch.of(id).includes('destroy')));
    for (const id of ids) expect(watch.of(id)).toEqual(['create', 'start', 'die', 'destroy']);
    const exits = watch.events.filter(({ action, containerId }) => action === 'die' && ids.includes(containerId));
    expect(exits.map(({ attributes }) => attributes['exitCode'])).toEqual(ids.map(() => '5'));
    expect(watch.connections.filter((up) => !up).length).toBeGreaterThan(2);
  });

  it('tells what happened while the engine was away', async () => {
    const dying = await create('exit 4');
    proxy.refusing = true;
    proxy.cut();
    await waitFor(() => watch.connections.at(-1) === false);
    await direct.startContainer(dying, call);
    const fresh = await create('true');
    proxy.refusing = false;
    await waitFor(() => watch.of(dying).includes('die') && watch.of(fresh).includes('create'));
    expect(watch.of(dying)).toEqual(['create', 'start', 'die']);
    expect(watch.of(fresh)).toEqual(['create']);
    expect(watch.connections).toEqual([true, false, true]);
  });

  // With `look-back` the live connection repeats what was inferred, which must not be told twice.
  it.each(['all', 'look-back'] as const)('infers what an engine forgot (%s)', async (forgets) => {
    const dying = await create('while :; do sleep 0.05; done');
    const removed = await create('while :; do sleep 0.05; done');
    await direct.startContainer(dying, call);
    await direct.startContainer(removed, call);
    await waitFor(() => watch.of(dying).includes('start') && watch.of(removed).includes('start'));
    proxy.refusing = true;
    proxy.forgets = forgets;
    proxy.cut();
    await waitFor(() => watch.connections.at(-1) === false);
    await direct.killContainer(dying, 'SIGKILL', call);
    await direct.removeContainer(removed, call);
    const fresh = await create('while :; do sleep 0.05; done');
    await direct.startContainer(fresh, call);
    while ((await direct.inspectContainer(dying, call))?.state === 'running');
    proxy.refusing = false;
    await waitFor(() => watch.connections.length === 3);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(watch.of(dying)).toEqual(['create', 'start', 'die']);
    expect(watch.of(removed)).toEqual(['create', 'start', 'die', 'destroy']);
    expect(watch.of(fresh)).toEqual(['create', 'start']);
    const die = watch.events.find(({ action, containerId }) => action === 'die' && containerId === dying);
    expect(die?.attributes['exitCode']).toBe('137');
  });

  it('notices a connection that is open and dead', async () => {
    proxy.stalling = () => true;
    proxy.freeze();
    await waitFor(() => watch.connections.at(-1) === false, 5000);
    proxy.stalling = () => false;
    proxy.cut();
    const id = await create('true');
    await waitFor(() => watch.of(id).includes('create') && watch.connections.length >= 3);
    expect(watch.connections).toEqual([true, false, true]);
  });

  it('stays connected through silence', async () => {
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(watch.connections).toEqual([true]);
    expect(proxy.requests.filter((line) => line.includes('/_ping')).length).toBeGreaterThan(2);
  });
});
