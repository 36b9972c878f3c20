import { execFile } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, unlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Environment } from '../boot/child-environment.js';
import { findExecutable } from './executable.js';

interface PipeEnds {
  readonly readable: Readable;
  readonly writeFd: number;
}

interface OutputPipes {
  readonly stdout: PipeEnds;
  readonly stderr: PipeEnds;
  closeWriteEnds(): void;
}

const READY_PAIRS = 2;

/**
 * Real pipes for the output of programs. Node gives its children socket pairs, and `/dev/stdout` or `/dev/stderr`
 * cannot be opened on a socket, which breaks `echo x > /dev/stderr`. FIFOs made by the image's own mkfifo, opened at
 * both ends and unlinked at once, behave as pipes; an image without mkfifo gets the socket pairs.
 */
export class PipePool {
  private readonly ready: OutputPipes[] = [];
  private readonly mkfifo: string | undefined;
  private directory: string | undefined;
  private serial = 0;
  private filling = false;

  constructor(private readonly env: Environment) {
    this.mkfifo = findExecutable(['mkfifo'], env['PATH'] ?? '');
  }

  /** Two pipes, or nothing when none are ready. */
  take(): OutputPipes | undefined {
    const pipes = this.ready.shift();
    this.fill();
    return pipes;
  }

  /** Makes pipes in the background. */
  fill(): void {
    if (this.mkfifo === undefined || this.filling || this.ready.length >= READY_PAIRS) return;
    this.filling = true;
    let paths: string[];
    try {
      const directory = (this.directory ??= mkdtempSync('/tmp/.krunner-pipes-'));
      paths = Array.from({ length: 2 * (READY_PAIRS - this.ready.length) }, () =>
        join(directory, String(this.serial++)),
      );
    } catch {
      return;
    }
    execFile(this.mkfifo, ['-m', '600', ...paths], { env: this.env, timeout: 5000 }, (error) => {
      this.filling = false;
      if (error) return;
      try {
        for (let at = 0; at + 1 < paths.length; at += 2)
          this.ready.push(openPair(paths[at] ?? '', paths[at + 1] ?? ''));
      } catch {
        // No descriptors left: the next program gets socket pairs.
      }
    });
  }

  close(): void {
    if (this.directory !== undefined) rmSync(this.directory, { recursive: true, force: true });
  }
}

function openPair(first: string, second: string): OutputPipes {
  const stdout = openFifo(first);
  const stderr = openFifo(second);
  return {
    stdout,
    stderr,
    closeWriteEnds: () => {
      closeSync(stdout.writeFd);
      closeSync(stderr.writeFd);
    },
  };
}

function openFifo(path: string): PipeEnds {
  const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writeFd = openSync(path, constants.O_WRONLY);
  unlinkSync(path);
  return { readable: new Socket({ fd: readFd, readable: true, writable: false }), writeFd };
}
