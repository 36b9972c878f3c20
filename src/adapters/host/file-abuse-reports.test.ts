import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FileTree } from '../../../test/support/file-tree.js';
import { FileAbuseReports } from './file-abuse-reports.adapter.js';

it('reads the reports of a folder, and takes nothing else for one', async () => {
  const id = '7f3d2c1b-0000-4000-8000-000000000001';
  using tree = new FileTree({
    'report.1.json': `{"ID":"${id.toUpperCase()}","CID":"c","reason":"mining"}`,
    'report.2.json': `{"ID":"${id}"}`,
    'report.half.json': '{"ID":"7f3d',
    'report.odd.json': '{"ID":"../../etc"}',
    'report.large.json': `{"pad":"${'x'.repeat(70_000)}","ID":"${id}"}`,
    'report.lock': '',
    'other.json': '{"ID":"7f3d2c1b-0000-4000-8000-000000000009"}',
    'report.folder.json/x': '',
  });
  expect(await new FileAbuseReports(tree.root).list()).toEqual([id]);
  expect(await new FileAbuseReports(join(tree.root, 'not-there')).list()).toEqual([]);
  expect(await new FileAbuseReports(null).list()).toEqual([]);
  const file = new FileAbuseReports(join(tree.root, 'report.1.json'));
  await expect(file.list()).rejects.toMatchObject({ name: 'StorageError' });
});
