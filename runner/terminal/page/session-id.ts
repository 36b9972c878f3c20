const KEY = 'backendai-terminal';

/** The same for as long as this tab lives, also when it is loaded anew. */
export function sessionId(): string {
  try {
    const known = sessionStorage.getItem(KEY);
    if (known !== null) return known;
    const made = newId();
    sessionStorage.setItem(KEY, made);
    return made;
  } catch {
    // Storage is forbidden: it lasts until the page is loaded anew.
    return newId();
  }
}

const newId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
