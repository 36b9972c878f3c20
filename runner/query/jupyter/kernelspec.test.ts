import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { chooseKernelspec, findKernelspecs, kernelspecDirectories, parseKernelspec } from './kernelspec.js';

const spec = (name: string, program = 'x') => ({ name, argv: [program], env: {}, interruptByMessage: false });
const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

describe('parseKernelspec', () => {
  it('reads command, environment and interrupt mode', () => {
    const text = '{"argv":["py","-f","{connection_file}"],"env":{"A":"1","B":2},"interrupt_mode":"message"}';
    expect(parseKernelspec('p', text)).toEqual({
      name: 'p',
      argv: ['py', '-f', '{connection_file}'],
      env: { A: '1' },
      interruptByMessage: true,
    });
  });

  it.each(['', '[]', 'null', '{"argv":[]}', '{"argv":[1]}', '{"argv":"x"}'])('refuses %s', (text) => {
    expect(parseKernelspec('p', text)).toBeUndefined();
  });
});

describe('findKernelspecs', () => {
  it('takes the first directory that has a name, and skips what is broken', () => {
    const base = mkdtempSync(join(tmpdir(), 'specs-'));
    directories.push(base);
    const put = (directory: string, name: string, text: string) => {
      mkdirSync(join(base, directory, name), { recursive: true });
      writeFileSync(join(base, directory, name, 'kernel.json'), text);
    };
    put('a', 'python3', '{"argv":["first"]}');
    put('b', 'python3', '{"argv":["second"]}');
    put('b', 'ir', '{"argv":["R"]}');
    put('b', 'broken', '{');
    const found = findKernelspecs([join(base, 'none'), join(base, 'a'), join(base, 'b')]);
    expect(found.map(({ name, argv }) => [name, argv[0]])).toEqual([
      ['python3', 'first'],
      ['ir', 'R'],
    ]);
  });
});

describe('chooseKernelspec', () => {
  it('prefers python and insists on it when told to', () => {
    expect(chooseKernelspec([spec('ir'), spec('python3')], false)?.name).toBe('python3');
    expect(chooseKernelspec([spec('ir')], false)?.name).toBe('ir');
    expect(chooseKernelspec([spec('ir')], true)).toBeUndefined();
  });
});

describe('kernelspecDirectories', () => {
  it('starts with JUPYTER_PATH and has each once', () => {
    const found = kernelspecDirectories({ JUPYTER_PATH: '/j' }, ['/usr', '/opt/conda']);
    expect(found[0]).toBe('/j/kernels');
    expect(found).toContain('/opt/conda/share/jupyter/kernels');
    expect(new Set(found).size).toBe(found.length);
  });
});
