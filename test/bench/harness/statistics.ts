/** The value below which `share` (0 to 1) of the samples lie, between neighbours in proportion. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const position = (sorted.length - 1) * share;
  const low = sorted[Math.floor(position)] ?? Number.NaN;
  const high = sorted[Math.ceil(position)] ?? Number.NaN;
  return low + (high - low) * (position - Math.floor(position));
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5);

export const sum = (samples: readonly number[]): number => samples.reduce((total, value) => total + value, 0);

/** `p50 12.3 / p90 15.0 ms of 40`. */
export function spread(samples: readonly number[], upper = 0.9): string {
  const [low, high] = [median(samples), quantile(samples, upper)].map((value) => value.toPrecision(3));
  return `p50 ${low} / p${Math.round(upper * 100)} ${high} ms, n = ${samples.length}`;
}
