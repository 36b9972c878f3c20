export interface ClientRequest {
  readonly host: string;
  readonly user: string | undefined;
  readonly port: number | undefined;
  readonly identity: string | undefined;
  readonly terminal: boolean;
  readonly noInput: boolean;
  /** Empty = a shell. */
  readonly command: string;
}

/** Options of OpenSSH that have a value. */
const WITH_VALUE = 'BbcDEeFIiJLlmOopQRSWw';

/** The words after `ssh`, as far as a command among the hosts of a cluster needs them. Throws with what is wrong. */
export function parseClientArguments(words: readonly string[]): ClientRequest {
  const values: Record<string, string> = {};
  const flags = new Set<string>();
  let at = 0;
  const readOptions = (): void => {
    for (; at < words.length; at += 1) {
      const word = words[at] ?? '';
      if (word === '--') {
        at += 1;
        return;
      }
      if (!word.startsWith('-') || word === '-') return;
      for (let letter = 1; letter < word.length; letter += 1) {
        const name = word[letter] ?? '';
        if (!WITH_VALUE.includes(name)) {
          flags.add(name);
          continue;
        }
        const value = word.slice(letter + 1) || words[(at += 1)];
        if (value === undefined) throw new Error(`option -${name} needs a value`);
        values[name] = value;
        break;
      }
    }
  };
  readOptions();
  const destination = words[at];
  if (destination === undefined) throw new Error('no host is given');
  at += 1;
  // OpenSSH takes options after the host too.
  readOptions();
  const separator = destination.lastIndexOf('@');
  const command = words.slice(at).join(' ');
  return {
    host: destination.slice(separator + 1),
    user: separator > 0 ? destination.slice(0, separator) : values['l'],
    port: values['p'] === undefined ? undefined : Number(values['p']),
    identity: values['i'],
    terminal: flags.has('t') || (command === '' && !flags.has('T')),
    noInput: flags.has('n'),
    command,
  };
}
