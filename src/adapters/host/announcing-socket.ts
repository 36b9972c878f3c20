import { open, rm, type FileHandle } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';

/** What a starter tells those who connect. */
export type LockState = 'starting' | 'holding';

/** A UNIX socket in a folder that tells everybody who connects whether its process holds the lock. */
export class AnnouncingSocket implements AsyncDisposable {
  #state: LockState = 'starting';

  private constructor(
    private readonly folder: string,
    public name: string,
    private readonly server: Server,
    private readonly handle: FileHandle,
  ) {}

  static async listen(folder: string, name: string, pid: number): Promise<AnnouncingSocket> {
    const handle = await open(folder, 'r');
    try {
      const server = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.end(`${announcing.#state} ${pid}\n`);
      });
      const announcing = new AnnouncingSocket(folder, name, server, handle);
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(shortPath(handle, name), () => resolve());
      });
      server.unref();
      return announcing;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  decide(): void {
    this.#state = 'holding';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.server.listening) return;
    await rm(join(this.folder, this.name), { force: true });
    await new Promise((resolve) => this.server.close(resolve));
    await this.handle.close();
  }
}

/** The address of a UNIX socket has 107 bytes at most, less than many a path has. */
export function shortPath(folder: FileHandle, name: string): string {
  return `/proc/self/fd/${folder.fd}/${name}`;
}
