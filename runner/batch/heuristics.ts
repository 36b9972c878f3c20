import type { Language } from '../query/runtime-choice.js';

export type BatchStep = 'clean' | 'build' | 'exec';

/** What a step comes to: a shell command, a program with arguments, or nothing with an exit code and perhaps a reason. */
export type BatchPlan =
  | { readonly command: string }
  | { readonly argv: readonly string[] }
  | { readonly exitCode: number; readonly reason?: string };

export interface BatchContext {
  readonly language: Language;
  /** The language's program, if the image has it. */
  readonly interpreter: string | undefined;
  readonly exists: (name: string) => boolean;
}

const MAIN_FILES: Record<Language, string | undefined> = {
  python: 'main.py',
  node: 'main.js',
  shell: 'main.sh',
  none: undefined,
};

/** Empty = skipped, `*` = by what lies in the home directory, anything else = a shell command (krunner.md §4.1, §4.3). */
export function planStep(step: BatchStep, payload: string, context: BatchContext): BatchPlan {
  if (payload.trim() === '') return { exitCode: 0 };
  if (payload.trim() !== '*') return { command: payload };
  if (step === 'clean') return { exitCode: 0 };
  return step === 'build' ? planBuild(context) : planExec(context);
}

function planBuild({ language, interpreter, exists }: BatchContext): BatchPlan {
  if (exists('Makefile')) return { command: 'make' };
  if (language === 'python' && interpreter !== undefined && exists('setup.py')) {
    return { argv: [interpreter, '-m', 'pip', 'install', '--user', '-e', '.'] };
  }
  return { exitCode: 0 };
}

function planExec({ language, interpreter, exists }: BatchContext): BatchPlan {
  const main = MAIN_FILES[language];
  if (main === undefined) return { exitCode: 0 };
  if (!exists(main)) return { exitCode: 127, reason: `There is no ${main} in /home/work.` };
  if (interpreter === undefined) return { exitCode: 127, reason: `The image has no program to run ${main} with.` };
  return { argv: [interpreter, main] };
}
