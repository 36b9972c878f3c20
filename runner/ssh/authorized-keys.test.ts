import { expect, it } from 'vitest';
import { parseAuthorizedKeys } from './authorized-keys.js';
import { ed25519Key, SEED_BYTES } from './ed25519-key.js';

const line = (seed: number) => ed25519Key(Buffer.alloc(SEED_BYTES, seed), 'me').publicKey.trim();
const blob = (seed: number) => Buffer.from(line(seed).split(' ')[1] ?? '', 'base64');

it('takes the keys and nothing else', () => {
  const text = [
    '# mine',
    '',
    line(1),
    `  ${line(2)}\r`,
    // Not to be let in without what is asked of it.
    `command="/bin/true",no-pty ${line(3)}`,
    `ssh-rsa ${line(4).split(' ')[1]} wrong type`,
    'ssh-rsa',
    'ssh-ed25519 AAAA',
    'ssh-ed25519 !!!!',
  ].join('\n');
  expect(parseAuthorizedKeys(text)).toEqual([blob(1), blob(2)]);
});
