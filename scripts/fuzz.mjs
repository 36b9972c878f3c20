/** `npm run fuzz [-- OPTIONS]`: compiles test/fuzz into out/fuzz, laid out as the project is, and runs it from there. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const out = join(root, 'out/fuzz');
/** What the compiled programs look for beside themselves. */
const LINKED = ['package.json', 'test/fixtures'];

const run = (...args) => spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status ?? 1;

rmSync(out, { recursive: true, force: true });
const compiled = run(join(root, 'node_modules/@typescript/native/bin/tsc'), '-p', 'test/fuzz/tsconfig.json');
if (compiled === 0) {
  for (const path of LINKED) {
    mkdirSync(dirname(join(out, path)), { recursive: true });
    symlinkSync(relative(dirname(join(out, path)), join(root, path)), join(out, path));
  }
  process.exitCode = run('--enable-source-maps', join(out, 'test/fuzz/main.js'), ...process.argv.slice(2));
} else {
  process.exitCode = compiled;
}
