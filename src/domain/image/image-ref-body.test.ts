import { describe, expect, it } from 'vitest';
import { imageRefBody } from './image-ref-body.js';

const image = (canonical: string, project: string | null, registryName: string | null, architecture = 'x86_64') => ({
  ...{ canonical, project, registryName, architecture },
  isLocal: false,
});
const rest = { architecture: 'x86_64', is_local: false };

describe('imageRefBody', () => {
  it.each([
    [
      image('cr.backend.ai/stable/python:3.9-ubuntu20.04', 'stable', 'cr.backend.ai'),
      { name: 'python', project: 'stable', tag: '3.9-ubuntu20.04', registry: 'cr.backend.ai' },
    ],
    [
      image('index.docker.io/library/ubuntu:22.04', null, 'index.docker.io'),
      { name: 'library/ubuntu', project: null, tag: '22.04', registry: 'index.docker.io' },
    ],
    [
      image('r.example.com:5000/a/b/c/name', 'a/b', 'r.example.com:5000'),
      { name: 'c/name', project: 'a/b', tag: 'latest', registry: 'r.example.com:5000' },
    ],
    [
      image('127.0.0.1:15000/lab/python:3.11', 'lab', '127.0.0.1:15000'),
      { name: 'python', project: 'lab', tag: '3.11', registry: '127.0.0.1:15000' },
    ],
    [image('lab/python:3.11', 'lab', 'local'), { name: 'python', project: 'lab', tag: '3.11', registry: 'local' }],
    [
      image('r.example.com/solo:1', 'solo', 'r.example.com'),
      { name: '', project: 'solo', tag: '1', registry: 'r.example.com' },
    ],
    [
      image('ubuntu:22.04', null, 'index.docker.io'),
      { name: 'lablup/ubuntu', project: null, tag: '22.04', registry: 'index.docker.io' },
    ],
  ])('takes %j apart', (known, parts) => {
    expect(imageRefBody(known)).toEqual({ ...parts, ...rest });
  });

  it('spells the architecture as the Manager does, and keeps what is local', () => {
    expect(imageRefBody({ ...image('a/b:1', 'a', 'r', 'arm64'), isLocal: true })).toMatchObject({
      architecture: 'aarch64',
      is_local: true,
    });
  });

  it.each([
    image('r.example.com/stable/python:3', 'other', 'r.example.com'),
    image('r.example.com/stable/python:-3', 'stable', 'r.example.com'),
    image('r.example.com/:3', null, 'r.example.com'),
  ])('leaves %j to its name', (known) => {
    expect(imageRefBody(known)).toBeNull();
  });
});
