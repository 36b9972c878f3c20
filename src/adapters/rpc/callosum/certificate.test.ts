import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { curveKeyPair } from 'zeromq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadCertificate, parseCertificate } from './certificate.js';

const PUBLIC = 'GqK]ZYY#h*9jAQbGxSwkeZX3Y*%b+DiY$7ju6sh{';

/** As pyzmq writes it. */
function file(publicKey: string, secretKey?: string): string {
  const secret = secretKey === undefined ? '' : `    secret-key = "${secretKey}"\n`;
  return [
    '#   ****  Generated on 2026-01-02 by a test  ****',
    '#   public-key = "not this one"',
    'metadata',
    '    name = "x"',
    'curve',
    `    public-key = "${publicKey}"`,
    secret,
  ].join('\n');
}

describe('parseCertificate', () => {
  it('reads a public and a secret file', () => {
    expect(parseCertificate(file(PUBLIC))).toEqual({ publicKey: PUBLIC });
    // Many pairs, because keys may hold '=', '#', '&' and the like.
    for (let i = 0; i < 50; i += 1) {
      const { publicKey, secretKey } = curveKeyPair();
      expect(parseCertificate(file(publicKey, secretKey))).toEqual({ publicKey, secretKey });
    }
  });

  it('reads unquoted keys, tabs and Windows line ends', () => {
    expect(parseCertificate(`curve\r\n\tpublic-key\t=\t${PUBLIC}\r\n`)).toEqual({ publicKey: PUBLIC });
  });

  it('refuses a file without a public key and a key that is none', () => {
    expect(() => parseCertificate('curve\n')).toThrow('no public-key');
    expect(() => parseCertificate('curve\n    public-key = "short"\n')).toThrow('40 characters');
  });
});

describe('loadCertificate', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'certificate-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('reads a file', async () => {
    const path = join(folder, 'manager.key');
    await writeFile(path, file(PUBLIC));
    expect(await loadCertificate(path, 'agent.rpc-auth-manager-public-key')).toEqual({ publicKey: PUBLIC });
  });

  it('names the setting and the file, and never the text', async () => {
    const path = join(folder, 'broken.key_secret');
    await writeFile(path, file('a-secret-that-is-too-short'));
    const refused = loadCertificate(path, 'agent.rpc-auth-agent-keypair');
    await expect(refused).rejects.toMatchObject({ name: 'ConfigurationError', field: 'agent.rpc-auth-agent-keypair' });
    await expect(refused).rejects.toThrow(path);
    await expect(refused).rejects.not.toThrow('a-secret');
    await expect(loadCertificate(join(folder, 'none'), 'x')).rejects.toThrow('ENOENT');
  });
});
