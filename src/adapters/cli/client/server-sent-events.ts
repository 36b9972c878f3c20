/** A single event longer than this is not ours. */
const MAX_PENDING = 4 * 1024 * 1024;

/** The `data` of each server-sent event of a byte stream; comments and other fields are left out. */
export async function* eventData(chunks: AsyncIterable<Uint8Array>): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let pending = '';
  let data: string[] = [];
  for await (const chunk of chunks) {
    pending += decoder.decode(chunk, { stream: true });
    const lines = pending.split(/\r?\n/);
    pending = lines.pop() ?? '';
    if (pending.length > MAX_PENDING) throw new Error('an event of the stream is too long');
    for (const line of lines) {
      if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
      if (line !== '' || data.length === 0) continue;
      yield data.join('\n');
      data = [];
    }
  }
}
