/** Reading numbers out of the texts of cgroup and /proc files. */

/** The number of a file with one value. `max` and other words are `undefined`. */
export function singleValue(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number.parseInt(text, 10);
  return Number.isNaN(value) ? undefined : value;
}

/** The value of `key` in a file of `key value` lines. */
export function keyedValue(text: string | undefined, key: string): number | undefined {
  if (text === undefined) return undefined;
  const start = text.startsWith(`${key} `) ? 0 : text.indexOf(`\n${key} `) + 1;
  if (start === 0 && !text.startsWith(`${key} `)) return undefined;
  return singleValue(text.slice(start + key.length + 1, start + key.length + 32));
}

/** Bytes received and sent per interface, from the text of `net/dev`. */
export function interfaceBytes(text: string): { name: string; rx: number; tx: number }[] {
  const found: { name: string; rx: number; tx: number }[] = [];
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const fields = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/);
    const [rx, tx] = [Number(fields[0]), Number(fields[8])];
    if (Number.isFinite(rx) && Number.isFinite(tx)) found.push({ name: line.slice(0, colon).trim(), rx, tx });
  }
  return found;
}
