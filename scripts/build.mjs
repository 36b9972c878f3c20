/** `npm run build`: compiles src/ to dist/ and bundles the in-container runner to dist/runner. */
import { execFileSync } from 'node:child_process';
import { rm, rename } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildRunner } from './build-runner.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
/** Beside dist/ and as deep, so that source maps stay right; put in its place only when complete. */
const fresh = join(root, 'dist.new');

await rm(fresh, { recursive: true, force: true });
try {
  const compiler = join(root, 'node_modules/@typescript/native/bin/tsc');
  const project = join(root, 'tsconfig.build.json');
  execFileSync(process.execPath, [compiler, '-p', project, '--outDir', fresh], { stdio: 'inherit' });
  await buildRunner(join(fresh, 'runner'));
  await rm(dist, { recursive: true, force: true });
  await rename(fresh, dist);
} catch (error) {
  await rm(fresh, { recursive: true, force: true });
  // The compiler has said what is wrong.
  if (error?.status === undefined) console.error(error);
  process.exitCode = 1;
}
