/**
 * Builds the in-container runner: `node scripts/build-runner.mjs [OUT_DIR]` (default dist/runner).
 *
 * The folder is all that the runner needs besides a Node runtime: main.cjs (everything in JavaScript, zeromq's own part
 * included), ssh.cjs (the SSH service), terminal.cjs and terminal.html (the terminal in a browser), zeromq-<arch>.node and
 * pty-<arch>.node for each architecture that has them here, the driver programs, commands for images that lack them, and
 * the licences of what others wrote.
 */
import { build } from 'esbuild';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
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

/** Starts the client of ssh.cjs the way the runner itself is started: nothing of the image is used but its shell. */
const SSH_COMMAND = `#!/bin/sh
here=\${0%/fallback/*}
root=\${here%/*}
for loader in "$root"/lib/ld-linux*; do break; done
exec "$loader" --argv0 ssh --inhibit-cache --library-path "$root/lib" "$root/bin/bai-krunner" "$here/ssh.cjs" client "$@"
`;

/** Texts of the licences of all packages that went into a bundle. */
async function licencesOf({ inputs }) {
  const packages = Object.keys(inputs).map((path) => /.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]);
  const texts = [];
  for (const path of [...new Set(packages)].filter(Boolean).sort()) {
    const { name, version } = JSON.parse(await readFile(join(root, path, 'package.json'), 'utf8'));
    // Some of xterm.js's packages leave it to their main one.
    const folders = [path, ...(name.startsWith('@xterm/') ? ['node_modules/@xterm/xterm'] : [])];
    const files = folders.flatMap((folder) => readdirSync(join(root, folder)).map((file) => join(root, folder, file)));
    const licence = files.find((file) => /^licen[cs]e/i.test(basename(file)));
    if (licence === undefined) throw new Error(`${name} has no licence text`);
    texts.push(`${name} ${version}\n\n${(await readFile(licence, 'utf8')).trim()}\n`);
  }
  return texts.join('\n');
}

/** One file with everything in it: a kernel may be without any network. */
async function buildTerminalPage(out) {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(root, 'runner/terminal/page/main.ts')],
    absWorkingDir: root,
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    format: 'iife',
    target: 'es2022',
    legalComments: 'none',
    logLevel: 'warning',
  });
  const style = await readFile(require.resolve('@xterm/xterm/css/xterm.css'), 'utf8');
  const template = await readFile(join(root, 'runner/terminal/page/index.html'), 'utf8');
  const page = template
    .replace("/* The terminal's own. */", () => style)
    .replace('/* The program. */', () => outputFiles[0].text);
  await writeFile(out, `${page}<!--\n${await licencesOf(metafile)}-->\n`);
}

export async function buildRunner(outDir) {
  const temporary = `${outDir}.${process.pid}`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(join(temporary, 'drivers'), { recursive: true });
  const { metafile } = await build({
    entryPoints: {
      main: join(root, 'runner/main.ts'),
      ssh: join(root, 'runner/ssh/main.ts'),
      terminal: join(root, 'runner/terminal/main.ts'),
    },
    absWorkingDir: root,
    metafile: true,
    outdir: temporary,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    // Native parts of ssh2 and ws that they do without.
    external: ['cpu-features', '*/sshcrypto.node', 'bufferutil', 'utf-8-validate'],
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
  await writeFile(join(temporary, 'THIRD-PARTY.txt'), await licencesOf(metafile));
  await buildTerminalPage(join(temporary, 'terminal.html'));
  const prebuilds = join(dirname(require.resolve('zeromq/package.json')), 'build/linux');
  for (const arch of ARCHITECTURES) {
    await copyFile(join(prebuilds, arch, 'node', PREBUILD, 'addon.node'), join(temporary, `zeromq-${arch}.node`));
  }
  for (const arch of ARCHITECTURES) {
    // npm installs the one of this machine alone.
    const addon = join(root, `node_modules/@lydell/node-pty-linux-${arch}/pty.node`);
    if (existsSync(addon)) await copyFile(addon, join(temporary, `pty-${arch}.node`));
  }
  await mkdir(join(temporary, 'fallback'));
  await writeFile(join(temporary, 'fallback/ssh'), SSH_COMMAND, { mode: 0o755 });
  for (const driver of await readdir(join(root, 'runner/drivers'))) {
    await copyFile(join(root, 'runner/drivers', driver), join(temporary, 'drivers', driver));
    await chmod(join(temporary, 'drivers', driver), 0o644);
  }
  await rm(outDir, { recursive: true, force: true });
  await rename(temporary, outDir);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await buildRunner(resolve(process.argv[2] ?? join(root, 'dist/runner')));
