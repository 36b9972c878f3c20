import { randomUUID } from 'node:crypto';
import { chmod, constants, copyFile, link, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Call } from '../../application/ports/call.js';
import type { RunnerLaunch, RunnerRuntime } from '../../application/ports/runner-runtime.port.js';
import { messageOf } from '../../domain/error/agent-error.js';
import { kernelRunnerNotInitialized, storageFailure } from '../../domain/error/errors.js';
import { SHIELDED_VARIABLES } from '../../domain/krunner-wire/krunner-wire.js';
import { planRuntime, type RuntimeFile, type RuntimePlan } from './runtime-files.js';

/** Where the runtime appears in containers. */
const TARGET = '/opt/backend.ai';
const DEFAULT_TIMEOUT_MS = 60_000;
const STALE_AFTER_MS = 10 * 60_000;
const PUBLISH_ATTEMPTS = 5;

export interface NodeRunnerRuntimeOptions {
  /** Host directory for runtimes; each version gets a folder of its own, shared by all kernels. */
  readonly runtimeRoot: string;
  /** The built runner (`scripts/build-runner.mjs`), usually dist/runner. */
  readonly bundleDirectory: string;
  /** Node's name of the machine's architecture; for tests. */
  readonly architecture?: string;
}

/**
 * Delivers our in-container runner: a folder with Node, glibc and the bundle, mounted read-only into every kernel.
 *
 * The folder is named after its content and appears by rename, so it is complete or not there, whoever makes it.
 * Folders of other versions stay: kernels that were started with them may still run.
 */
export class NodeRunnerRuntime implements RunnerRuntime {
  readonly services = ['sshd', 'ttyd'] as const;
  private ready: { readonly directory: string; readonly loader: string } | undefined;
  private preparing: Promise<void> | undefined;

  constructor(private readonly options: NodeRunnerRuntimeOptions) {}

  prepare(call: Call): Promise<void> {
    if (this.ready) return Promise.resolve();
    const signal = deadline(call);
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    // Shared by all who wait, so that one of them giving up does not fail the others.
    this.preparing ??= this.assemble().finally(() => (this.preparing = undefined));
    return abortable(this.preparing, signal);
  }

  launch(runtimeType: string, runtimePath: string | undefined): RunnerLaunch {
    if (!this.ready) throw kernelRunnerNotInitialized('The kernel runner is used before it was prepared');
    const { directory, loader } = this.ready;
    return {
      mounts: [{ type: 'bind', source: directory, target: TARGET, readOnly: true }],
      // The name hides "node" from users' pkill; the path of libraries ends with this process.
      entrypoint: [
        `${TARGET}/lib/${loader}`,
        '--argv0',
        'bai-krunner',
        '--inhibit-cache',
        '--library-path',
        `${TARGET}/lib`,
        `${TARGET}/bin/bai-krunner`,
        // One helper thread for compilation and garbage collection is enough, and costs less memory.
        '--v8-pool-size=1',
        `${TARGET}/runner/main.cjs`,
      ],
      cmd: [runtimeType, ...(runtimePath === undefined ? [] : [runtimePath])],
      env: Object.fromEntries(SHIELDED_VARIABLES.map((name) => [name, ''])),
      // To become the user; and so that the container's init, which is root without any other capability, can pass
      // the stop signal on to a process of that user.
      capAdd: ['SETUID', 'SETGID', 'KILL'],
    };
  }

  private async assemble(): Promise<void> {
    const signal = AbortSignal.timeout(DEFAULT_TIMEOUT_MS);
    const { runtimeRoot, bundleDirectory, architecture } = this.options;
    const plan = await planRuntime(bundleDirectory, architecture ?? process.arch, signal);
    const directory = join(runtimeRoot, plan.hash);
    try {
      if (!(await isComplete(directory, plan))) await build(directory, plan, signal);
      await removeLeftovers(runtimeRoot);
    } catch (cause) {
      signal.throwIfAborted();
      throw storageFailure(`The kernel runner cannot be put into ${runtimeRoot}: ${messageOf(cause)}`, {
        hint: 'The directory must be writable, on a file system with 150 MB free that allows execution.',
        cause,
      });
    }
    this.ready = { directory, loader: plan.loader };
  }
}

const deadline = (call: Call): AbortSignal =>
  AbortSignal.any([call.signal, AbortSignal.timeout(call.timeoutMs ?? DEFAULT_TIMEOUT_MS)]);

function abortable(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

async function isComplete(directory: string, plan: RuntimePlan): Promise<boolean> {
  const sizes = await Promise.all(
    plan.files.map((file) =>
      stat(join(directory, file.target)).then(
        (entry) => entry.size,
        () => -1,
      ),
    ),
  );
  return plan.files.every((file, index) => sizes[index] === file.bytes);
}

async function build(directory: string, plan: RuntimePlan, signal: AbortSignal): Promise<void> {
  const temporary = `${directory}.${randomUUID()}.new`;
  try {
    for (const file of plan.files) {
      signal.throwIfAborted();
      await place(file, join(temporary, file.target));
    }
    for (const path of await directoriesOf(temporary)) await chmod(path, 0o755);
    await publish(temporary, directory, plan);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/**
 * Gives the finished folder its name. Where another process was faster its folder, which is the same, stays; only one
 * found damaged is moved aside, which may be tried by several processes at once, hence the attempts.
 */
async function publish(temporary: string, directory: string, plan: RuntimePlan): Promise<void> {
  let failure: unknown;
  for (let attempt = 0; attempt < PUBLISH_ATTEMPTS; attempt += 1) {
    try {
      await rename(temporary, directory);
      return;
    } catch (error) {
      failure = error;
    }
    if (await isComplete(directory, plan)) return;
    await rename(directory, `${directory}.${randomUUID()}.old`).catch(() => undefined);
  }
  throw failure;
}

/** Big files are linked where that is possible: it takes no time and no space. */
async function place(file: RuntimeFile, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const { mode } = await stat(file.source);
  const readableByAll = (mode & 0o555) === 0o555;
  if (file.bytes > 10 << 20 && readableByAll) {
    try {
      await link(file.source, target);
      return;
    } catch {
      // Another file system, or links to files of others are not allowed: copied.
    }
  }
  await copyFile(file.source, target, constants.COPYFILE_FICLONE);
  await chmod(target, file.executable ? 0o755 : 0o644);
}

async function directoriesOf(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true, recursive: true });
  return [root, ...entries.filter((entry) => entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name))];
}

/** Unfinished folders of processes that were killed; young ones may be in the making right now. */
async function removeLeftovers(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    if (!name.endsWith('.new')) continue;
    const path = join(root, name);
    const age =
      Date.now() -
      (await stat(path).then(
        (entry) => entry.mtimeMs,
        () => Date.now(),
      ));
    if (age > STALE_AFTER_MS) await rm(path, { recursive: true, force: true });
  }
}
