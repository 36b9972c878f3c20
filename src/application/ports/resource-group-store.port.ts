/** Where a Manager moved this node to. */
export interface MovedTo {
  readonly resourceGroup: string;
  /** What was configured then. If that was changed since, the operator had the last word. */
  readonly configured: string | null;
}

/** It outlives the agent. Failures are `StorageError`s. */
export interface ResourceGroupStore {
  /** `undefined` = the node was never moved. */
  load(): Promise<MovedTo | undefined>;
  save(move: MovedTo): Promise<void>;
}

export const ResourceGroupStore = Symbol('ResourceGroupStore');
