/** One number of the report. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  /** `×` for a ratio. */
  readonly unit: string;
  /** What SPECIFICATION.md promises of it; a figure without a promise is for information. */
  readonly promise?: { readonly atMost: number } | { readonly atLeast: number };
  /** What it was made from. */
  readonly detail?: string;
}

export interface BenchContext {
  /** Few samples: to see that everything works, not to compare. */
  readonly quick: boolean;
  readonly signal: AbortSignal;
  /** Tells what goes on; not part of the report. */
  readonly say: (text: string) => void;
}

export interface Bench {
  readonly name: string;
  readonly what: string;
  run(context: BenchContext): Promise<readonly Figure[]>;
}

/** `undefined` = nothing was promised. */
export function isKept({ value, promise }: Figure): boolean | undefined {
  if (promise === undefined) return undefined;
  return 'atMost' in promise ? value <= promise.atMost : value >= promise.atLeast;
}
