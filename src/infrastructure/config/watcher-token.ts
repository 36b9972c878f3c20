import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf } from '../../domain/error/agent-error.js';
import { configurationInvalid, storageFailure } from '../../domain/error/errors.js';

export interface TokenPlace {
  /** Configured token; then no file is read or made. */
  readonly token: string | null;
  readonly tokenFile: string;
}

const TOKEN = /^[\x21-\x7e]{16,256}$/;
const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;

/**
 * The token of the HTTP application if there is one by now; `undefined` if no agent ever made one here. A file that
 * is a symlink, belongs to somebody else (but root), or that others may read is refused: it may have been planted in
 * a directory everyone can write, or may have leaked.
 */
export async function readToken({ token, tokenFile }: TokenPlace): Promise<string | undefined> {
  if (token !== null) return token;
  let file;
  try {
    file = await open(tokenFile, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw refuse(tokenFile, hasCode(error, 'ELOOP') ? 'it is a symlink' : messageOf(error));
  }
  try {
    const facts = await file.stat();
    if (!facts.isFile()) throw refuse(tokenFile, 'it is not a regular file');
    if (facts.uid !== process.getuid?.() && facts.uid !== 0) throw refuse(tokenFile, 'it belongs to another user');
    if ((facts.mode & 0o077) !== 0) throw refuse(tokenFile, 'others may read or write it');
    const { bytesRead, buffer } = await file.read(Buffer.alloc(512), 0, 512, 0);
    const text = buffer.subarray(0, bytesRead).toString('latin1').trim();
    if (!TOKEN.test(text)) throw refuse(tokenFile, 'it does not hold a token');
    return text;
  } finally {
    await file.close();
  }
}

/**
 * The token of the HTTP application: the configured one, else the one in `tokenFile`, made at the first start (mode
 * 0600, 256 random bits). Two starts at once get the same token.
 */
export async function ensureToken(place: TokenPlace): Promise<string> {
  const present = await readToken(place);
  if (present !== undefined) return present;
  const { tokenFile } = place;
  const draft = `${tokenFile}.${randomBytes(6).toString('hex')}`;
  try {
    await mkdir(dirname(tokenFile), { recursive: true, mode: 0o700 });
    await writeFile(draft, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx', flush: true });
    try {
      // A hard link appears with its whole content or not at all, and never replaces a file.
      await link(draft, tokenFile);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    } finally {
      await unlink(draft);
    }
  } catch (error) {
    throw storageFailure(`can't write the HTTP token ${tokenFile}: ${messageOf(error)}`, {
      field: 'agent.var-base-path',
      allowed: 'a directory that this user may write',
      hint: 'configure [agent] var-base-path, or [watcher] token',
      cause: error,
    });
  }
  const made = await readToken(place);
  if (made === undefined) throw storageFailure(`the HTTP token ${tokenFile} vanished while it was made`);
  return made;
}

function refuse(file: string, why: string): Error {
  return configurationInvalid(`the HTTP token file ${file} can't be used: ${why}`, {
    field: 'watcher.token',
    allowed: 'a file of this user (or root) with mode 0600',
    hint: `remove ${file} and start the agent again, or configure [watcher] token`,
  });
}
