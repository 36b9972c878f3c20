import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import type { LogChunkCodec } from '../../application/ports/log-chunk-codec.port.js';

const compress = promisify(deflate);

/** zlib, then base64, in the thread pool. */
export class ZlibLogChunkCodec implements LogChunkCodec {
  async encode(chunk: Uint8Array): Promise<string> {
    const compressed = await compress(chunk);
    return JSON.stringify({ compress_type: 'zlib', content: compressed.toString('base64') });
  }
}
