import type { Call } from './call.js';

/** A file system to mount for vfolders (state.md §9.3). */
export interface VolumeMount {
  /** What is mounted: `host:/export`, a device. */
  readonly source: string;
  /** `nfs`, `nfs4`, `cifs`, … */
  readonly type: string;
  /** Comma-separated mount options; empty = none. */
  readonly options: string;
  /** Absolute path; its parent must be there. */
  readonly target: string;
}

/** File systems that an operator mounts for vfolders. Failures are `StorageError`s with what `mount` said. */
export interface VolumeMounts {
  /** Mount points at or below any of `prefixes`. */
  list(prefixes: readonly string[]): Promise<readonly string[]>;
  /** Mounted already is a success. `persist` also writes it to fstab, once. */
  mount(volume: VolumeMount, persist: boolean, call: Call): Promise<void>;
  /** Unmounts and removes the empty folder; not mounted is a success. `forget` also takes it out of fstab. */
  unmount(target: string, forget: boolean, call: Call): Promise<void>;
  /** Text of fstab. */
  fstab(): Promise<string>;
}

export const VolumeMounts = Symbol('VolumeMounts');
