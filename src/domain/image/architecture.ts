const ALIASES: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  x64: 'x86_64',
  'x86-64': 'x86_64',
  arm64: 'aarch64',
  'arm64/v8': 'aarch64',
  armv8: 'aarch64',
};

/** The Linux spelling of a machine architecture, whoever named it (Docker, Node, Python): `x86_64`, `aarch64`. */
export function normaliseArchitecture(name: string): string {
  const word = name.trim().toLowerCase();
  return ALIASES[word] ?? word;
}
