/** `npm run bench [-- OPTIONS]`: compiles the sources with test/bench into out/bench and runs test/bench/main.ts from there. */
import { spawnSync } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const out = join(root, 'out/bench');
const run = (...args) => spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status ?? 1;

// The compiler takes decorators with their metadata, which programs that only strip types do not.
const compiler = join(root, 'node_modules/@typescript/native/bin/tsc');
const compiled = run(compiler, '-p', 'tsconfig.json', '--noEmit', 'false', '--rootDir', '.', '--outDir', out);
process.exitCode = compiled || run('--enable-source-maps', join(out, 'test/bench/main.js'), ...process.argv.slice(2));
