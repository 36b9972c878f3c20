import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

const CLIENT = fileURLToPath(new URL('../fixtures/rpc/manager_client.py', import.meta.url));
const ON_AGENT = fileURLToPath(new URL('../fixtures/rpc/manager_on_agent.py', import.meta.url));
const IMPORT_MS = 60_000;
const CALLS_MS = 90_000;

/** Where `npm run test:manager` keeps what it made (test/manager/install.sh). */
const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'backend.ai-agent');

/** A Python with the packages of a real Backend.AI Manager (26.9.6): `BAI_PYTHON`, or that of `npm run test:manager`. */
export const MANAGER_PYTHON = process.env['BAI_PYTHON'] ?? join(CACHE, 'manager-26.9.6', 'bin', 'python');

/** Folders with an unpacked backend.ai-common of a release that writes events of generation A. */
export const OLDER_COMMONS = (process.env['BAI_COMMON_A'] ?? join(CACHE, 'common-26.8.3'))
  .split(':')
  .filter((folder) => existsSync(folder));

const HINT = 'run `npm run test:manager` once, or set BAI_PYTHON';

/** Why there is none, or `undefined` if there is one. */
export async function managerPythonMissing(): Promise<string | undefined> {
  if (!existsSync(MANAGER_PYTHON)) return `there are no packages of a Backend.AI Manager: ${HINT}`;
  try {
    await run(MANAGER_PYTHON, ['-I', '-c', 'import ai.backend.common.clients.agent.client'], { timeout: IMPORT_MS });
    return undefined;
  } catch {
    return `${MANAGER_PYTHON} does not have the package backend.ai-common`;
  }
}

export interface ManagerClientOptions {
  /** Without them there is no CURVE. */
  readonly keys?: { readonly public: string; readonly secret: string; readonly server: string } | undefined;
  /** One of `OLDER_COMMONS`, in place of the newest. */
  readonly common?: string | undefined;
}

/** What the Manager's own client decoded of our answers, by method. Rejects with its stderr when it fails. */
export function managerClient(endpoint: string, options: ManagerClientOptions = {}): Promise<Record<string, unknown>> {
  return decoded(CLIENT, endpoint, options);
}

/** The same of a whole agent, which did what it was asked for. */
export function managerOnAgent(
  endpoint: string,
  options: ManagerClientOptions & { readonly agent: string; readonly image: string },
): Promise<Record<string, unknown>> {
  return decoded(ON_AGENT, endpoint, options);
}

async function decoded(script: string, endpoint: string, options: object): Promise<Record<string, unknown>> {
  const args = ['-I', script, endpoint, JSON.stringify(options)];
  const { stdout } = await run(MANAGER_PYTHON, args, { timeout: CALLS_MS, maxBuffer: 16 * 1024 * 1024 });
  return JSON.parse(stdout) as Record<string, unknown>;
}
