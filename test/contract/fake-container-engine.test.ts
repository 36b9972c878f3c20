import { describe, expect, it } from 'vitest';
import { engineError } from '../../src/domain/error/errors.js';
import { shellSpec } from '../support/container-specs.js';
import { FakeContainerEngine } from '../support/fake-container-engine.js';

/** What the fake can do beyond the contract: fail as told. */
describe('FakeContainerEngine', () => {
  const call = { signal: new AbortController().signal };
  const make = (): FakeContainerEngine => {
    const fake = new FakeContainerEngine();
    fake.images.add('x:1');
    return fake;
  };
  const spec = shellSpec('x:1', 'true', { name: 'one' });

  it('fails before, or after it happened', async () => {
    const fake = make();
    fake.fail('createContainer', { with: 'error' });
    fake.fail('createContainer', { with: 'lost-answer', error: engineError('lost') });
    await expect(fake.createContainer(spec, call)).rejects.toMatchObject({ name: 'ContainerEngineUnavailableError' });
    expect(fake.leftovers()).toEqual({ containers: [], networks: [] });
    await expect(fake.createContainer(spec, call)).rejects.toThrow('lost');
    expect(fake.leftovers()).toEqual({ containers: ['one'], networks: [] });
    await expect(fake.createContainer(spec, call)).rejects.toMatchObject({ name: 'ContainerEngineConflictError' });
  });

  it('hangs until the deadline and answers late', async () => {
    const fake = make();
    fake.fail('info', { with: 'hang' });
    fake.fail('info', { with: 'slow', ms: 20 });
    fake.fail('info', { with: 'slow', ms: 1000 });
    await expect(fake.info({ ...call, timeoutMs: 10 })).rejects.toMatchObject({ name: 'TimeoutError' });
    const start = performance.now();
    await fake.info(call);
    expect(performance.now() - start).toBeGreaterThanOrEqual(15);
    await expect(fake.info({ ...call, timeoutMs: 10 })).rejects.toMatchObject({ name: 'TimeoutError' });
    await fake.info(call);
  });

  it('fails the n-th call whatever it is, or a method after some that go well, and heals', async () => {
    const fake = make();
    fake.failCall(2, { with: 'error' });
    await fake.info(call);
    await expect(fake.listImages(call)).rejects.toThrow('failed in listImages');
    fake.fail('info', { with: 'error', after: 1, times: 2 });
    await fake.info(call);
    await expect(fake.info(call)).rejects.toThrow();
    fake.heal();
    await fake.info(call);
    expect(fake.calls.map(({ method }) => method)).toEqual(['info', 'listImages', 'info', 'info', 'info']);
  });

  it('loses events, cuts and stops', async () => {
    const fake = make();
    const abort = new AbortController();
    const seen: string[] = [];
    const connections: boolean[] = [];
    fake.loseEvents({ action: 'start' });
    const watching = (async () => {
      const events = fake.watchEvents(0, { signal: abort.signal }, (up) => connections.push(up));
      for await (const { action } of events) seen.push(action);
    })();
    const id = await fake.createContainer(spec, call);
    await fake.startContainer(id, call);
    await new Promise((resolve) => setTimeout(resolve, 5));
    fake.stop();
    await expect(fake.info(call)).rejects.toMatchObject({ name: 'ContainerEngineUnavailableError' });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(seen).toEqual(['create']);
    fake.start();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(seen).toEqual(['create', 'die']);
    abort.abort();
    await watching;
    expect(connections).toEqual([true, false, true]);
  });

  it('acts out an OOM kill', async () => {
    const fake = make();
    const id = await fake.createContainer(spec, call);
    await fake.startContainer(id, call);
    fake.exit('one', 137, { oom: true });
    expect(await fake.inspectContainer(id, call)).toMatchObject({ state: 'exited', exitCode: 137, oomKilled: true });
    expect(fake.events.all.map(({ action }) => action)).toEqual(['create', 'start', 'oom', 'die']);
  });

  it('pulls what its registry has', async () => {
    const fake = make();
    fake.registry.add('r.example.com/y:2', { labels: { a: 'b' } });
    await fake.pullImage('r.example.com/y:2', {}, call);
    expect((await fake.inspectImage('r.example.com/y:2', call))?.labels).toEqual({ a: 'b' });
    await expect(fake.pullImage('z', {}, call)).rejects.toMatchObject({ name: 'ImageNotAvailable' });
  });
});
