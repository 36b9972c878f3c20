import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

const CLIENT = fileURLToPath(new URL('../fixtures/rpc/manager_client.py', import.meta.url));
const IMPORT_MS = 60_000;
const CALLS_MS = 90_000;

/** A Python with the packages of a real Backend.AI Manager (26.9.6), told by the environment. */
const python = process.env['BAI_PYTHON'];

/** Why there is none, or `undefined` if there is one. */
export async function managerPythonMissing(): Promise<string | undefined> {
  if (python === undefined) return 'BAI_PYTHON does not name a Python with the packages of a Backend.AI Manager';
  if (!existsSync(python)) return `BAI_PYTHON names ${python}, which is not there`;
  try {
    await run(python, ['-I', '-c', 'import ai.backend.common.clients.agent.client'], { timeout: IMPORT_MS });
    return undefined;
  } catch {
    return `${python} does not have the package backend.ai-common`;
  }
}

/** What the Manager's own client decoded of our answers, by method. Rejects with its stderr when it fails. */
export async function managerClient(endpoint: string, keys?: object): Promise<Record<string, unknown>> {
  const args = ['-I', CLIENT, endpoint, ...(keys === undefined ? [] : [JSON.stringify(keys)])];
  const { stdout } = await run(python ?? '', args, { timeout: CALLS_MS });
  return JSON.parse(stdout) as Record<string, unknown>;
}
