import { execFile } from 'node:child_process';
import { mkdir, rm, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

const FOLDER = fileURLToPath(new URL('../../.runtime/venv-callosum', import.meta.url));
/** The Python that has Callosum, once `callosumMissing` found or made it. */
export const PYTHON = `${FOLDER}/bin/python`;
const CLIENT = fileURLToPath(new URL('../fixtures/rpc/callosum_client.py', import.meta.url));
const PACKAGES = ['callosum[zeromq]==1.0.3', 'msgpack>=1.1', 'temporenc==0.1.0', 'attrs>=24', 'pydantic>=2'];
const INSTALL_MS = 240_000;
const CALL_MS = 120_000;

/**
 * Makes the Python with the real Callosum, once for this checkout.
 *
 * @returns why it can't be had on this machine, or `undefined` when it is there.
 */
export async function callosumMissing(): Promise<string | undefined> {
  if (await works()) return undefined;
  try {
    await rm(FOLDER, { recursive: true, force: true });
    await mkdir(FOLDER, { recursive: true });
    await run('python3', ['-m', 'venv', FOLDER], { timeout: INSTALL_MS });
    await run(PYTHON, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PACKAGES], {
      timeout: INSTALL_MS,
    });
  } catch (error) {
    const lines = (error as Error).message.trim().split('\n');
    return `the Python package callosum can't be installed (needs python3 ≥ 3.11 with venv and pip): ${lines.at(-1) ?? ''}`;
  }
  return (await works()) ? undefined : 'the installed Python package callosum does not import';
}

async function works(): Promise<boolean> {
  try {
    await stat(PYTHON);
    await run(PYTHON, ['-c', 'import callosum.rpc, callosum.lower.zeromq, msgpack, pydantic, temporenc'], {
      timeout: CALL_MS,
    });
    return true;
  } catch {
    return false;
  }
}

/**
 * What a scenario of the Python client saw. Rejects with its stderr when it fails. `behind` is a command that runs it
 * elsewhere.
 */
export async function callosum(
  scenario: string,
  endpoint: string,
  options: object = {},
  behind: readonly string[] = [],
): Promise<unknown> {
  const [program, ...args] = [...behind, PYTHON, CLIENT, scenario, endpoint, JSON.stringify(options)] as const;
  const { stdout } = await run(program, args, { timeout: CALL_MS });
  return JSON.parse(stdout) as unknown;
}
