import { open } from 'node:fs/promises';
import { messageOf } from '../../../domain/error/agent-error.js';
import { configurationInvalid } from '../../../domain/error/errors.js';
import { decodeZ85 } from './z85.js';

/** CURVE keys as Z85 text, 40 characters each. */
export interface Certificate {
  readonly publicKey: string;
  /** Only in `*.key_secret` files. */
  readonly secretKey?: string;
}

const MAX_FILE_BYTES = 65_536;
const KEY_LINE = /^(public-key|secret-key)[^=]*=(.*)$/;

/**
 * Reads a certificate file as czmq and pyzmq write it (rpc.md §2.2).
 *
 * @param setting the configuration key that names the file, for the error.
 * @throws ConfigurationError when the file can't be read or holds no valid keys. The file's text is never told.
 */
export async function loadCertificate(path: string, setting: string): Promise<Certificate> {
  try {
    await using file = await open(path, 'r');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_FILE_BYTES), 0, MAX_FILE_BYTES, 0);
    return parseCertificate(buffer.toString('utf8', 0, bytesRead));
  } catch (cause) {
    throw configurationInvalid(`${setting}: ${path}: ${messageOf(cause)}`, {
      field: setting,
      allowed: 'the path of a ZeroMQ certificate file (name.key or name.key_secret)',
      hint: 'make a pair with: backend.ai mgr generate-rpc-keypair DIR NAME',
      cause,
    });
  }
}

/** @throws Error in words that don't repeat the text. */
export function parseCertificate(text: string): Certificate {
  const keys: Partial<Record<string, string>> = {};
  for (const line of text.split('\n')) {
    const [, name, value] = KEY_LINE.exec(line.trim()) ?? [];
    if (name === undefined || value === undefined || keys[name] !== undefined) continue;
    const key = value.replace(/[\s"']/g, '');
    if (decodeZ85(key)?.length !== 32) throw new Error(`${name} must be a Z85 text of 40 characters`);
    keys[name] = key;
  }
  const { 'public-key': publicKey, 'secret-key': secretKey } = keys;
  if (publicKey === undefined) throw new Error('no public-key in it');
  return secretKey === undefined ? { publicKey } : { publicKey, secretKey };
}
