/** What is at a path of the host, for checking mounts before anything is created. */
export interface HostPath {
  readonly kind: 'directory' | 'file' | 'other';
  /** Differs from the asked path if any part of it is a symlink. */
  readonly realPath: string;
}

export interface HostPaths {
  /** `undefined` if nothing is there or it can't be reached. */
  look(path: string): Promise<HostPath | undefined>;
}

export const HostPaths = Symbol('HostPaths');
