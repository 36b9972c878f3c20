import { describe, expect, it } from 'vitest';
import { childEnvironment, parseEnvironFile } from './child-environment.js';

const nothing = () => false;

describe('parseEnvironFile', () => {
  it('keeps reading after a line that is no assignment', () => {
    expect(parseEnvironFile('A=1\ncontinued\n=x\nB=2=3\nC=\n')).toEqual({ A: '1', B: '2=3', C: '' });
  });
});

describe('childEnvironment', () => {
  it('sets the fixed values and lets the file win', () => {
    const env = childEnvironment(
      { LANG: 'de', KEEP: 'k', TERM: 'vt100' },
      'KEEP=new\nLANG=ko_KR.UTF-8\n',
      nothing,
      '/fb',
    );
    expect(env).toMatchObject({ LANG: 'ko_KR.UTF-8', KEEP: 'new', TERM: 'xterm', HOME: '/home/work' });
    expect(env['SHELL']).toBe('/bin/sh');
    expect(env['PATH']).toBe('/home/work/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/fb');
  });

  it('promotes directories to the front, the last promoted first, each once', () => {
    const there = new Set(['/usr/local/cuda/bin', '/home/linuxbrew/.linuxbrew']);
    const env = childEnvironment({ PATH: '/bin:/usr/local/cuda/bin' }, '', (path) => there.has(path), '/fb');
    expect(env['PATH']).toBe('/home/work/.local/bin:/home/linuxbrew/.linuxbrew/bin:/usr/local/cuda/bin:/bin:/fb');
  });

  it('removes shielded variables that are empty and keeps those the user set', () => {
    const env = childEnvironment({ LD_PRELOAD: '', NODE_OPTIONS: '' }, 'NODE_OPTIONS=--trace-gc\n', nothing, '/fb');
    expect(env).not.toHaveProperty('LD_PRELOAD');
    expect(env['NODE_OPTIONS']).toBe('--trace-gc');
  });
});
