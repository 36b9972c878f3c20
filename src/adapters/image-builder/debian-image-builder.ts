import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Call } from '../../application/ports/call.js';
import type { ContainerEngine } from '../../application/ports/container-engine.port.js';
import { isAgentError, messageOf } from '../../domain/error/agent-error.js';
import { deadlineExceeded, imagePullFailed, storageFailure } from '../../domain/error/errors.js';
import { DebianPackages } from './debian-packages.js';
import { compilePython, hasPython } from './python-bytecode.js';
import { rootTar, type ExtraFile } from './root-tar.js';

/** A shell, the usual tools, certificates and time zones. */
const BASE_PACKAGES = [
  'base-files',
  'base-passwd',
  'bash',
  'ca-certificates',
  'coreutils',
  'dash',
  'findutils',
  'grep',
  'libc-bin',
  'mawk',
  'procps',
  'sed',
  'tzdata',
] as const;

/** What a small Python image is made of: the standard library without tests, IDE and headers. */
export const PYTHON_PACKAGES: readonly string[] = [...BASE_PACKAGES, 'python3-minimal', 'libpython3-stdlib'];

/** Wanted by installation scripts, which are not run, and by nothing else. */
const ONLY_FOR_INSTALLATION = /^(debconf|dpkg|openssl|tar|perl(-.*)?|libperl[\d.]+|lib.*-perl|init-system-helpers)_/;

const DEFAULT_TIMEOUT_MS = 600_000;
/** Package files plus, where this machine has none, the package lists. */
const NEEDED_BYTES = 300 * 1024 * 1024;

export interface BuildProgress {
  readonly step: 'resolve' | 'update' | 'download' | 'compile' | 'import';
  /** What is being done, for people. */
  readonly message: string;
  /** Of this step, 0 to 100. */
  readonly percent: number;
}

export interface BuildRequest {
  /** Name and tag of the image. */
  readonly reference: string;
  /** Debian packages; what they depend on comes with them. */
  readonly packages: readonly string[];
  /** Files of this machine to add. */
  readonly files?: readonly ExtraFile[];
  /** Symlinks to add: path in the image → target. */
  readonly links?: Readonly<Record<string, string>>;
  /** In Dockerfile words: `CMD ["python3"]`, `ENV LANG=C.UTF-8`, `LABEL a=b`. */
  readonly changes: readonly string[];
  readonly onProgress?: (progress: BuildProgress) => void;
}

/**
 * Makes an image from the packages of this machine's distribution (Debian or Ubuntu), with no registry and no
 * privilege but that of using the container engine. Takes seconds, and leaves nothing in the temporary directory.
 */
export class DebianImageBuilder {
  constructor(
    private readonly engine: Pick<ContainerEngine, 'importImage'>,
    private readonly packages = new DebianPackages(),
    private readonly temporaryDirectory = tmpdir(),
  ) {}

  /**
   * Builds and names the image; an image that had the name loses it. Default deadline 10 minutes.
   *
   * Errors: `ImageNotAvailable` (no apt here), `ImagePullError` (packages can't be fetched or unpacked),
   * `StorageError` (no space), `TimeoutError`, and those of `ContainerEngine.importImage`.
   */
  async build(request: BuildRequest, call: Call): Promise<void> {
    const timeoutMs = call.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const deadline = AbortSignal.timeout(timeoutMs);
    const signal = AbortSignal.any([call.signal, deadline]);
    signal.throwIfAborted();
    await this.requireSpace();
    const directory = await mkdtemp(join(this.temporaryDirectory, 'backend-ai-image-'));
    try {
      const packages = await this.download(request, directory, signal);
      const bytecode = await this.compile(request, packages, directory, signal);
      await this.import({ ...request, files: [...(request.files ?? []), ...bytecode] }, packages, { ...call, signal });
    } catch (error) {
      call.signal.throwIfAborted();
      if (isAgentError(error)) throw error;
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw noSpace(this.temporaryDirectory, error);
      if (deadline.aborted) {
        throw deadlineExceeded(`The image ${request.reference} was not built within ${timeoutMs / 1000} s.`, {
          hint: 'Check how fast this machine reaches its package sources, and try again.',
        });
      }
      throw imagePullFailed(`The image ${request.reference} could not be built: ${messageOf(error)}`, {
        hint: 'Try again, or name an image with --image.',
        cause: error,
      });
    } finally {
      await rm(directory, { recursive: true, force: true, maxRetries: 3 });
    }
  }

  private async download(request: BuildRequest, directory: string, signal: AbortSignal): Promise<readonly string[]> {
    const { onProgress } = request;
    onProgress?.({ step: 'resolve', message: 'choosing packages', percent: 0 });
    const paths = await this.packages.download({
      packages: request.packages,
      directory,
      signal,
      onUpdate: () => onProgress?.({ step: 'update', message: 'fetching package lists', percent: 0 }),
      onPercent: (percent) => onProgress?.({ step: 'download', message: 'fetching packages', percent }),
    });
    return paths.filter((path) => !ONLY_FOR_INSTALLATION.test(basename(path)));
  }

  private async compile(request: BuildRequest, packages: readonly string[], directory: string, signal: AbortSignal) {
    if (!hasPython(packages)) return [];
    request.onProgress?.({ step: 'compile', message: 'compiling Python modules', percent: 0 });
    return compilePython(packages, join(directory, 'python'), signal);
  }

  private async import(request: BuildRequest, packages: readonly string[], call: Call): Promise<void> {
    const tar = rootTar({
      packages,
      files: request.files ?? [],
      links: request.links ?? {},
      signal: call.signal,
      onPercent: (percent) => request.onProgress?.({ step: 'import', message: 'making the image', percent }),
    });
    await this.engine.importImage(tar, request.reference, request.changes, call);
  }

  private async requireSpace(): Promise<void> {
    const { bavail, bsize } = await statfs(this.temporaryDirectory);
    if (bavail * bsize < NEEDED_BYTES) throw noSpace(this.temporaryDirectory);
  }
}

function noSpace(directory: string, cause?: unknown) {
  return storageFailure(`Building an image needs ${NEEDED_BYTES / 1024 / 1024} MiB free in ${directory}.`, {
    hint: 'Free some space there, or point TMPDIR to another directory.',
    cause,
  });
}
