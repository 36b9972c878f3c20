import { parseServiceDefinition, type ServiceDefinition } from './service-definition.js';

/** Modules of the services that a Python image offers without a definition (krunner.md §4.5). */
const MODULES: Readonly<Record<string, string>> = { jupyter: 'notebook', jupyterlab: 'jupyterlab' };

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
