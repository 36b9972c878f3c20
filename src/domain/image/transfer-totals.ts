interface LayerProgress {
  readonly layer: string;
  readonly status: string;
  readonly currentBytes: number;
  readonly totalBytes: number;
}

/** What an engine says when it has a layer, or has sent it. */
const COMPLETE =
  /^(?:Download complete|Verifying Checksum|Extracting|Pull complete|Pushed|Layer already exists|Mounted)/;
const MAX_LAYERS = 1_024;

/** How much of an image is through, over all its layers. It never goes back, whatever order the engine tells it in. */
export class TransferTotals {
  readonly #layers = new Map<string, { current: number; total: number }>();

  add({ layer, status, currentBytes, totalBytes }: LayerProgress): {
    readonly current: number;
    readonly total: number;
  } {
    const known = this.#layers.get(layer) ?? { current: 0, total: 0 };
    // Unpacking counts its own bytes from the start again.
    const total = Math.max(known.total, totalBytes);
    const current = COMPLETE.test(status) ? total : Math.min(total, Math.max(known.current, currentBytes));
    if (total > 0 && (this.#layers.has(layer) || this.#layers.size < MAX_LAYERS)) {
      this.#layers.set(layer, { current, total });
    }
    return this.sum;
  }

  get sum(): { readonly current: number; readonly total: number } {
    let [current, total] = [0, 0];
    for (const layer of this.#layers.values()) {
      current += layer.current;
      total += layer.total;
    }
    return { current, total };
  }
}
