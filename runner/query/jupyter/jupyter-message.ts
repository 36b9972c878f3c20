import { createHmac, timingSafeEqual } from 'node:crypto';

/** A message of the Jupyter protocol 5.3, as far as a client needs it (krunner.md §4.2). */
export interface JupyterMessage {
  readonly type: string;
  readonly id: string;
  readonly parentId: string | undefined;
  readonly content: Readonly<Record<string, unknown>>;
}

const DELIMITER = '<IDS|MSG>';
/** A single message beyond this is not parsed: its text alone would be more than the runner may take. */
const MAX_CONTENT_BYTES = 128 << 20;

const sign = (key: string, parts: readonly (Buffer | string)[]): string => {
  const hmac = createHmac('sha256', key);
  for (const part of parts) hmac.update(part);
  return hmac.digest('hex');
};

/** Wire parts of a request. */
export function encodeMessage(
  key: string,
  session: string,
  message: { readonly id: string; readonly type: string; readonly content: unknown; readonly parent?: unknown },
): string[] {
  const header = {
    msg_id: message.id,
    session,
    username: 'work',
    date: new Date().toISOString(),
    msg_type: message.type,
    version: '5.3',
  };
  const parts = [header, message.parent ?? {}, {}, message.content].map((part) => JSON.stringify(part));
  return [DELIMITER, sign(key, parts), ...parts];
}

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** Reads wire parts; `undefined` for anything malformed or signed with another key. */
export function decodeMessage(
  key: string,
  frames: readonly Buffer[],
): (JupyterMessage & { header: unknown }) | undefined {
  const at = frames.findIndex((frame) => frame.toString('latin1') === DELIMITER);
  const [signature, ...signed] = frames.slice(at + 1, at + 6);
  const [header, parent, , content] = signed;
  if (at < 0 || signature === undefined || header === undefined || parent === undefined || content === undefined) {
    return undefined;
  }
  const expected = Buffer.from(sign(key, signed));
  if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) return undefined;
  try {
    const ownHeader = record(JSON.parse(header.toString()));
    const type = text(ownHeader['msg_type']);
    if (type === undefined) return undefined;
    return {
      type,
      id: text(ownHeader['msg_id']) ?? '',
      parentId: text(record(JSON.parse(parent.toString()))['msg_id']),
      content:
        content.length > MAX_CONTENT_BYTES ? { oversize: content.length } : record(JSON.parse(content.toString())),
      header: ownHeader,
    };
  } catch {
    return undefined;
  }
}
