/**
 * Builds the in-container runner: `node scripts/build-runner.mjs [OUT_DIR]` (default dist/runner).
 *
 * The folder is all that the runner needs besides a Node runtime: main.cjs (everything in JavaScript, zeromq's own part
 * included), zeromq-<arch>.node for each architecture that zeromq ships for glibc, and the driver programs.
 */
import { build } from 'esbuild';
import { chmod, copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
/** Node-API is stable across releases; this prebuild needs only glibc 2.25 (krunner.md §6.6). */
const PREBUILD = 'glibc-127-Release';
const ARCHITECTURES = ['x64', 'arm64'];

/** zeromq looks for its add-on by guessing the image's libc; ours is always the glibc one beside main.cjs. */
const addonBesideBundle = {
  name: 'addon-beside-bundle',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^cmake-ts\/build\/loader$/ }, () => ({ path: 'loader', namespace: 'zeromq-addon' }));
    onLoad({ filter: /.*/, namespace: 'zeromq-addon' }, () => ({
      contents:
        "exports.loadAddon = () => { const m = { exports: {} }; process.dlopen(m, __dirname + '/zeromq-' + process.arch + '.node'); return m.exports; };",
    }));
  },
};

export async function buildRunner(outDir) {
  const temporary = `${outDir}.${process.pid}`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(join(temporary, 'drivers'), { recursive: true });
  await build({
    entryPoints: [join(root, 'runner/main.ts')],
    outfile: join(temporary, 'main.cjs'),
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: false,
    legalComments: 'none',
    plugins: [addonBesideBundle],
    logLevel: 'warning',
  });
  const prebuilds = join(dirname(require.resolve('zeromq/package.json')), 'build/linux');
  for (const arch of ARCHITECTURES) {
    await copyFile(join(prebuilds, arch, 'node', PREBUILD, 'addon.node'), join(temporary, `zeromq-${arch}.node`));
  }
  for (const driver of await readdir(join(root, 'runner/drivers'))) {
    await copyFile(join(root, 'runner/drivers', driver), join(temporary, 'drivers', driver));
    await chmod(join(temporary, 'drivers', driver), 0o644);
  }
  await rm(outDir, { recursive: true, force: true });
  await rename(temporary, outDir);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await buildRunner(resolve(process.argv[2] ?? join(root, 'dist/runner')));
