import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { interfaceBytes } from './kernel-text.js';
import { KeptFile } from './kept-file.js';

/**
 * Network counters of one container, through its first process: the sum of all interfaces but the loopback. A
 * container in the host's own network has none of its own and reads 0. The descriptor keeps the network namespace
 * alive, so it must be disposed when the container died.
 */
export class ContainerNetwork implements Disposable {
  readonly #file: KeptFile | undefined;
  #rx = 0;
  #tx = 0;

  constructor(procRoot: string, pid: number) {
    const namespace = namespaceOf(procRoot, String(pid));
    const isHost = namespace !== undefined && namespace === namespaceOf(procRoot, 'self');
    this.#file = isHost ? undefined : KeptFile.open(join(procRoot, String(pid), 'net/dev'));
  }

  /** Bytes so far. After the end of the container its interfaces are gone; the last counts stay. */
  read(): { rx: number; tx: number } {
    const text = this.#file?.read();
    if (text !== undefined) {
      let [rx, tx] = [0, 0];
      for (const each of interfaceBytes(text)) {
        if (each.name === 'lo') continue;
        rx += each.rx;
        tx += each.tx;
      }
      this.#rx = Math.max(this.#rx, rx);
      this.#tx = Math.max(this.#tx, tx);
    }
    return { rx: this.#rx, tx: this.#tx };
  }

  [Symbol.dispose](): void {
    this.#file?.[Symbol.dispose]();
  }
}

function namespaceOf(procRoot: string, process: string): string | undefined {
  try {
    return readlinkSync(join(procRoot, process, 'ns/net'));
  } catch {
    return undefined;
  }
}
