import { json, type Frame } from '../wire/frames.js';

const BASE64_IMAGES = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp']);
/** What a rich value is shown as, best first. */
const PREFERENCE = [
  'text/html',
  'image/svg+xml',
  'image/png',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'text/plain',
] as const;

/** One representation as a frame: HTML as `html` (never as `media`, W2), images and everything else as `media`. */
export function displayFrame(mime: string, data: string): Frame {
  if (mime === 'text/plain') return { kind: 'stdout', payload: data };
  if (mime === 'text/html') return { kind: 'html', payload: data };
  return json('media', { type: mime, data: BASE64_IMAGES.has(mime) ? `data:${mime};base64,${data}` : data });
}

const textOf = (value: unknown): string | undefined => {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((part) => typeof part === 'string')) return value.join('');
  return undefined;
};

/**
 * A Jupyter MIME bundle as a frame. The official runner takes the first entry besides text/plain and drops what it does
 * not know (krunner.md §4.2, W40); here a known rich type is taken, else the plain text, else any text as `media`.
 */
export function bundleFrame(bundle: Readonly<Record<string, unknown>>): Frame | undefined {
  for (const mime of PREFERENCE) {
    const data = textOf(bundle[mime]);
    if (data !== undefined) return displayFrame(mime, data);
  }
  for (const [mime, value] of Object.entries(bundle)) return displayFrame(mime, textOf(value) ?? JSON.stringify(value));
  return undefined;
}
