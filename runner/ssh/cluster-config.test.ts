import { describe, expect, it } from 'vitest';
import { type ClusterFacts, locateHost, withClusterHosts } from './cluster-config.js';

const facts: ClusterFacts = {
  replicas: 'main:1,sub:3,bad name:1',
  portMapping: undefined,
  identityFile: '/home/config/ssh/id_cluster',
  port: 2200,
};
const mapped = {
  ...facts,
  portMapping: '{"main1": ["10.0.0.1", 30001], "sub1": ["10.0.0.2", "x"], "a\\nb": ["h", 1]}',
};

describe('withClusterHosts', () => {
  it('adds a block for each role', () => {
    const config = withClusterHosts('', facts);
    expect(config.match(/^Host .*$/gm)).toEqual(['Host main*', 'Host sub*']);
    expect(config).toContain('  Port 2200\n  User work\n  IdentityFile /home/config/ssh/id_cluster\n');
  });

  it('adds a block for each mapped host that makes sense', () => {
    const config = withClusterHosts('', mapped);
    expect(config.match(/^(Host|  HostName|  Port) .*$/gm)).toEqual([
      'Host main1',
      '  HostName 10.0.0.1',
      '  Port 30001',
    ]);
  });

  it('leaves what the user wrote as it is, and replaces its own words', () => {
    const own = 'Host example\n  Port 22';
    const first = withClusterHosts(own, facts);
    expect(first.startsWith(`${own}\n`)).toBe(true);
    expect(withClusterHosts(first, facts)).toBe(first);
    const more = `${first}Host other\n`;
    expect(withClusterHosts(more, mapped)).toBe(withClusterHosts(`${own}\nHost other\n`, mapped));
  });
});

describe('locateHost', () => {
  it.each([
    ['main1', facts, { host: 'main1', port: 2200 }],
    ['sub3', facts, { host: 'sub3', port: 2200 }],
    ['example.org', facts, undefined],
    ['main1', mapped, { host: '10.0.0.1', port: 30001 }],
    ['sub1', mapped, undefined],
  ])('%s', (name, given, expected) => {
    expect(locateHost(name, given)).toEqual(expected);
  });
});
