import { Readable } from 'node:stream';
import fc from 'fast-check';
import { extract, type Header } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { TAR_END, type TarEntry, tarHeader, tarPadding } from './tar-header.js';

/** How an independent reader understands it. */
async function understood(entry: TarEntry, content: Buffer): Promise<{ header: Header; content: Buffer }> {
  const archive = Buffer.concat([tarHeader(entry), content, tarPadding(content.length), TAR_END]);
  expect(archive.length % 512).toBe(0);
  const entries = extract();
  Readable.from([archive]).pipe(entries);
  const found: { header: Header; content: Buffer }[] = [];
  for await (const each of entries) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of each as AsyncIterable<Uint8Array>) chunks.push(chunk);
    found.push({ header: each.header, content: Buffer.concat(chunks) });
  }
  expect(found).toHaveLength(1);
  return found[0]!;
}

const name = fc
  .array(fc.oneof(fc.stringMatching(/^[a-zA-Z0-9 _.-]{1,60}$/), fc.constantFrom('ü', '日本', 'x'.repeat(200), '😀')), {
    minLength: 1,
    maxLength: 6,
  })
  .map((parts) => parts.join('/'));

describe('tarHeader', () => {
  it('is read as what was written, whatever the names and numbers', async () => {
    await fc.assert(
      fc.asyncProperty(
        name,
        fc.integer({ min: 0, max: 0o7777 }),
        fc.integer({ min: 0, max: 0o7777777 }),
        fc.integer({ min: 0, max: 4_000_000_000 }),
        fc.uint8Array({ maxLength: 1_500 }),
        async (path, mode, id, seconds, bytes) => {
          const entry: TarEntry = {
            ...{ type: 'file', name: path, mode, uid: id, gid: id, mtimeMs: seconds * 1000 + 999, size: bytes.length },
          };
          const { header, content } = await understood(entry, Buffer.from(bytes));
          expect({ ...header, mtime: header.mtime.getTime() }).toMatchObject({
            ...{ name: path, type: 'file', mode, uid: id, gid: id, size: bytes.length, mtime: seconds * 1000 },
          });
          expect(content).toEqual(Buffer.from(bytes));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('has large numbers in a block of their own', () => {
    const large = { type: 'file', name: 'f', mode: 0, uid: 4_294_967_294, gid: 7, mtimeMs: 0, size: 2 ** 40 } as const;
    const header = tarHeader(large);
    expect(header).toHaveLength(3 * 512);
    expect(header.subarray(512, 1024).toString().replace(/\0+$/, '')).toBe(
      '18 uid=4294967294\n22 size=1099511627776\n',
    );
  });

  it('tells directories and symlinks', async () => {
    const common = { mode: 0o777, uid: 0, gid: 0, mtimeMs: 0, size: 0 };
    const directory = await understood({ ...common, type: 'directory', name: 'dir/' }, Buffer.alloc(0));
    expect(directory.header).toMatchObject({ type: 'directory', name: 'dir/' });
    const linkname = `../${'ä'.repeat(90)}`;
    const link = await understood({ ...common, type: 'symlink', name: 'link', linkname }, Buffer.alloc(0));
    expect(link.header).toMatchObject({ type: 'symlink', name: 'link', linkname });
  });
});
