/** Where the readers of the stream are. */
export interface StreamPosition {
  /** Id of the newest entry that the Managers' group was given; undefined while there is no group. */
  readonly lastDelivered: string | undefined;
  /** Id of the oldest entry that is still there; undefined when there is none. */
  readonly first: string | undefined;
  /** Entries that the group has not been given yet. */
  readonly lag: number;
}

/** Stream ids are `milliseconds-number`; negative when `left` is the older one. */
export function compareStreamIds(left: string, right: string): number {
  const [leftMs = 0, leftNumber = 0] = left.split('-').map(Number);
  const [rightMs = 0, rightNumber = 0] = right.split('-').map(Number);
  return leftMs - rightMs || leftNumber - rightNumber;
}
