/** A reply carries at most so much of a log: its end. Well below what a Manager may be sent. */
const MAX_LOG_BYTES = 16 * 1024 * 1024;

/** The log as text, bytes that are no UTF-8 replaced; of a longer one the last `maxBytes`. */
export async function collectLog(chunks: AsyncIterable<Uint8Array>, maxBytes = MAX_LOG_BYTES): Promise<string> {
  const kept: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    kept.push(chunk);
    bytes += chunk.length;
    for (let first = kept[0]; first !== undefined && bytes - first.length >= maxBytes; first = kept[0]) {
      bytes -= first.length;
      kept.shift();
    }
  }
  const all = Buffer.concat(kept);
  return all.subarray(Math.max(0, all.length - maxBytes)).toString('utf8');
}
