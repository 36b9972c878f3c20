import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findCloudIdentity } from './cloud-identity.js';

/** What the firmware of each machine of Azure says. */
const AZURE = '7783-7084-3265-9085-8269-3286-77';

describe('the cloud', () => {
  let dmi: string;
  let server: Server;
  let metadata: string;
  let answers: Readonly<Record<string, string>>;
  let asked: { readonly url: string; readonly flavour: string }[];
  beforeEach(async () => {
    dmi = mkdtempSync(join(tmpdir(), 'dmi-'));
    asked = [];
    server = createServer(({ url = '', headers }, response) => {
      asked.push({ url, flavour: String(headers['metadata-flavor'] ?? headers['metadata'] ?? '') });
      const text = answers[url.split('?')[0] ?? ''];
      response.writeHead(text === undefined ? 404 : 200).end(text);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    metadata = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    rmSync(dmi, { recursive: true });
    await new Promise((resolve) => server.close(resolve));
  });
  const FILES = {
    'Google Compute Engine': 'product_name',
    [AZURE]: 'chassis_asset_tag',
    '4.11.amazon': 'bios_version',
  };
  const made = (by: string) => {
    const file = Object.entries(FILES).find(([mark]) => mark === by)?.[1] ?? 'sys_vendor';
    writeFileSync(join(dmi, file), `${by}\n`);
  };
  const find = () => findCloudIdentity({ dmi, metadata });

  it('is asked nothing on a machine of one’s own', async () => {
    expect(await find()).toBeUndefined();
    for (const maker of ['LENOVO', 'Microsoft Corporation', 'Google']) {
      made(maker);
      expect(await find()).toBeUndefined();
    }
    expect(asked).toEqual([]);
  });

  it.each(['Amazon EC2', '4.11.amazon'])('Amazon, known by %s', async (mark) => {
    made(mark);
    answers = {
      '/latest/meta-data/instance-id': 'i-0123456789abcdef0',
      '/latest/dynamic/instance-identity/document': '{"region":"ap-northeast-2"}',
    };
    expect(await find()).toEqual({ instanceId: 'i-0123456789abcdef0', region: 'amazon/ap-northeast-2' });
  });

  it('Azure', async () => {
    made(AZURE);
    const compute = { name: 'gpu-vm', vmId: '02aab8a4-74ef-476e-8182-f6d2ba4166a6', location: 'koreacentral' };
    answers = { '/metadata/instance/compute': JSON.stringify(compute) };
    expect(await find()).toEqual({ instanceId: 'i-gpu-vm-2k5eczvg', region: 'azure/koreacentral' });
    expect(asked).toEqual([{ url: '/metadata/instance/compute?api-version=2021-02-01', flavour: 'true' }]);
  });

  it('Google', async () => {
    made('Google Compute Engine');
    const instance = '/computeMetadata/v1/instance';
    answers = {
      [`${instance}/id`]: '7655034531023904123',
      [`${instance}/name`]: 'node-1',
      [`${instance}/zone`]: 'projects/1/zones/asia-northeast3-a',
    };
    expect(await find()).toEqual({ instanceId: 'i-node-1-legqoxl3', region: 'google/asia-northeast3-a' });
    expect(asked.every(({ flavour }) => flavour === 'Google')).toBe(true);
  });

  it.each<[string, Readonly<Record<string, string>>]>([
    ['Amazon EC2', {}],
    ['Amazon EC2', { '/latest/dynamic/instance-identity/document': 'no JSON' }],
    [AZURE, { '/metadata/instance/compute': '{"name":"a","vmId":"x","location":"l"}' }],
    ['Google Compute Engine', { '/computeMetadata/v1/instance/id': 'x' }],
  ])('%s that does not answer, or oddly, is told as a problem', async (vendor, given) => {
    made(vendor);
    answers = given;
    expect(await find()).toEqual({
      instanceId: undefined,
      region: expect.stringMatching(/\/unknown$/) as string,
      problem: expect.stringMatching(/./) as string,
    });
  });
});
