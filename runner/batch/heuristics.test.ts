import { describe, expect, it } from 'vitest';
import { planStep, type BatchContext } from './heuristics.js';

const context = (files: string[], over: Partial<BatchContext> = {}): BatchContext => ({
  language: 'python',
  interpreter: '/usr/bin/python3',
  exists: (name) => files.includes(name),
  ...over,
});

describe('planStep', () => {
  it('skips empty steps and runs commands', () => {
    expect(planStep('exec', '', context([]))).toEqual({ exitCode: 0 });
    expect(planStep('build', ' \n', context([]))).toEqual({ exitCode: 0 });
    expect(planStep('clean', 'rm x', context([]))).toEqual({ command: 'rm x' });
  });

  it('never cleans by itself', () => {
    expect(planStep('clean', '*', context(['Makefile']))).toEqual({ exitCode: 0 });
  });

  it('builds by Makefile before setup.py', () => {
    expect(planStep('build', '*', context(['Makefile', 'setup.py']))).toEqual({ command: 'make' });
    expect(planStep('build', '*', context(['setup.py']))).toEqual({
      argv: ['/usr/bin/python3', '-m', 'pip', 'install', '--user', '-e', '.'],
    });
    expect(planStep('build', '*', context([]))).toEqual({ exitCode: 0 });
  });

  it('executes the main file of the language', () => {
    expect(planStep('exec', '*', context(['main.py']))).toEqual({ argv: ['/usr/bin/python3', 'main.py'] });
    expect(planStep('exec', '*', context(['main.py'], { language: 'node' }))).toMatchObject({ exitCode: 127 });
    expect(planStep('exec', '*', context(['main.py'], { interpreter: undefined }))).toMatchObject({ exitCode: 127 });
    expect(planStep('exec', '*', context([], { language: 'none' }))).toEqual({ exitCode: 0 });
  });
});
