import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FileTree } from '../../../test/support/file-tree.js';
import { FileAbuseReports } from './file-abuse-reports.adapter.js';

it('reads the reports of a folder, takes nothing else for one, and removes those that are done with', async () => {
  const id = '7f3d2c1b-0000-4000-8000-000000000001';
  using tree = new FileTree({
    'report.1.json': `{"ID":"${id.toUpperCase()}","CID":"c","reason":"mining"}`,
    'report.2.json': `{"ID":"${id}","reason":7}`,
    'report.half.json': '{"ID":"7f3d',
    'report.odd.json': '{"ID":"../../etc"}',
    'report.large.json': `{"pad":"${'x'.repeat(70_000)}","ID":"${id}"}`,
    'report.lock': '',
    'other.json': '{"ID":"7f3d2c1b-0000-4000-8000-000000000009"}',
    'report.folder.json/x': '',
  });
  const reports = new FileAbuseReports(tree.root);
  const first = { name: 'report.1.json', kernelId: id, reason: 'mining' };
  const second = { name: 'report.2.json', kernelId: id, reason: '' };
  expect(await reports.list()).toEqual([first, second]);
  await reports.remove(second);
  await reports.remove(second);
  expect(await reports.list()).toEqual([first]);
  expect(await new FileAbuseReports(join(tree.root, 'not-there')).list()).toEqual([]);
  expect(await new FileAbuseReports(null).list()).toEqual([]);
  const file = new FileAbuseReports(join(tree.root, 'report.1.json'));
  await expect(file.list()).rejects.toMatchObject({ name: 'StorageError' });
});
