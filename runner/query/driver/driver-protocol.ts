/** What a driver program tells the runner: one JSON object a line on its descriptor 4 (9 for the shell). */
export type DriverEvent =
  | { readonly event: 'ready' }
  | { readonly event: 'done'; readonly code: number }
  | { readonly event: 'input'; readonly password: boolean }
  | { readonly event: 'display'; readonly mime: string; readonly data: string }
  | { readonly event: 'completion'; readonly matches: readonly string[] };

const MAX_LINE_BYTES = 64 << 20;

/** Parses one line; anything that is not a known event is `undefined` (user code can write to the descriptor too). */
export function parseDriverEvent(line: string): DriverEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('event' in value)) return undefined;
  const fields = value as Record<string, unknown>;
  switch (fields['event']) {
    case 'ready':
      return { event: 'ready' };
    case 'done':
      return Number.isInteger(fields['code']) ? { event: 'done', code: fields['code'] as number } : undefined;
    case 'input':
      return { event: 'input', password: fields['password'] === true };
    case 'display': {
      const { mime, data } = fields;
      return typeof mime === 'string' && typeof data === 'string' ? { event: 'display', mime, data } : undefined;
    }
    case 'completion': {
      const matches = Array.isArray(fields['matches']) ? (fields['matches'] as unknown[]) : [];
      return { event: 'completion', matches: matches.filter((match) => typeof match === 'string') };
    }
    default:
      return undefined;
  }
}

/** Splits a byte stream into lines; a line longer than 64 MiB is thrown away. */
export class LineSplitter {
  private parts: Buffer[] = [];
  private size = 0;

  *push(data: Buffer): Generator<string> {
    let from = 0;
    for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, from)) {
      this.add(data.subarray(from, at));
      if (this.size <= MAX_LINE_BYTES) yield Buffer.concat(this.parts).toString('utf8');
      this.parts = [];
      this.size = 0;
      from = at + 1;
    }
    this.add(data.subarray(from));
  }

  private add(part: Buffer): void {
    this.size += part.length;
    if (this.size > MAX_LINE_BYTES) this.parts = [];
    else if (part.length > 0) this.parts.push(part);
  }
}
