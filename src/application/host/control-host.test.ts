import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.js';
import { MemoryLogger } from '../../../test/support/memory-logger.js';
import type { AgentSettings } from '../agent-settings.js';
import type { ConfigSource } from '../ports/config-source.port.js';
import type { HostPath } from '../ports/host-paths.port.js';
import type { HostServices } from '../ports/host-services.port.js';
import type { VolumeMount, VolumeMounts } from '../ports/volume-mounts.port.js';
import { ControlHost } from './control-host.use-case.js';

const signal = new AbortController().signal;
const REQUEST = { source: 'nas:/a', type: 'nfs', options: '', persist: false };

function host(options: { prefix?: string; links?: Record<string, string>; softReset?: boolean } = {}) {
  const ordered: unknown[] = [];
  const mounted: VolumeMount[] = [];
  const order = (...what: unknown[]) => Promise.resolve(ordered.push(what.slice(0, -1)) > 0);
  const services: HostServices = {
    state: () => Promise.resolve('active'),
    act: order,
    cycle: order,
    powerOff: (call) => order('poweroff', call),
  };
  const mounts: Pick<VolumeMounts, 'mount' | 'list'> = {
    mount: (volume) => Promise.resolve(void mounted.push(volume)),
    list: (prefixes) => Promise.resolve(prefixes),
  };
  const look = (path: string): Promise<HostPath | undefined> => {
    const realPath = options.links?.[path];
    return Promise.resolve(realPath === undefined ? undefined : { kind: 'directory', realPath });
  };
  const values = options.prefix === undefined ? {} : { _mount: options.prefix };
  const control = new ControlHost(
    {
      watcher: { targetService: 'agent.service', softResetAvailable: options.softReset ?? false },
    } as AgentSettings,
    services,
    mounts as VolumeMounts,
    { look },
    { getPrefix: () => Promise.resolve(values) } as Pick<ConfigSource, 'getPrefix'> as ConfigSource,
    new ManualClock(),
    new MemoryLogger(),
  );
  return { control, ordered, mounted };
}

describe('ControlHost', () => {
  it('acts on the configured unit', async () => {
    const { control, ordered } = host({ softReset: true });
    for (const action of ['start', 'stop', 'restart', 'soft-reset', 'hard-reset', 'shutdown'] as const) {
      await control.control(action, signal);
    }
    expect(ordered).toEqual([
      ['start', 'agent.service'],
      ['stop', 'agent.service'],
      ['restart', 'agent.service'],
      ['reload', 'agent.service'],
      ['agent.service', 'docker.service'],
      ['poweroff'],
    ]);
  });

  it('refuses a soft reset unless the operator allowed it', async () => {
    const { control, ordered } = host();
    await expect(control.control('soft-reset', signal)).rejects.toMatchObject({ name: 'PermissionError' });
    expect(ordered).toEqual([]);
  });

  it.each([
    [undefined, 'a', '/mnt/a'],
    ['/vol/', 'team/a', '/vol/team/a'],
    ['relative', 'a', '/mnt/a'],
  ])('mounts below the prefix %s', async (prefix, name, target) => {
    const { control, mounted } = host(prefix === undefined ? {} : { prefix });
    expect(await control.mount({ name, ...REQUEST }, signal)).toBe(target);
    expect(mounted.map((volume) => volume.target)).toEqual([target]);
  });

  it.each(['', '.', '..', '../etc', 'a/../../etc', '/etc', 'a\0b', 'link', 'link/a'])(
    'refuses the name %j',
    async (name) => {
      const { control, mounted } = host({ links: { '/mnt/link': '/etc', '/mnt/link/a': '/etc/a' } });
      await expect(control.mount({ name, ...REQUEST }, signal)).rejects.toMatchObject({ field: 'name' });
      expect(mounted).toEqual([]);
    },
  );
});
