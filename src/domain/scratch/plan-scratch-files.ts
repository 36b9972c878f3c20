import { invalidArgument } from '../error/errors.js';
import type { KernelSpec, SshKeypair, VfolderMount } from '../kernel/kernel-spec.js';
import { DEFAULT_FILES } from './default-dotfiles.js';
import { dotfileToScratchFile } from './dotfile-path.js';
import { renderEnviron } from './environ.js';
import type { ScratchFile } from './scratch-layout.js';

const MAX_DOTFILES = 512;
const MAX_TEXT = 4_194_304;
const SSH_TARGET = '/home/work/.ssh';

export interface ScratchFilesInput {
  readonly spec: KernelSpec;
  readonly environ: Readonly<Record<string, string>>;
  /** Content of resource.txt. */
  readonly resourceTxt: string;
  /** 32 random bytes in hex, of which the kernel's SSH service makes its host key. */
  readonly hostKeySeed: string;
  /** With absolute kernel paths. */
  readonly mounts: readonly VfolderMount[];
}

/**
 * The files that a new kernel finds (lifecycle.md §1.10, §1.19, §3.1), in the order of writing: a user's dotfile comes after
 * the default of the same name and replaces it. Throws InvalidArgumentError for dotfiles that would leave the scratch.
 */
export function planScratchFiles(input: ScratchFilesInput): ScratchFile[] {
  const { spec } = input;
  if (spec.dotfiles.length > MAX_DOTFILES) {
    throw invalidArgument(`more than ${MAX_DOTFILES} dotfiles`, { field: 'internal_data.dotfiles' });
  }
  return [
    ...planConfigFiles(input.environ, input.resourceTxt),
    ...credentialFiles(spec.dockerCredentials),
    secret('config/ssh/host_key.seed', `${input.hostKeySeed}\n`),
    ...clusterFiles(spec),
    ...DEFAULT_FILES,
    ...bootstrapFiles(spec.bootstrapScript),
    ...sshFiles(spec.sshKeypair, input.mounts),
    ...spec.dotfiles.map((dotfile, index) => dotfileToScratchFile(dotfile, `internal_data.dotfiles[${index}]`)),
  ];
}

/** The files that a restart writes anew too. */
export function planConfigFiles(environ: Readonly<Record<string, string>>, resourceTxt: string): ScratchFile[] {
  const environTxt = renderEnviron(environ);
  return [
    file('config/environ.txt', environTxt),
    file('config/environ_base.txt', environTxt),
    file('config/resource.txt', resourceTxt),
    file('config/resource_base.txt', resourceTxt),
  ];
}

function credentialFiles(credentials: unknown): ScratchFile[] {
  if (credentials === undefined || credentials === null) return [];
  return [secret('config/docker-creds.json', JSON.stringify(credentials))];
}

function clusterFiles({ cluster }: KernelSpec): ScratchFile[] {
  if (!cluster.sshKeypair) return [];
  return [
    secret('config/ssh/id_cluster', cluster.sshKeypair.privateKey),
    { ...file('config/ssh/id_cluster.pub', cluster.sshKeypair.publicKey), owned: true },
    ...(cluster.sshPortMapping ? [file('config/ssh/port-mapping.json', JSON.stringify(cluster.sshPortMapping))] : []),
  ];
}

function bootstrapFiles(script: string | undefined): ScratchFile[] {
  if (script === undefined) return [];
  if (script.length > MAX_TEXT) {
    throw invalidArgument(`bootstrap_script: longer than ${MAX_TEXT} characters`, { field: 'bootstrap_script' });
  }
  return [{ ...file('work/bootstrap.sh', script), owned: true }];
}

/** Not where the user mounts an `.ssh` of his own; the key is still there as `id_container`. */
function sshFiles(keypair: SshKeypair | undefined, mounts: readonly VfolderMount[]): ScratchFile[] {
  if (!keypair) return [];
  const own = mounts.some(({ kernelPath }) => kernelPath === SSH_TARGET);
  return [
    ...(own
      ? []
      : [
          secret('work/.ssh/authorized_keys', keypair.publicKey),
          { ...secret('work/.ssh/id_rsa', keypair.privateKey), onlyIfAbsent: true },
        ]),
    secret('work/id_container', keypair.privateKey),
  ];
}

/** Read by everybody in the container, written by the agent. */
function file(path: string, data: string): ScratchFile {
  return { path, data, mode: 0o644, owned: false };
}

function secret(path: string, data: string): ScratchFile {
  return { path, data, mode: 0o600, owned: true };
}
