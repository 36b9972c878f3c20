import { describe, expect, it } from 'vitest';
import { accountOf, editGroup, editPasswd } from './account.js';

const account = { uid: 1000, gid: 1000, additionalGids: [] };
const ROOT = 'root:x:0:0:root:/root:/bin/bash\n';
const WORK = 'work:x:1000:1000:User:/home/work:/bin/sh\n';

describe('accountOf', () => {
  it('reads ids and takes 9001 for what is missing or unreadable', () => {
    expect(accountOf({})).toEqual({ uid: 9001, gid: 9001, additionalGids: [] });
    expect(accountOf({ LOCAL_USER_ID: '0', LOCAL_GROUP_ID: '-1', ADDITIONAL_GIDS: ' 5, x,7,5,' })).toEqual({
      uid: 0,
      gid: 9001,
      additionalGids: [5, 7],
    });
    expect(accountOf({ LOCAL_USER_ID: '99999999999' }).uid).toBe(9001);
  });
});

describe('editPasswd', () => {
  it.each([
    ['adds the user', ROOT, ROOT + WORK, undefined],
    ['makes a file', '', 'root:x:0:0:root:/root:/bin/sh\n' + WORK, undefined],
    ['renames who has the uid', ROOT + 'ubuntu:x:1000:1000:U:/home/ubuntu:/bin/zsh\n', ROOT + WORK, 'ubuntu'],
    ['corrects a stale work', 'work:x:7:7::/x:/bin/sh\n' + ROOT, WORK + ROOT, undefined],
    ['leaves one work only', 'work:x:7:7::/x:/bin/sh\nnode:x:1000:1000::/n:/bin/sh\n', WORK, 'node'],
    ['changes nothing twice', ROOT + WORK, ROOT + WORK, undefined],
    ['takes a last line without a newline', ROOT.trim(), ROOT + WORK, undefined],
  ])('%s', (_what, before, after, renamed) => {
    expect(editPasswd(before, account, '/bin/sh')).toEqual({ text: after, ...(renamed ? { renamed } : {}) });
  });
});

describe('editGroup', () => {
  it.each([
    ['adds the group', 'root:x:0:\n', 'root:x:0:\nwork:x:1000:\n'],
    ['keeps an existing group of the gid', 'users:x:1000:bob\n', 'users:x:1000:bob\n'],
    ['corrects a stale work', 'work:x:7:\n', 'work:x:1000:\n'],
    ['makes a file', '', 'root:x:0:\nwork:x:1000:\n'],
  ])('%s', (_what, before, after) => {
    expect(editGroup(before, account)).toBe(after);
  });

  it('joins additional groups, made where missing, and follows a renamed user', () => {
    const before = 'work:x:1000:\nvideo:x:44:ubuntu\nsudo:x:27:ubuntu,eve\n';
    expect(editGroup(before, { ...account, additionalGids: [44, 555] }, 'ubuntu')).toBe(
      'work:x:1000:\nvideo:x:44:work\nsudo:x:27:work,eve\ngroup555:x:555:work\n',
    );
  });
});
