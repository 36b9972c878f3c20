/** What Managers say to all agents at once (state.md §2.7). */
export type ClusterMessage =
  | { readonly name: 'do_volume_mount'; readonly body: VolumeMountMessage }
  | { readonly name: 'do_volume_unmount'; readonly body: VolumeUnmountMessage };

export interface VolumeMountMessage {
  readonly dirName: string;
  readonly volumeBackendName: string;
  /** `user:<uuid>` or `project:<uuid>`. */
  readonly quotaScopeId: string;
  readonly fsLocation: string;
  readonly fsType: string;
  readonly cmdOptions: string | null;
  readonly scalingGroup: string | null;
  readonly editFstab: boolean;
  readonly fstabPath: string;
}

export interface VolumeUnmountMessage {
  readonly dirName: string;
  readonly volumeBackendName: string;
  readonly quotaScopeId: string;
  readonly scalingGroup: string | null;
  readonly editFstab: boolean;
  readonly fstabPath: string | null;
}

/**
 * The way in for what the cluster says to everybody. It has no memory: what is said while the connection is away is not
 * heard. The connection is made again for ever; what can't be read, and what is not for agents, is passed over.
 */
export interface ClusterMessages {
  /** Calls `listener` for each message from now on. One that throws is logged and kept. */
  subscribe(listener: (message: ClusterMessage) => void): Disposable;
}

export const ClusterMessages = Symbol('ClusterMessages');
