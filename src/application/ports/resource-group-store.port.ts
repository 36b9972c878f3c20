/**
 * The resource group that a Manager moved this node to; it outlives the agent. Failures are `StorageError`s.
 */
export interface ResourceGroupStore {
  /** `undefined` = it was never moved. */
  load(): Promise<string | undefined>;
  save(name: string): Promise<void>;
}

export const ResourceGroupStore = Symbol('ResourceGroupStore');
