import type { CommitFile, CommitStore } from '../../src/application/ports/commit-store.port.js';

/** Files of committed images by `subfolder/filename`, not compressed. */
export class MemoryCommitStore implements CommitStore {
  readonly files = new Map<string, Buffer>();
  /** Files that are being written. */
  readonly unfinished = new Set<string>();
  /** Thrown by every `save` after it has read the first chunk. */
  failure: Error | undefined;

  async save({ subfolder, filename }: CommitFile, tar: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    const path = `${subfolder}/${filename}`;
    const chunks: Uint8Array[] = [];
    this.unfinished.add(path);
    try {
      for await (const chunk of tar) {
        signal.throwIfAborted();
        if (this.failure) throw this.failure;
        chunks.push(chunk);
      }
      this.files.set(path, Buffer.concat(chunks));
    } finally {
      this.unfinished.delete(path);
    }
  }

  sweep(): Promise<void> {
    this.unfinished.clear();
    return Promise.resolve();
  }
}
