import { execFile } from 'node:child_process';
import type { Environment } from '../boot/child-environment.js';
import { parseServiceDefinition, type ServiceDefinition } from './service-definition.js';

/** Modules of the services that a Python image offers without a definition (krunner.md §4.5). */
const MODULES: Readonly<Record<string, string>> = { jupyter: 'notebook', jupyterlab: 'jupyterlab' };

const PROBE_MS = 10_000;

const CONFIG = [
  'c.ServerApp.allow_root = True',
  "c.ServerApp.ip = '0.0.0.0'",
  'c.ServerApp.port = {ports[0]}',
  "c.IdentityProvider.token = ''",
  "c.NotebookApp.token = ''",
  'c.FileContentsManager.delete_to_trash = False',
].map((line) => `${line}\n`);

/** The definition of a built-in service of the Python runtime, as if the image had it. */
export function pythonService(name: string): ServiceDefinition | undefined {
  const module = Object.hasOwn(MODULES, name) ? MODULES[name] : undefined;
  if (module === undefined) return undefined;
  const command = ['{runtime_path}', '-m', module, '--no-browser', '--config', '{jupyter_config}'];
  const prestart = [{ action: 'write_tempfile', args: { body: CONFIG }, ref: 'jupyter_config' }];
  return parseServiceDefinition(name, JSON.stringify({ command, prestart }));
}

/** The module that a built-in service needs and the image's Python does not have, if that is so. */
export function missingModule(name: string, interpreter: string, env: Environment): Promise<string | undefined> {
  const module = MODULES[name];
  if (module === undefined) return Promise.resolve(undefined);
  const probe = `import importlib.util, sys; sys.exit(importlib.util.find_spec(${JSON.stringify(module)}) is None)`;
  return new Promise((resolve) => {
    execFile(interpreter, ['-c', probe], { env, timeout: PROBE_MS }, (error) => {
      resolve(error?.code === 1 ? module : undefined);
    });
  });
}
