import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { extract, pack } from 'tar-stream';
import { isAgentError } from '../../src/domain/error/agent-error.js';
import { engineError } from '../../src/domain/error/errors.js';

/** A tar stream of files with mode 0755, owned by root. */
export function tarOf(files: Readonly<Record<string, string | Buffer>>): AsyncIterable<Uint8Array> {
  const tar = pack();
  for (const [name, data] of Object.entries(files)) tar.entry({ name, mode: 0o755 }, data);
  tar.finalize();
  return tar as AsyncIterable<Uint8Array>;
}

/** The files of a tar stream by their path. */
export async function filesOfTar(tar: AsyncIterable<Uint8Array>): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const entries = extract();
  Readable.from(tar, { objectMode: false })
    .on('error', (error) => entries.destroy(error))
    .pipe(entries);
  try {
    for await (const entry of entries) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of entry as AsyncIterable<Uint8Array>) chunks.push(chunk);
      if (entry.header.type === 'file') files.set(posix.normalize(entry.header.name), Buffer.concat(chunks));
    }
  } catch (error) {
    throw isAgentError(error) ? error : engineError('The archive could not be read', { cause: error });
  }
  return files;
}
