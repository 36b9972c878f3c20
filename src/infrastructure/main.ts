import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Signals } from '../adapters/cli/cli-dependencies.js';
import { runCli } from '../adapters/cli/run-cli.js';
import { cliSetup, quickstartSetup } from './cli-setup.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const signals: Signals = {
  on(name, listener) {
    process.on(name, listener);
    return { [Symbol.dispose]: () => void process.off(name, listener) };
  },
};

process.exitCode = await runCli(process.argv.slice(2), {
  version,
  io: { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, env: process.env, cwd: process.cwd() },
  signals,
  setup: cliSetup(version),
  quickstart: quickstartSetup(),
  now: () => performance.now(),
  uuid: () => randomUUID(),
});
// Idle keep-alive connections would hold the process for seconds.
process.exit();
