import { expect, it } from 'vitest';
import { diskMounts, measureDisk } from './node-disks.js';

it('takes each disk once and leaves out what the engine, the kernel and the network mount', () => {
  const mounts = [
    'overlay /var/lib/docker/overlay2/x/merged overlay rw 0 0',
    '/dev/sda1 / ext4 rw 0 0',
    '/dev/sda1 /again ext4 rw 0 0',
    '/dev/sdb1 /boot/efi vfat rw 0 0',
    '/dev/loop0 /snap squashfs ro 0 0',
    'tank /tank zfs rw 0 0',
    'nas:/x /nas nfs4 rw 0 0',
    '/dev/sdc /with\\040blank xfs rw 0 0',
    'broken line',
  ].join('\n');
  const types = 'nodev\toverlay\nnodev\tnfs4\n\text4\n\tvfat\n\tsquashfs\n\txfs\n';
  expect(diskMounts(mounts, types)).toEqual([
    { device: '/dev/sda1', path: '/' },
    { device: 'tank', path: '/tank' },
    { device: '/dev/sdc', path: '/with blank' },
  ]);
});

it('measures a real file system and nothing where there is none', () => {
  const disk = measureDisk('/');
  expect(disk?.totalBytes).toBeGreaterThan(disk?.usedBytes ?? Number.POSITIVE_INFINITY);
  expect(measureDisk('/not/there')).toBeUndefined();
});
