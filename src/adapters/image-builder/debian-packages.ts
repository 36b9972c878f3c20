import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { imageNotAvailable, imagePullFailed, storageFailure } from '../../domain/error/errors.js';
import { runCommand, type CommandResult } from './command.js';

/** A share of the work that is done, 0 to 100. */
type OnPercent = (percent: number) => void;

export interface DownloadRequest {
  readonly packages: readonly string[];
  /** An existing empty directory; everything that is written goes below it. */
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly onPercent?: OnPercent;
  /** Called before the package lists are fetched, which takes some seconds more. */
  readonly onUpdate?: () => void;
}

const HINT = 'Check this machine\'s network and package sources with "apt-get update", or name an image with --image.';

/**
 * Fetches Debian packages and all that they depend on, as for an empty system: apt resolves against an empty status
 * file, so neither root nor a change to this machine is needed.
 */
export class DebianPackages {
  constructor(private readonly aptGet = 'apt-get') {}

  /**
   * Resolves with the paths of the downloaded packages, in the order of their names.
   *
   * Errors: `ImageNotAvailable` if this machine has no apt, `ImagePullError` if the packages can't be found or
   * fetched, `StorageError` if there is no space.
   */
  async download(request: DownloadRequest): Promise<readonly string[]> {
    const { directory } = request;
    await mkdir(join(directory, 'archives', 'partial'), { recursive: true });
    await mkdir(join(directory, 'lists', 'partial'), { recursive: true });
    await writeFile(join(directory, 'status'), '');

    // The machine's own lists are the fast way; they may be missing (fresh container) or older than the archive.
    let result = await this.install(request, []);
    if (result.exitCode !== 0 && !isOutOfSpace(result.stderr)) {
      request.onUpdate?.();
      const ownLists = ['-o', `Dir::State::lists=${join(directory, 'lists')}`];
      const update = await this.apt(request, [...ownLists, 'update']);
      if (update.exitCode !== 0) throw failure(update, 'The package lists could not be fetched');
      result = await this.install(request, ownLists);
    }
    if (result.exitCode !== 0) throw failure(result, 'The packages of the image could not be fetched');

    const archives = join(directory, 'archives');
    const names = (await readdir(archives)).filter((name) => name.endsWith('.deb')).sort();
    return names.map((name) => join(archives, name));
  }

  private install(request: DownloadRequest, options: readonly string[]): Promise<CommandResult> {
    return this.apt(request, [
      ...options,
      '--yes',
      '--no-install-recommends',
      '--download-only',
      'install',
      '--',
      ...request.packages,
    ]);
  }

  private async apt(request: DownloadRequest, args: readonly string[]): Promise<CommandResult> {
    const { directory } = request;
    const options = {
      'Dir::State::status': join(directory, 'status'),
      'Dir::Cache::archives': join(directory, 'archives'),
      'Dir::Cache::pkgcache': '',
      'Dir::Cache::srcpkgcache': '',
      'Debug::NoLocking': 'true',
      // apt's own unprivileged user can't enter a private temporary directory.
      'APT::Sandbox::User': 'root',
      'APT::Status-Fd': '3',
      'APT::Update::Error-Mode': 'any',
      'Acquire::Retries': '2',
      'Acquire::Languages': 'none',
    };
    const settings = Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
    try {
      return await runCommand(this.aptGet, ['-qq', ...settings, ...args], {
        signal: request.signal,
        onStatusLine: (line) => {
          const percent = parseDownloadPercent(line);
          if (percent !== undefined) request.onPercent?.(percent);
        },
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw imageNotAvailable('No image can be built here: this machine has no apt-get.', {
        hint: 'Building needs Debian or Ubuntu. Pull or load an image with Docker and name it with --image.',
        cause: error,
      });
    }
  }
}

/** Reads `dlstatus:<item>:<percent>:<text>` of apt's status descriptor. */
export function parseDownloadPercent(line: string): number | undefined {
  const match = /^dlstatus:\d+:(\d+(?:\.\d+)?):/.exec(line);
  return match?.[1] === undefined ? undefined : Math.min(100, Number(match[1]));
}

function isOutOfSpace(stderr: string): boolean {
  return /No space left on device|don't have enough free space|Disk quota exceeded/.test(stderr);
}

function failure(result: CommandResult, what: string) {
  const cause = result.stderr
    .split('\n')
    .filter((line) => /^(E|Err|W):/.test(line))
    .map((line) => line.replace(/^\w+: /, ''))[0];
  if (isOutOfSpace(result.stderr)) {
    return storageFailure(`${what}: no space left for them.`, {
      hint: 'Free 300 MB in the temporary directory, or point TMPDIR to another one.',
    });
  }
  return imagePullFailed(`${what}: ${cause ?? `apt-get ended with status ${result.exitCode}`}`, { hint: HINT });
}
