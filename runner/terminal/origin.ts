import type { IncomingHttpHeaders } from 'node:http';

/**
 * True unless a browser says that the page of another site wants to connect. The terminal has no login of its own, and the
 * same-origin rule does not hold for WebSockets: any page that a user visits could type into his kernel. Programs and the
 * App Proxy, which asks in its own name, send no Origin; proxies that pass it on tell the host that the browser saw.
 */
export function isSameSite(headers: IncomingHttpHeaders): boolean {
  const { origin } = headers;
  if (origin === undefined) return true;
  const forwarded = [headers['x-forwarded-host'] ?? []].flat().flatMap((value) => value.split(','));
  const hosts = [headers.host ?? '', ...forwarded].map((host) => host.trim().toLowerCase());
  const host = hostOf(origin);
  return host !== undefined && hosts.some((known) => withoutDefaultPort(known) === withoutDefaultPort(host));
}

function hostOf(origin: string): string | undefined {
  try {
    return new URL(origin).host.toLowerCase();
  } catch {
    // Among them `null`, the origin of pages that shall have none.
    return undefined;
  }
}

const withoutDefaultPort = (host: string): string => host.replace(/:(?:80|443)$/, '');
