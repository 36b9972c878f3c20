import ssh2 from 'ssh2';
import { expect, it } from 'vitest';
import { ed25519Key, SEED_BYTES } from './ed25519-key.js';

it('writes a key as OpenSSH does, the same for the same seed', () => {
  for (const comment of ['', 'a', 'kernel 12', 'grüß']) {
    const made = ed25519Key(Buffer.alloc(SEED_BYTES, 7), comment);
    const secret = ssh2.utils.parseKey(made.privateKey);
    const open = ssh2.utils.parseKey(made.publicKey);
    if (secret instanceof Error || open instanceof Error) throw new Error('not a key');
    expect(secret.isPrivateKey()).toBe(true);
    expect(secret.comment).toBe(comment);
    expect(open.getPublicSSH()).toEqual(secret.getPublicSSH());
    expect(open.verify('data', secret.sign('data'))).toBe(true);
    expect(ed25519Key(Buffer.alloc(SEED_BYTES, 7), comment).publicKey).toBe(made.publicKey);
    expect(ed25519Key(Buffer.alloc(SEED_BYTES, 8), comment).publicKey).not.toBe(made.publicKey);
  }
});
