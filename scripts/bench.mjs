/**
 * `npm run bench [-- OPTIONS]`: compiles the agent and test/bench into out/bench, laid out as the project is, and runs
 * test/bench/main.ts from there.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildRunner } from './build-runner.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const out = join(root, 'out/bench');
/** What the compiled programs look for beside themselves. */
const LINKED = ['package.json', '.runtime', 'test/bench/python', 'test/fixtures'];

const run = (...args) => spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status ?? 1;

rmSync(out, { recursive: true, force: true });
// The compiler takes decorators with their metadata, which programs that only strip types do not.
const compiled = run(join(root, 'node_modules/@typescript/native/bin/tsc'), '-p', 'test/bench/tsconfig.json');
if (compiled === 0) {
  await buildRunner(join(out, 'src/runner'));
  mkdirSync(join(root, '.runtime'), { recursive: true });
  for (const path of LINKED) symlinkSync(relative(dirname(join(out, path)), join(root, path)), join(out, path));
  // The young generation as the launcher gives it to the agent: some benches run parts of it in their own process.
  process.exitCode = run(
    '--enable-source-maps',
    '--max-semi-space-size=4',
    join(out, 'test/bench/main.js'),
    ...process.argv.slice(2),
  );
} else {
  process.exitCode = compiled;
}
