/** `type base64`, at the start of a line: a line with options in front would have to be obeyed, and is left out. */
const ENTRY =
  /^(?<type>ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-[\w@.-]+)\s+(?<data>[A-Za-z0-9+/]+={0,2})(?:\s|$)/;
const MAX_KEYS = 1000;

/** The public keys of an authorized_keys file, as they are on the wire. */
export function parseAuthorizedKeys(text: string): Buffer[] {
  const keys: Buffer[] = [];
  for (const line of text.split('\n')) {
    const { type, data } = ENTRY.exec(line.trim())?.groups ?? {};
    if (type === undefined || data === undefined) continue;
    const blob = Buffer.from(data, 'base64');
    // The data names its type too; what contradicts itself is no key.
    if (blob.length > 4 && blob.subarray(4, 4 + blob.readUInt32BE(0)).toString('latin1') === type) keys.push(blob);
    if (keys.length >= MAX_KEYS) break;
  }
  return keys;
}
