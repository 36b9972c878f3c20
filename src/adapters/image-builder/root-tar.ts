import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, pack, type Pack } from 'tar-stream';
import { commandOutput } from './command.js';
import { MaintainerWork, type TarHeader } from './maintainer-work.js';

/** A file of this machine that is added to the image. */
export interface ExtraFile {
  /** Path in the image, without a leading slash. */
  readonly path: string;
  readonly source: string;
  readonly mode: number;
}

export interface RootTarRequest {
  /** Package files; where two have the same path the first one wins. */
  readonly packages: readonly string[];
  readonly files: readonly ExtraFile[];
  /** Path in the image → target. */
  readonly links: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly onPercent?: (percent: number) => void;
}

/** Documentation and translations: half of the files, and of no use in a container. Licences stay. */
const LEFT_OUT =
  /^usr\/share\/(man|info|locale|lintian|bash-completion|bug|doc-base|pixmaps|applications|menu)\/|^usr\/share\/doc\/(?![^/]+\/copyright$)/;
type Entry = ReturnType<typeof extract> extends AsyncIterable<infer Item> ? Item : never;

/** One tree under /usr; the old places are links to it. */
const MERGED = ['bin', 'sbin', 'lib', 'lib64'];
/** What a program expects even of the smallest system. */
const DIRECTORIES = { tmp: 0o1777, 'var/tmp': 0o1777, root: 0o700, home: 0o755, etc: 0o755, run: 0o755 };

/**
 * The root file system that these packages would make, as a tar stream of which nothing touches the disk: each package
 * is unpacked in memory, entry by entry, with its owners and modes, so no privilege is needed. Maintainer scripts are
 * not run; `MaintainerWork` does what matters of theirs. Ends with an error if a package can't be read.
 */
export async function* rootTar(request: RootTarRequest): AsyncGenerator<Uint8Array> {
  const tar = pack();
  const writing = new RootTarWriter(tar, request).write().then(
    () => tar.finalize(),
    (error: unknown) => {
      tar.destroy(error as Error);
    },
  );
  try {
    yield* tar as AsyncIterable<Uint8Array>;
  } finally {
    tar.destroy();
    await writing;
  }
}

class RootTarWriter {
  private readonly packed = new Set<string>();
  private readonly maintainerWork = new MaintainerWork();

  constructor(
    private readonly tar: Pack,
    private readonly request: RootTarRequest,
  ) {}

  async write(): Promise<void> {
    const { packages, files, links, signal, onPercent } = this.request;
    for (const name of MERGED) {
      await this.add({ name: `usr/${name}`, type: 'directory', mode: 0o755 });
      await this.add({ name, type: 'symlink', linkname: `usr/${name}`, mode: 0o777 });
    }
    for (const [index, path] of packages.entries()) {
      await this.addPackage(path);
      onPercent?.(Math.round(((index + 1) / packages.length) * 100));
    }
    for (const { path, source, mode } of files) {
      const { size } = await stat(source);
      await this.add({ name: path, type: 'file', mode, size }, createReadStream(source, { signal }));
    }
    for (const { header, content } of this.maintainerWork.entries(this.packed)) await this.add(header, content);
    for (const [name, linkname] of Object.entries(links)) {
      await this.add({ name, type: 'symlink', linkname, mode: 0o777 });
    }
    for (const [name, mode] of Object.entries(DIRECTORIES)) await this.add({ name, type: 'directory', mode });
  }

  private async addPackage(path: string): Promise<void> {
    const { signal } = this.request;
    const entries = extract();
    const feeding = pipeline(
      commandOutput('dpkg-deb', ['--fsys-tarfile', path], signal),
      entries as unknown as Writable,
      { signal },
    );
    // Awaited below; when reading the entries fails first this must not be left unhandled.
    feeding.catch(() => undefined);
    try {
      for await (const entry of entries) await this.addEntry(entry);
      await feeding;
    } catch (error) {
      signal.throwIfAborted();
      throw new Error(`The package ${basename(path)} could not be read`, { cause: error });
    }
  }

  private async addEntry(entry: Entry): Promise<void> {
    const { header } = entry;
    const name = mergedPath(header.name);
    if (name === '' || MERGED.includes(name) || LEFT_OUT.test(name) || this.packed.has(name)) {
      entry.resume();
      return;
    }
    const placed: TarHeader = { ...header, name, pax: null };
    if (header.type === 'link') placed.linkname = mergedPath(header.linkname);
    if (header.type === 'file' && this.maintainerWork.wants(name)) {
      const content = await readAll(entry);
      this.maintainerWork.take(name, content);
      await this.add(placed, content);
    } else {
      await this.add(placed, entry);
    }
  }

  private async add(header: TarHeader, content?: Readable | Entry | Buffer): Promise<void> {
    if (this.packed.has(header.name)) return;
    this.packed.add(header.name);
    // The times of the packages stay and ours are fixed: the same packages make the same image.
    const full: TarHeader = { mtime: new Date(0), ...header };
    if (content instanceof Buffer) full.size = content.length;
    await new Promise<void>((resolve, reject) => {
      const done = (error?: Error | null) => (error ? reject(error) : resolve());
      if (content instanceof Buffer) {
        this.tar.entry(full, content, done);
      } else if (content && full.type === 'file' && (full.size ?? 0) > 0) {
        pipeline(content as Readable, this.tar.entry(full, done) as unknown as Writable).catch(reject);
      } else {
        (content as Readable | undefined)?.resume();
        this.tar.entry(full, done).end(null);
      }
    });
  }
}

/** `./bin/sh` → `usr/bin/sh`; the root itself → an empty string. */
export function mergedPath(path: string): string {
  const plain = path.replace(/^(\.?\/)+/, '').replace(/\/+$/, '');
  if (plain === '.') return '';
  const slash = plain.indexOf('/');
  return slash > 0 && MERGED.includes(plain.slice(0, slash)) ? `usr/${plain}` : plain;
}

async function readAll(stream: Entry): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
