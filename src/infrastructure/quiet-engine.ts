import { setFlagsFromString } from 'node:v8';

/**
 * What the engine of JavaScript makes of code that runs a few times a second: by default Node.js 20 optimises it, function by
 * function, for as long as the agent lives, which takes a third of the CPU of an idle agent and some memory. Three times
 * the default before a function counts as busy leaves that to work. Later versions have other names for it.
 */
export function keepQuiet(nodeVersion: string): void {
  if (nodeVersion.startsWith('20.')) setFlagsFromString('--interrupt-budget=400000');
}
