/** Who the kernel's programs run as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
}

export const USER_NAME = 'work';
export const HOME = '/home/work';
const DEFAULT_ID = 9001;
const MAX_ID = 0xffff_fffe;

const idOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,10}$/.test(text.trim()) && Number(text) <= MAX_ID ? Number(text) : undefined;

/** From LOCAL_USER_ID, LOCAL_GROUP_ID and ADDITIONAL_GIDS (krunner.md §1.5, §1.7); anything unreadable is the default. */
export function accountOf(env: Readonly<Record<string, string | undefined>>): Account {
  const additional = (env['ADDITIONAL_GIDS'] ?? '').split(',').map(idOf);
  return {
    uid: idOf(env['LOCAL_USER_ID']) ?? DEFAULT_ID,
    gid: idOf(env['LOCAL_GROUP_ID']) ?? DEFAULT_ID,
    additionalGids: [...new Set(additional.filter((gid) => gid !== undefined))],
  };
}

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');
const textOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

/**
 * `/etc/passwd` with exactly one `work` of this uid: an existing entry of the uid is renamed, else one named `work` gets
 * the ids, else a line is added (krunner.md §1.7 step 4). Tells the replaced name, so that groups can follow.
 */
export function editPasswd(text: string, account: Account, shell: string): { text: string; renamed?: string } {
  const work = `${USER_NAME}:x:${account.uid}:${account.gid}:User:${HOME}:${shell}`;
  const entries = linesOf(text).map((line) => line.split(':'));
  if (entries.length === 0) entries.push(['root', 'x', '0', '0', 'root', '/root', shell]);
  const sameUid = entries.findIndex((fields) => fields[2] === String(account.uid));
  const at = sameUid >= 0 ? sameUid : entries.findIndex((fields) => fields[0] === USER_NAME);
  const previous = entries[at]?.[0];
  const others = entries.filter((fields, index) => index === at || fields[0] !== USER_NAME);
  const lines = others.map((fields) => (fields === entries[at] ? work : fields.join(':')));
  if (at < 0) lines.push(work);
  return { text: textOf(lines), ...(previous && previous !== USER_NAME ? { renamed: previous } : {}) };
}

/** `/etc/group` with a group of the primary gid and `work` as a member of every additional one. */
export function editGroup(text: string, account: Account, renamed?: string): string {
  const entries = linesOf(text).map((line) => line.split(':'));
  if (entries.length === 0) entries.push(['root', 'x', '0', '']);
  const ofGid = (gid: number) => entries.find((fields) => fields[2] === String(gid));
  if (!ofGid(account.gid)) {
    const stale = entries.find((fields) => fields[0] === USER_NAME);
    if (stale) stale[2] = String(account.gid);
    else entries.push([USER_NAME, 'x', String(account.gid), '']);
  }
  for (const gid of account.additionalGids) {
    if (gid !== account.gid && !ofGid(gid)) entries.push([`group${gid}`, 'x', String(gid), '']);
  }
  const wanted = new Set(account.additionalGids.map(String));
  return textOf(
    entries.map((fields) => {
      const members = (fields[3] ?? '').split(',').filter(Boolean);
      const renamedMembers = members.map((name) => (name === renamed ? USER_NAME : name));
      if (wanted.has(fields[2] ?? '')) renamedMembers.push(USER_NAME);
      return [fields[0], fields[1], fields[2], [...new Set(renamedMembers)].join(',')].join(':');
    }),
  );
}
