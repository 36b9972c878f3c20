import type { IdentityOverride } from '../kernel/kernel-spec.js';

/** Who a kernel's processes are; `undefined` = left to what the image does by itself. */
export interface KernelIdentity {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  /** Ascending, without repetition. */
  readonly additionalGids: readonly number[];
}

/**
 * Overrides of the caller first, then, for images of feature `uid-match`, the configured user and group, which joins the
 * supplementary ones where the main group is overridden (lifecycle.md §1.5). `extraGids` are those of accelerators (§1.13).
 */
export function resolveIdentity(
  override: IdentityOverride,
  uidMatch: boolean,
  configured: { readonly uid: number; readonly gid: number },
  extraGids: readonly number[] = [],
): KernelIdentity {
  const gids = new Set([...override.supplementaryGids, ...extraGids]);
  if (override.mainGid !== undefined && uidMatch) gids.add(configured.gid);
  return {
    uid: override.uid ?? (uidMatch ? configured.uid : undefined),
    gid: override.mainGid ?? (uidMatch ? configured.gid : undefined),
    additionalGids: [...gids].sort((a, b) => a - b),
  };
}
