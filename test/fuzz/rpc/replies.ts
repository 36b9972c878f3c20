import { decode, ExtData } from '@msgpack/msgpack';

const utf8 = new TextDecoder('utf-8', { fatal: true });
const HEADER_KEYS = 'type,meth,okey,seq,zip';

/**
 * What a Manager's receive loop survives, and nothing else (rpc.md §1.11).
 *
 * @returns what is wrong with a reply, or `undefined`.
 */
export function faultOf(frames: readonly Uint8Array[]): string | undefined {
  const [type, header, body] = frames.slice(-3);
  if (type === undefined || header === undefined || body === undefined) return 'fewer than three frames';
  if (Buffer.from(type).toString() === 'PONG') return undefined;
  try {
    return faultOfUpper(header, body);
  } catch (error) {
    return `unreadable: ${(error as Error).message}`;
  }
}

function faultOfUpper(header: Uint8Array, body: Uint8Array): string | undefined {
  const head = decode(header) as Record<string, unknown>;
  if (Object.keys(head).toSorted().join() !== HEADER_KEYS.split(',').toSorted().join()) return 'header of other keys';
  if (head['zip'] !== false || typeof head['meth'] !== 'string' || typeof head['seq'] !== 'number')
    return 'header of other types';
  const { meta, body: inner } = decode(body) as { readonly meta: unknown; readonly body: unknown };
  if (!(meta instanceof Uint8Array)) return 'metadata that is no bytes';
  const details = decode(meta);
  if (!Array.isArray(details)) return 'metadata that is no array';
  if (head['type'] === 2) {
    if (details.length !== 0 || !(inner instanceof Uint8Array) || inner.length === 0)
      return 'a RESULT without a document';
    return foreign(decode(inner)) ? 'an extension in a RESULT' : undefined;
  }
  if (head['type'] !== 3) return `message type ${String(head['type'])}`;
  utf8.decode(meta.filter((byte) => byte < 0x80));
  if (inner !== null || details.length !== 3 || details.some((text) => typeof text !== 'string')) {
    return 'a FAILURE without its three texts';
  }
  return undefined;
}

/** True if something in it is no plain MessagePack. */
function foreign(value: unknown): boolean {
  if (value instanceof ExtData || value instanceof Date) return true;
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return false;
  return Object.values(value).some(foreign);
}
