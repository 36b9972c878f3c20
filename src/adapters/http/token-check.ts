import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { user } from '../../domain/error/errors.js';

/** The header of the reference's watcher (state.md §9.3). */
const TOKEN_HEADER = 'x-backendai-watcher-token';

const invalidToken = user('InvalidWatcherToken', 403);

/** What anybody may read; all other paths, also those that don't exist, need the token. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/livez', '/readyz', '/health', '/metrics']);

/**
 * A check of the path and headers of a request; throws a 403. Done before anything of the body is read, so that a
 * stranger cannot make the agent parse megabytes. Each of several tokens admits; an empty one admits nobody.
 */
export function tokenCheck(token: string | readonly string[]): (url: string, headers: IncomingHttpHeaders) => void {
  const expected = [token]
    .flat()
    .filter((text) => text !== '')
    .map(digest);
  return (url, headers) => {
    if (OPEN_PATHS.has(url.split('?', 1)[0] ?? url)) return;
    const given = tokenIn(headers);
    if (given !== undefined && expected.filter((one) => timingSafeEqual(digest(given), one)).length > 0) return;
    throw invalidToken(given === undefined ? 'no token' : 'wrong token', {
      field: 'X-BackendAI-Watcher-Token',
      hint: 'send the token of this agent in X-BackendAI-Watcher-Token or as "Authorization: Bearer …"',
    });
  };
}

function tokenIn(headers: IncomingHttpHeaders): string | undefined {
  const own = headers[TOKEN_HEADER];
  if (typeof own === 'string') return own;
  return /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
}

/** Equal lengths for the comparison, whatever is sent. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
