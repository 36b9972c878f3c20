import { engineError } from '../../domain/error/errors.js';

/** Output of one exec beyond this is dropped, per stream. */
export const MAX_CAPTURE_BYTES = 1024 * 1024;
const MAX_LINE_BYTES = 4 * 1024 * 1024;
const FRAME_HEADER_BYTES = 8;

export type OutputStream = 'stdout' | 'stderr';

export interface OutputChunk {
  readonly stream: OutputStream;
  readonly data: Uint8Array;
}

/** Reads a whole body; more than `limit` bytes is an error of the engine. */
export async function readBody(body: AsyncIterable<Uint8Array>, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) throw engineError(`The container engine sent an answer of more than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** Splits a body into its non-empty lines. */
export async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of body) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a, start)) {
      const line = rest.toString('utf8', start, end).trim();
      start = end + 1;
      if (line) yield line;
    }
    rest = rest.subarray(start);
    if (rest.length > MAX_LINE_BYTES) throw engineError('The container engine sent a line without an end');
  }
  const last = rest.toString('utf8').trim();
  if (last) yield last;
}

/**
 * Takes the engine's multiplexed stream apart: frames of one byte stream number, three zero bytes, four bytes length
 * (big endian), then the data. Data is passed on as it comes, before its frame is complete.
 */
export async function* demultiplex(body: AsyncIterable<Uint8Array>): AsyncGenerator<OutputChunk> {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  let headerLength = 0;
  let remaining = 0;
  let stream: OutputStream = 'stdout';
  for await (const chunk of body) {
    let position = 0;
    while (position < chunk.length) {
      if (remaining > 0) {
        const end = Math.min(position + remaining, chunk.length);
        yield { stream, data: chunk.subarray(position, end) };
        remaining -= end - position;
        position = end;
        continue;
      }
      const end = Math.min(position + FRAME_HEADER_BYTES - headerLength, chunk.length);
      header.set(chunk.subarray(position, end), headerLength);
      headerLength += end - position;
      position = end;
      if (headerLength < FRAME_HEADER_BYTES) break;
      headerLength = 0;
      stream = streamOfHeader(header);
      remaining = header.readUInt32BE(4);
    }
  }
  if (remaining > 0 || headerLength > 0) throw new Error('the output stream was cut in the middle of a frame');
}

function streamOfHeader(header: Buffer): OutputStream {
  const number = header[0] ?? 0;
  if (number > 2 || header[1] !== 0 || header[2] !== 0 || header[3] !== 0) {
    throw engineError('The container engine sent an output stream that cannot be taken apart');
  }
  return number === 2 ? 'stderr' : 'stdout';
}

/** Collects output up to a limit per stream and drops the rest. */
export class OutputCapture {
  readonly #chunks: Record<OutputStream, Uint8Array[]> = { stdout: [], stderr: [] };
  readonly #sizes: Record<OutputStream, number> = { stdout: 0, stderr: 0 };

  constructor(private readonly limit = MAX_CAPTURE_BYTES) {}

  add({ stream, data }: OutputChunk): void {
    const room = this.limit - this.#sizes[stream];
    if (room <= 0) return;
    const kept = data.subarray(0, room);
    this.#chunks[stream].push(kept);
    this.#sizes[stream] += kept.length;
  }

  text(stream: OutputStream): string {
    return Buffer.concat(this.#chunks[stream], this.#sizes[stream]).toString('utf8');
  }
}
