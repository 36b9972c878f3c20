import { invalidArgument } from '../error/errors.js';

const NAME = /^[A-Za-z_][\w.-]{0,255}$/;
/** What ends a line for the reader of environ.txt in every language. */
const LINE_BREAK = /[\0\r\n]/;
/** What ends a line for Python's splitlines() too: such a value travels in the container's own environment only. */
const EXOTIC_BREAK = /[\v\f\u001c-\u001e\u0085\u2028\u2029]/;
const MAX_VARIABLES = 4096;
/** Linux takes no longer single string at execve (128 KiB, with name, `=` and NUL). */
const MAX_ENTRY_LENGTH = 131_071;
/** Half of what Linux takes in all, so that programs can still be given arguments. */
const MAX_TOTAL_LENGTH = 1_048_576;

/** Throws InvalidArgumentError naming the variable if an environment can't be given to a container. Values are not told. */
export function checkEnviron(environ: Readonly<Record<string, string>>, field = 'environ'): void {
  const entries = Object.entries(environ);
  if (entries.length > MAX_VARIABLES) {
    throw invalidArgument(`${field}: more than ${MAX_VARIABLES} variables`, { field });
  }
  let total = 0;
  for (const [name, value] of entries) {
    const shown = JSON.stringify(name.slice(0, 64)).slice(1, -1);
    if (!NAME.test(name)) {
      throw invalidArgument(`${field}: '${shown}' is not a variable name`, {
        field,
        allowed: 'letters, digits, _ . and -, not beginning with a digit',
      });
    }
    if (LINE_BREAK.test(value)) {
      throw invalidArgument(`${field}.${shown}: the value has a line break or a NUL`, {
        field: `${field}.${shown}`,
        allowed: 'one line of text',
        hint: 'encode it, for example by base64',
      });
    }
    const length = utf8Length(name) + utf8Length(value) + 2;
    total += length;
    if (length > MAX_ENTRY_LENGTH || total > MAX_TOTAL_LENGTH) {
      throw invalidArgument(`${field}.${shown}: the environment grows too large here`, {
        field: `${field}.${shown}`,
        allowed: `${MAX_ENTRY_LENGTH} bytes a variable, ${MAX_TOTAL_LENGTH} in all`,
      });
    }
  }
}

/** environ.txt: one `NAME=value` a line (lifecycle.md §1.19). The environment must have passed `checkEnviron`. */
export function renderEnviron(environ: Readonly<Record<string, string>>): string {
  checkEnviron(environ);
  return Object.entries(environ)
    .filter(([, value]) => !EXOTIC_BREAK.test(value))
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

function utf8Length(text: string): number {
  let length = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    length += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4;
  }
  return length;
}
