import { SHIELDED_VARIABLES } from '../../src/domain/krunner-wire/krunner-wire.js';
import { HOME } from './account.js';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Directory that must exist → what goes to the front of PATH, in this order (krunner.md §1.5). */
const PROMOTIONS = [
  ['/usr/local/cuda/bin', '/usr/local/cuda/bin'],
  ['/usr/local/nvidia/bin', '/usr/local/nvidia/bin'],
  ['/home/linuxbrew/.linuxbrew', '/home/linuxbrew/.linuxbrew/bin'],
] as const;

export type Environment = Record<string, string>;

/** Lines `K=V` of environ.txt; a line without a name is skipped, the rest counts (W25). */
export function parseEnvironFile(text: string): Environment {
  const env: Environment = {};
  for (const line of text.split('\n')) {
    const at = line.indexOf('=');
    if (at > 0 && !line.includes('\0')) env[line.slice(0, at)] = line.slice(at + 1);
  }
  return env;
}

/**
 * The environment of everything that the runner starts (krunner.md §1.5). `fallback` has programs for images that lack
 * them: the last place where one is looked for.
 */
export function childEnvironment(
  own: Readonly<Record<string, string | undefined>>,
  environFile: string,
  exists: (path: string) => boolean,
  fallback: string,
): Environment {
  const env: Environment = {};
  for (const [name, value] of Object.entries(own)) if (value !== undefined) env[name] = value;
  Object.assign(env, { LANG: 'C.UTF-8', HOME, TERM: 'xterm' });
  env['PATH'] ||= DEFAULT_PATH;
  env['SHELL'] ??= ['/bin/ash', '/bin/bash'].find(exists) ?? '/bin/sh';
  env['USER'] ??= 'work';
  Object.assign(env, parseEnvironFile(environFile));
  for (const name of SHIELDED_VARIABLES) if (env[name] === '') Reflect.deleteProperty(env, name);
  for (const [needed, directory] of PROMOTIONS) if (exists(needed)) promote(env, directory);
  promote(env, `${HOME}/.local/bin`);
  env['PATH'] += `:${fallback}`;
  return env;
}

function promote(env: Environment, directory: string): void {
  const rest = (env['PATH'] ?? '').split(':').filter((entry) => entry !== directory);
  env['PATH'] = [directory, ...rest].join(':');
}
