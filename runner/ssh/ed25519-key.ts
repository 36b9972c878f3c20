import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';

const KIND = 'ssh-ed25519';
export const SEED_BYTES = 32;
/** PKCS #8 around the seed of an Ed25519 key (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const LINE_LENGTH = 70;

export interface Ed25519Key {
  /** An OpenSSH private key file, without a passphrase. */
  readonly privateKey: string;
  /** A line of authorized_keys. */
  readonly publicKey: string;
}

/** The key that a seed of 32 bytes stands for, in OpenSSH's own forms, which Node does not write. */
export function ed25519Key(seed: Uint8Array, comment: string): Ed25519Key {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
  const point = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-SEED_BYTES);
  const blob = Buffer.concat([field(KIND), field(point)]);
  // Twice the same number: a reader sees by it that it has deciphered the rest.
  const check = randomBytes(4);
  const secret = [check, check, blob, field(Buffer.concat([seed, point])), field(comment)];
  const body = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    ...[field('none'), field('none'), field(''), uint32(1), field(blob), field(padded(Buffer.concat(secret)))],
  ]);
  const lines = body.toString('base64').match(new RegExp(`.{1,${LINE_LENGTH}}`, 'g')) ?? [];
  return {
    privateKey: ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n'),
    publicKey: `${KIND} ${blob.toString('base64')} ${comment}\n`,
  };
}

/** To whole blocks of eight bytes, with 1, 2, 3 … */
function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.from(Array.from({ length: (8 - (data.length % 8)) % 8 }, (_, at) => at + 1))]);
}

function field(data: string | Uint8Array): Buffer {
  const bytes = Buffer.from(data);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
