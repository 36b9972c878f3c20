import { createHash } from 'node:crypto';

/** RFC 9562, appendix A. */
const DNS_NAME_SPACE = Buffer.from('6ba7b8109dad11d180b400c04fd430c8', 'hex');

/** Always the same UUID for the same name: version 5, in the name space of DNS. */
export function uuidOfName(name: string): string {
  const hash = createHash('sha1').update(DNS_NAME_SPACE).update(name).digest().subarray(0, 16);
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  return hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
