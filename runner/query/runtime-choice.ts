import { findExecutable } from '../process/executable.js';

export type Language = 'python' | 'node' | 'shell' | 'none';

/** What runs the user's code: decided once, from the image's labels and from what the image has. */
export interface RuntimeChoice {
  readonly language: Language;
  /** Program of the language; absent when a label asks for one that the image lacks. */
  readonly interpreter: string | undefined;
  /** The label asked for anything at all (`app`), or for something unknown. */
  readonly detected: boolean;
  readonly warning?: string;
}

const PROGRAMS: Record<Exclude<Language, 'none'>, readonly string[]> = {
  python: ['python3', 'python', '/usr/local/bin/python3', '/opt/conda/bin/python3'],
  node: ['node', 'nodejs', '/usr/local/bin/node'],
  shell: ['/bin/bash', '/bin/sh', 'bash', 'sh', 'ash'],
};

const LABELS: Readonly<Record<string, Exclude<Language, 'none'>>> = {
  python: 'python',
  nodejs: 'node',
  node: 'node',
  javascript: 'node',
  shell: 'shell',
  bash: 'shell',
  sh: 'shell',
};

/**
 * `app` takes the first of python, node and shell that is there. A type that is not known never ends the runner (W24):
 * it is treated as `app` with a warning. A runtime path that does not exist is looked up in PATH instead.
 */
export function chooseRuntime(
  type: string,
  path: string | undefined,
  searchPath: string,
  find: typeof findExecutable = findExecutable,
): RuntimeChoice {
  const asked = LABELS[type.toLowerCase()];
  if (asked !== undefined) {
    return {
      language: asked,
      interpreter: find([...(path ? [path] : []), ...PROGRAMS[asked]], searchPath),
      detected: false,
    };
  }
  const warning =
    type === 'app' ? {} : { warning: `runtime type "${type.slice(0, 64)}" is not known; looking at the image instead` };
  for (const language of ['python', 'node', 'shell'] as const) {
    const interpreter = find(PROGRAMS[language], searchPath);
    if (interpreter !== undefined) return { language, interpreter, detected: true, ...warning };
  }
  return { language: 'none', interpreter: undefined, detected: true, ...warning };
}
