/** The same bytes in pieces of exactly `size` but for the last one; nothing gives nothing. */
export async function* pieces(stream: AsyncIterable<Uint8Array>, size: number): AsyncIterable<Uint8Array> {
  const whole = Math.max(1, size);
  let piece = new Uint8Array(whole);
  let filled = 0;
  for await (let rest of stream) {
    while (rest.length > 0) {
      const taken = rest.subarray(0, whole - filled);
      piece.set(taken, filled);
      filled += taken.length;
      rest = rest.subarray(taken.length);
      if (filled < whole) continue;
      yield piece;
      [piece, filled] = [new Uint8Array(whole), 0];
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}
