/** Values that service definitions may refer to (krunner.md §5.3). */
export type Variables = Record<string, unknown>;

/** `${{ expr }}`, or `{ expr }` where the brace follows neither `$` nor `{`; shortest match, within a line. */
const PLACEHOLDER = /\$\{\{(.+?)\}\}|(?<![${])\{(.+?)\}/g;
const FIELD = /^([A-Za-z_]\w*)((?:\[[^[\]]+\]|\.\w+)*)(?:!([rs]))?(?::([^{}]*))?$/;
const STEP = /\[([^[\]]+)\]|\.(\w+)/g;

/** Fills a command element or environment value. Shell syntax such as `${VAR}` stays; an unknown name is an error. */
export function interpolate(text: string, variables: Variables): string {
  return text.replace(PLACEHOLDER, (_match, double: string | undefined, single: string | undefined) =>
    formatText(`{${(double ?? single ?? '').trim()}}`, variables),
  );
}

/** Fills a text by the rules of Python's `str.format_map`, as far as definitions use them: literal braces are doubled. */
export function formatText(text: string, variables: Variables): string {
  let out = '';
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at] ?? '';
    if ((char === '{' || char === '}') && text[at + 1] === char) {
      out += char;
      at += 1;
    } else if (char === '{') {
      const end = text.indexOf('}', at);
      if (end < 0) throw new Error(`a brace is not closed in "${text}"`);
      out += field(text.slice(at + 1, end), variables);
      at = end;
    } else if (char === '}') {
      throw new Error(`a single closing brace in "${text}"`);
    } else {
      out += char;
    }
  }
  return out;
}

function field(expression: string, variables: Variables): string {
  const match = FIELD.exec(expression);
  const [, name = '', steps = '', conversion, spec] = match ?? [];
  if (!match || !Object.hasOwn(variables, name)) throw new Error(`unknown variable in "{${expression}}"`);
  let value = variables[name];
  for (const [, index, attribute] of steps.matchAll(STEP)) {
    const key = index ?? attribute ?? '';
    const found = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
    if (!found || (Array.isArray(value) && !/^\d+$/.test(key))) throw new Error(`no "${key}" in "{${expression}}"`);
    value = (value as Record<string, unknown>)[key];
  }
  return pad(conversion === 'r' ? represent(value) : show(value), spec ?? '', typeof value === 'number', expression);
}

const show = (value: unknown): string => (typeof value === 'string' ? value : represent(value));

function represent(value: unknown): string {
  if (typeof value === 'string')
    return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`;
  if (Array.isArray(value)) return `[${value.map(represent).join(', ')}]`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value === null || value === undefined) return 'None';
  return `{${Object.entries(value)
    .map(([key, entry]) => `${represent(key)}: ${represent(entry)}`)
    .join(', ')}}`;
}

function pad(text: string, spec: string, isNumber: boolean, expression: string): string {
  const match = /^([<>])?(0)?(\d{1,3})?([ds])?$/.exec(spec);
  if (!match) throw new Error(`unknown format in "{${expression}}"`);
  const [, align, zero, width = '0'] = match;
  const right = align === '>' || (align === undefined && isNumber);
  return right ? text.padStart(Number(width), zero ?? ' ') : text.padEnd(Number(width), ' ');
}
