/** How a piece of a container's log is written for Managers (state.md §7). */
export interface LogChunkCodec {
  /** Compressed, as JSON text; off the event loop. */
  encode(chunk: Uint8Array): Promise<string>;
}

export const LogChunkCodec = Symbol('LogChunkCodec');
