import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { FileTree } from '../../../test/support/file-tree.js';
import { BlockDevices, parseBlkio, parseIoStat } from './block-devices.js';

describe('BlockDevices', () => {
  let tree: FileTree | undefined;
  afterEach(() => tree?.[Symbol.dispose]());

  /** A logical volume 253:0 on a partition 8:2 of the disk 8:0, and another disk 8:16. */
  const devices = (): BlockDevices => {
    tree = new FileTree({
      'devices/sda/dev': '8:0\n',
      'devices/sda/sda2/dev': '8:2\n',
      'devices/sda/sda2/partition': '2\n',
      'devices/sdb/dev': '8:16\n',
      'devices/dm-0/dev': '253:0\n',
      'devices/dm-0/slaves/sda2': '-> ../../sda/sda2',
      'dev/block/8:0': '-> ../../devices/sda',
      'dev/block/8:2': '-> ../../devices/sda/sda2',
      'dev/block/8:16': '-> ../../devices/sdb',
      'dev/block/253:0': '-> ../../devices/dm-0',
    });
    return new BlockDevices(join(tree.root));
  };

  it('counts a byte once that passes a volume and its disk', () => {
    const rows = [
      { device: '8:0', read: 100, written: 10 },
      { device: '253:0', read: 100, written: 10 },
      { device: '8:16', read: 5, written: 1 },
    ];
    expect(devices().sum(rows)).toEqual({ read: 105, written: 11 });
  });

  it('counts a disk that nothing counted stands on', () => {
    const both = devices();
    expect(both.sum([{ device: '8:0', read: 100, written: 10 }])).toEqual({ read: 100, written: 10 });
    expect(both.sum([{ device: '9:9', read: 1, written: 2 }])).toEqual({ read: 1, written: 2 });
    expect(both.sum([])).toEqual({ read: 0, written: 0 });
  });

  it('reads both formats and skips what is neither read nor write', () => {
    expect(parseBlkio('8:0 Read 1\n8:0 Write 2\n8:0 Async 9\n8:0 Total 3\nTotal 3\n')).toEqual([
      { device: '8:0', read: 1, written: 2 },
    ]);
    expect(parseIoStat('8:0 rbytes=1 wbytes=2 rios=3\n7:0 \n')).toEqual([
      { device: '8:0', read: 1, written: 2 },
      { device: '7:0', read: 0, written: 0 },
    ]);
  });
});
