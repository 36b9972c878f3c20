import 'reflect-metadata';
import { describe, expect, it } from 'vitest';
import { FakeContainerEngine } from '../../../test/support/fake-container-engine.js';
import { draftName } from '../../domain/image/commit-draft.js';
import { ListInstalledImages } from './list-installed-images.use-case.js';

const call = { signal: new AbortController().signal };
const labels = { 'ai.backend.kernelspec': '1' };

describe('ListInstalledImages', () => {
  it('lists every name of every kernel image, with id and architecture, and inspects each image once', async () => {
    const engine = new FakeContainerEngine();
    const python = engine.images.add('r.example.com/stable/python:3.12', { labels, architecture: 'aarch64' });
    engine.images.add('python:latest', python);
    engine.images.add('plain:1');
    engine.images.add('future:1', { labels: { 'ai.backend.kernelspec': '2' } });
    engine.images.add(draftName('i-1', '00000000-0000-4000-8000-000000000000'), { labels });
    const list = new ListInstalledImages(engine);
    const expected = ['python:latest', 'r.example.com/stable/python:3.12'].map((canonical) => ({
      canonical,
      digest: python.id,
      architecture: 'aarch64',
    }));
    expect(await list.execute(call)).toEqual(expected);
    expect(await list.execute(call)).toEqual(expected);
    expect(engine.calls.map(({ method }) => method)).toEqual(['listImages', 'inspectImage', 'listImages']);

    engine.images.remove('python:latest');
    expect(await list.execute(call)).toEqual(expected.slice(1));
    engine.images.remove('r.example.com/stable/python:3.12');
    expect(await list.execute(call)).toEqual([]);
  });
});
