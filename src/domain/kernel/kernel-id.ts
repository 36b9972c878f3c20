import { invalidArgument } from '../error/errors.js';

/** A kernel's UUID, lower-case with dashes. */
export type KernelId = string & { readonly __brand: 'KernelId' };
/** A session's UUID, lower-case with dashes. */
export type SessionId = string & { readonly __brand: 'SessionId' };

const CANONICAL = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

function canonicalUuid(text: string, field: string): string {
  if (CANONICAL.test(text)) return text;
  if (!UUID.test(text)) {
    throw invalidArgument(`${field}: badly formed hexadecimal UUID string '${text.slice(0, 64)}'`, {
      field,
      allowed: 'a UUID such as 7f3d2c1b-0000-4000-8000-000000000000',
    });
  }
  const hex = text.replaceAll('-', '').toLowerCase();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

export function parseKernelId(text: string, field = 'kernel_id'): KernelId {
  return canonicalUuid(text, field) as KernelId;
}

export function parseSessionId(text: string, field = 'session_id'): SessionId {
  return canonicalUuid(text, field) as SessionId;
}
