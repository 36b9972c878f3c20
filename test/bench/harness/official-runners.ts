import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';

const run = promisify(execFile);
const FOLDER = fileURLToPath(new URL('../../../.runtime/official-runner', import.meta.url));
const RUNNER = 'backend.ai-kernel==26.9.6';
const VOLUME = 'backend.ai-krunner-static-gnu==4.4.0';
const SITE_PACKAGES = 'lib/python3.13/site-packages/ai/backend/kernel';
const INSTALL_MS = 240_000;
const START_MS = 60_000;
const POLL_MS = 200;
const USER = 9001;

/**
 * The official runner, from its published packages, in containers of its own: what our runner's memory is compared
 * with. Its services for terminals are left out, which ours does not have either.
 */
export class OfficialRunners implements AsyncDisposable {
  readonly initPids: number[] = [];
  readonly #containers: string[] = [];

  private constructor(private readonly scratch: string) {}

  /** Rejects where the packages can't be downloaded. */
  static async start(image: string, count: number, signal: AbortSignal): Promise<OfficialRunners> {
    await install(signal);
    const runners = new OfficialRunners(await mkdtemp(join(tmpdir(), 'backend-ai-bench-official-')));
    try {
      for (let made = 0; made < count; made += 1) await runners.#add(image, made, signal);
      return runners;
    } catch (error) {
      await runners[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#containers.length > 0) await run('docker', ['rm', '--force', '--volumes', ...this.#containers]);
    await rm(this.scratch, { recursive: true, force: true });
  }

  async #add(image: string, index: number, signal: AbortSignal): Promise<void> {
    const config = join(this.scratch, `config-${index}`);
    await mkdir(config);
    for (const file of ['environ.txt', 'resource.txt']) await writeFile(join(config, file), '');
    const args = [
      ...['run', '--detach', '--init', '--tty', '--workdir', '/home/work', '--user', `${USER}:${USER}`],
      ...['--env', 'HOME=/home/work', '--env', 'LANG=C.UTF-8', '--env', 'USER=work'],
      ...['--tmpfs', `/home/work:uid=${USER},gid=${USER}`],
      ...['--volume', `${FOLDER}:/opt/backend.ai:ro`, '--volume', `${config}:/home/config:ro`],
      ...['--entrypoint', '/opt/backend.ai/bin/python', image],
      ...['-s', '-m', 'ai.backend.kernel', 'python', '/usr/bin/python3'],
    ];
    const id = (await run('docker', args, { signal })).stdout.trim();
    this.#containers.push(id);
    await this.#untilStarted(id, signal);
    const { stdout } = await run('docker', ['inspect', '--format', '{{.State.Pid}}', id], { signal });
    this.initPids.push(Number(stdout));
  }

  /** It has tried to start its services, the last thing it does. */
  async #untilStarted(id: string, signal: AbortSignal): Promise<void> {
    const until = performance.now() + START_MS;
    while (!(await run('docker', ['logs', id], { signal })).stdout.includes('ttyd')) {
      if (performance.now() > until) throw new Error('the official runner did not start');
      await sleep(POLL_MS, undefined, { signal });
    }
  }
}

/** Downloads and unpacks the packages once for this checkout. */
async function install(signal: AbortSignal): Promise<void> {
  if (
    await stat(FOLDER).then(
      () => true,
      () => false,
    )
  )
    return;
  const temporary = `${FOLDER}.${process.pid}`;
  const options = { signal, timeout: INSTALL_MS };
  try {
    await mkdir(temporary, { recursive: true });
    const pip = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--dest', temporary];
    const newer = ['--python-version', '3.13', '--only-binary=:all:', '--ignore-requires-python'];
    await run('python3', [...pip, ...newer, RUNNER, VOLUME], options);
    for (const wheel of await readdir(temporary)) {
      await run('python3', ['-m', 'zipfile', '-e', join(temporary, wheel), join(temporary, 'wheels')], options);
    }
    const archive = join(temporary, 'wheels/ai/backend/krunner/static_gnu/krunner-env.static-gnu.x86_64.tar.xz');
    const volume = join(temporary, 'volume');
    await mkdir(volume);
    await run('tar', ['-xJf', archive, '-C', volume], options);
    await cp(join(temporary, 'wheels/ai/backend/kernel'), join(volume, SITE_PACKAGES), { recursive: true });
    await rename(volume, FOLDER);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
