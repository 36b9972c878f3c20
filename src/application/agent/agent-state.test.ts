import 'reflect-metadata';
import { beforeEach, describe, expect, it } from 'vitest';
import { settle } from '../../../test/support/manual-clock.js';
import { StateBench } from '../../../test/support/state-bench.js';
import type { InstalledImage } from '../../domain/image/installed-image.js';
import type { AgentSettings } from '../agent-settings.js';
import type { DestroyKernel } from '../kernel/destroy-kernel.use-case.js';
import type { ListInstalledImages } from '../image/list-installed-images.use-case.js';
import type { AcceleratorPlugin, SlotMetadata } from '../ports/accelerator-plugin.port.js';
import type { AbuseReport } from '../ports/abuse-reports.port.js';
import type { ConfigSource } from '../ports/config-source.port.js';
import type { DestroyRequest } from '../use-cases.js';
import { AnnounceService } from './announce-service.use-case.js';
import { KernelPresence } from './kernel-presence.use-case.js';
import { PublishAbuseReports } from './publish-abuse-reports.use-case.js';
import { PublishAgentFacts } from './publish-agent-facts.use-case.js';
import { PublishInstalledImages } from './publish-installed-images.use-case.js';

const never = new AbortController().signal;
const AWAY = { name: 'StateStoreError' };
let bench: StateBench;
beforeEach(() => void (bench = new StateBench()));

describe('KernelPresence', () => {
  let destroyed: DestroyRequest[];
  let presence: KernelPresence;
  beforeEach(() => {
    destroyed = [];
    const destroyer = { execute: (request: DestroyRequest) => Promise.resolve(void destroyed.push(request)) };
    const { settings, registry, state, logger } = bench;
    presence = new KernelPresence(settings, registry, destroyer as unknown as DestroyKernel, state, logger);
  });
  const keyOf = (number: number) => `kernel:presence:${bench.registry.all()[number - 1]!.kernel.id}`;
  /** What the Manager writes at its visits. */
  const check = async (agent: string | undefined, kernel: string | undefined): Promise<void> => {
    if (agent !== undefined) await bench.state.set('live', 'agent:last_check:i-test', agent, 1200);
    if (kernel !== undefined) await bench.state.setHash('live', keyOf(1), { last_check: kernel }, 300);
  };

  it('tells of the kernels that run, with the time of the server, for five minutes', async () => {
    bench.addKernel(1);
    bench.addKernel(2, { state: 'PREPARING' });
    bench.addKernel(3, { state: 'TERMINATING' });
    Object.assign(bench.state, { time: () => Promise.resolve(1_795_465_265_999) });
    await presence.tell();
    expect(await bench.state.getHash('live', keyOf(1))).toEqual({ presence: '1', last_presence: '1795465265' });
    expect(await bench.state.getHash('live', keyOf(2))).toEqual({});
    expect(await bench.state.getHash('live', keyOf(3))).toEqual({});
    await bench.clock.advance(300_000);
    expect(await bench.state.getHash('live', keyOf(1))).toEqual({});
  });

  it('fails while the store is away, and asks nothing when there is nothing to tell', async () => {
    bench.isAway = true;
    await presence.tell();
    bench.addKernel(1);
    await expect(presence.tell()).rejects.toMatchObject(AWAY);
    await expect(presence.endOrphans(never)).rejects.toMatchObject(AWAY);
  });

  it('destroys without a word what the Manager looked at for the last time ten minutes before others', async () => {
    const { kernel } = bench.addKernel(1);
    bench.addKernel(2);
    await bench.state.setHash('live', keyOf(2), { last_check: '5000' });
    await check('5000', '4399');
    await presence.endOrphans(never);
    const { id: kernelId, sessionId } = kernel;
    expect(destroyed).toEqual([{ kernelId, sessionId, reason: 'not-found-in-manager', suppressEvents: true }]);
  });

  it.each<[string, string | undefined, string | undefined]>([
    ['it was looked at lately enough', '5000', '4400'],
    ['it was looked at after the others', '5000', '9000'],
    ['the Manager never looked at it', '5000', undefined],
    ['the Manager never looked at this agent', undefined, '1'],
    ['a time is empty', '5000', ''],
    ['a time is no number', '5000', 'NaN'],
    ['a time is negative', '5000', '-1'],
    ['the time of the agent is no number', '1e9', '1'],
    ['nothing was ever written', undefined, undefined],
  ])('leaves a kernel alone if %s', async (_, agent, kernel) => {
    bench.addKernel(1);
    await check(agent, kernel);
    await presence.endOrphans(never);
    expect(destroyed).toEqual([]);
  });

  it('leaves a kernel alone that is being changed', async () => {
    bench.addKernel(1).restart = Promise.resolve({} as never);
    bench.addKernel(2, { state: 'TERMINATING' });
    await bench.state.setHash('live', keyOf(2), { last_check: '1' });
    await check('5000', '1');
    await presence.endOrphans(never);
    expect(destroyed).toEqual([]);
  });

  it('goes on with the others when one can not be destroyed yet', async () => {
    const asked: string[] = [];
    const { settings, registry, state, logger } = bench;
    const execute = (request: DestroyRequest): Promise<void> => {
      asked.push(request.kernelId);
      return Promise.reject(new Error('the engine is away'));
    };
    const failing = { execute } as unknown as DestroyKernel;
    bench.addKernel(1);
    bench.addKernel(2);
    await bench.state.setHash('live', keyOf(2), { last_check: '1' });
    await check('5000', '1');
    await new KernelPresence(settings, registry, failing, state, logger).endOrphans(never);
    expect(asked).toHaveLength(2);
  });
});

describe('PublishInstalledImages', () => {
  const image = (canonical: string, digest = `sha256:${canonical}`): InstalledImage => ({
    ...{ canonical, digest, architecture: 'x86_64' },
  });
  let installed: readonly InstalledImage[] | Error | 'hangs';
  const life = (): PublishInstalledImages => {
    const { settings, state, events, clock, logger } = bench;
    const list = {
      execute: ({ signal }: { signal: AbortSignal }) =>
        new Promise((resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
          if (installed instanceof Error) reject(installed);
          else if (installed !== 'hangs') resolve(installed);
        }),
    } as unknown as ListInstalledImages;
    return new PublishInstalledImages(settings, list, state, events, clock, logger);
  };
  const stored = () => bench.stored('image', 'installed_image:i-test');
  const removed = () =>
    bench.told.map((event) =>
      event.name === 'agent_installed_images_remove' ? Object.keys(event.body.scanned_images) : event.name,
    );

  it('writes the list as Managers read it', async () => {
    installed = [image('cr.backend.ai/stable/python:3.9-ubuntu20.04', 'sha256:ab')];
    await life().execute(never);
    expect(await stored()).toBe(
      '[{"canonical":"cr.backend.ai/stable/python:3.9-ubuntu20.04","digest":"sha256:ab","architecture":"x86_64"}]',
    );
    expect(bench.told).toEqual([]);
  });

  it('writes also that there is none any more, and tells what went', async () => {
    installed = [image('a'), image('b')];
    const images = life();
    await images.execute(never);
    installed = [];
    await images.execute(never);
    expect(await stored()).toBe('[]');
    expect(removed()).toEqual([['a', 'b']]);
    await images.execute(never);
    expect(bench.told).toHaveLength(1);
  });

  it('tells what went while there was no agent, and what got other content', async () => {
    installed = [image('a'), image('b'), image('c', 'sha256:old')];
    await life().execute(never);
    installed = [image('b'), image('c', 'sha256:new')];
    await life().execute(never);
    expect(bench.told).toEqual([
      {
        name: 'agent_installed_images_remove',
        body: {
          scanned_images: {
            a: { canonical: 'a', digest: 'sha256:a' },
            c: { canonical: 'c', digest: 'sha256:old' },
          },
        },
      },
    ]);
  });

  it('keeps telling what went until the store is back', async () => {
    installed = [image('a')];
    const images = life();
    await images.execute(never);
    installed = [];
    bench.isAway = true;
    await images.execute(never);
    expect(bench.told).toEqual([]);
    bench.isAway = false;
    await images.execute(never);
    expect(removed()).toEqual([['a']]);
  });

  it.each(['not JSON', '{"canonical":"a"}', '[1,null,{"canonical":1},{}]'])(
    'takes %s, written by whomever, for nothing',
    async (text) => {
      await bench.state.set('image', 'installed_image:i-test', text);
      installed = [image('a')];
      await life().execute(never);
      expect(bench.told).toEqual([]);
      expect(await stored()).toContain('"canonical":"a"');
    },
  );

  it('does not hold up a heartbeat for an engine that fails or hangs', async () => {
    const images = life();
    installed = new Error('the engine is away');
    await images.execute(never);
    installed = 'hangs';
    let isDone = false;
    void images.execute(never).then(() => (isDone = true));
    await bench.clock.advance(4_000);
    expect(isDone).toBe(true);
    expect(await stored()).toBeUndefined();
    expect(bench.clock.pending).toBe(0);
  });
});

describe('PublishAgentFacts', () => {
  const metadata: SlotMetadata = {
    ...{ slotName: 'ram', description: 'Memory', humanReadableName: 'RAM', displayUnit: 'GiB', displayIcon: 'ram' },
    numberFormat: { binary: true, roundLength: 0 },
  };
  const facts = (): PublishAgentFacts => {
    const { settings, registry, state } = bench;
    return new PublishAgentFacts(settings, registry, [{ metadata } as AcceleratorPlugin], state);
  };

  it('tells how slots are shown, and leaves what others told', async () => {
    await bench.state.setHash('statistics', 'computer.metadata', { 'cuda.device': '{}' });
    await facts().slotMetadata();
    expect(await bench.state.getHash('statistics', 'computer.metadata')).toEqual({
      'cuda.device': '{}',
      ram: '{"slot_name":"ram","description":"Memory","human_readable_name":"RAM","display_unit":"GiB","number_format":{"binary":true,"round_length":0},"display_icon":"ram"}',
    });
  });

  it('counts the containers of its own kernels, and tells also that there are none', async () => {
    const count = () => bench.stored('statistics', 'container_count.i-test');
    await facts().containerCount();
    expect(await count()).toBe('0');
    bench.addKernel(1);
    bench.addKernel(2, { containerId: null, state: 'PREPARING' });
    await facts().containerCount();
    expect(await count()).toBe('1');
    await bench.clock.advance(86_400_000);
    expect(await count()).toBeUndefined();
  });

  it('keeps the index of tasks from going', async () => {
    await bench.state.set('bgtask', 'bgtask:server:i-test', 'x', 100);
    await facts().taskIndex();
    await bench.clock.advance(86_000_000);
    expect(await bench.stored('bgtask', 'bgtask:server:i-test')).toBe('x');
  });
});

describe('PublishAbuseReports', () => {
  let destroyed: string[] = [];
  let removed: string[] = [];
  const publisher = (list: () => readonly AbuseReport[], endsAbusers = false): PublishAbuseReports => {
    [destroyed, removed] = [[], []];
    const { settings, registry, state, logger } = bench;
    const execute = ({ kernelId, reason }: DestroyRequest): Promise<void> => {
      destroyed.push(reason);
      const live = registry.find(kernelId);
      if (reason === 'idle-timeout') return Promise.reject(new Error('the engine is away'));
      if (live) registry.delete(live);
      return Promise.resolve();
    };
    const reports = {
      list: () => Promise.resolve(list()),
      remove: ({ name }: AbuseReport) => Promise.resolve(void removed.push(name)),
    };
    const destroyer = { execute } as unknown as DestroyKernel;
    return new PublishAbuseReports({ ...settings, endsAbusers }, registry, destroyer, reports, state, logger);
  };

  it('destroys them if that is configured, with a reason that Managers know, also while the store is away', async () => {
    const [one, two, three] = [1, 2, 3].map((number) => bench.addKernel(number).kernel.id as string);
    const reportOf = (kernelId: string, reason: string) => ({ name: `report.${reason}.json`, kernelId, reason });
    const list = [reportOf(one!, 'mining'), reportOf(two!, 'user-purged'), reportOf(three!, 'idle-timeout')];
    const reports = publisher(() => list, true);
    bench.isAway = true;
    await expect(reports.execute()).rejects.toMatchObject(AWAY);
    await settle();
    expect(destroyed).toEqual(['anomaly-detected', 'user-purged', 'idle-timeout']);
    expect(removed).toEqual(['report.mining.json', 'report.user-purged.json']);
    bench.isAway = false;
    await reports.execute();
    expect(await bench.state.getHash('statistics', 'abuse_report')).toEqual({ [three!]: 'cleaning' });
    expect(destroyed).toHaveLength(4);
  });

  it('writes and removes what is about its own kernels alone', async () => {
    const [mine, other] = [bench.addKernel(1).kernel.id, bench.addKernel(2).kernel.id];
    const foreign = '11111111-0000-4000-8000-000000000001';
    let listed: string[] = [mine, foreign];
    const reports = publisher(() => listed.map((kernelId) => ({ name: kernelId, kernelId, reason: 'mining' })));
    const hash = () => bench.state.getHash('statistics', 'abuse_report');
    await bench.state.setHash('statistics', 'abuse_report', { theirs: 'detected' });
    await reports.execute();
    expect(await hash()).toEqual({ theirs: 'detected', [mine]: 'detected' });
    listed = [other];
    bench.isAway = true;
    await expect(reports.execute()).rejects.toMatchObject(AWAY);
    bench.isAway = false;
    await reports.execute();
    expect(await hash()).toEqual({ theirs: 'detected', [other]: 'detected' });
  });
});

describe('AnnounceService', () => {
  const id = 'c259eff0-ea81-558c-a5d5-a13c814f4209';
  const put = new Map<string, string>();
  const make = (changes: Partial<AgentSettings['serviceDiscovery']> = {}): AnnounceService => {
    const serviceDiscovery: AgentSettings['serviceDiscovery'] = {
      id,
      type: 'redis',
      group: null,
      instanceId: 'i-test',
      displayName: 'agent-i-test',
      labels: { zone: 'a' },
      endpoints: [],
      ...changes,
    };
    bench = new StateBench({ announcedHttpAddress: '127.0.0.1:16003', serviceDiscovery });
    put.clear();
    const config = {
      put: (path: string, value: string, { scope }: { scope: string }) =>
        Promise.resolve(void put.set(`${scope} ${path}`, value)),
      deletePrefix: () => {
        put.clear();
        return Promise.resolve();
      },
    } as unknown as ConfigSource;
    return new AnnounceService(bench.settings, bench.state, config, bench.events, bench.clock, bench.logger);
  };

  it('keeps a record in Redis as the reference does, and removes it at the end', async () => {
    const service = make();
    await bench.clock.advance(900_052);
    await service.execute(never);
    const key = `service_discovery.agent.${id}`;
    expect(await bench.state.getHash('discovery', key)).toEqual({
      id: `"${id}"`,
      display_name: '"agent-i-test"',
      service_group: '"agent"',
      version: '"26.9.6"',
      endpoint: '{"address":"127.0.0.1:16003","port":16003,"protocol":"http","prometheus_address":"127.0.0.1:16003"}',
      health_status: '{"registration_time":1767225600,"last_heartbeat":1767226500.052}',
      labels: '{}',
    });
    await bench.clock.advance(179_000);
    expect(await bench.state.getHash('discovery', key)).not.toEqual({});
    await service.withdraw(never);
    expect(await bench.state.getHash('discovery', key)).toEqual({});
    expect(bench.told).toEqual([]);
  });

  it('keeps it in etcd if that is configured, name by name', async () => {
    const service = make({ type: 'etcd' });
    await service.execute(never);
    const prefix = `global ai/backend/service_discovery/agent/${id}`;
    expect(Object.fromEntries(put)).toMatchObject({
      [`${prefix}/service_group`]: 'agent',
      [`${prefix}/endpoint/port`]: '16003',
      [`${prefix}/health_status/last_heartbeat`]: '1767225600',
    });
    expect(bench.written).toEqual([]);
    await service.withdraw(never);
    expect(put.size).toBe(0);
  });

  it('enters the service catalogue if a group is configured, also while the store is away', async () => {
    const service = make({ group: 'compute' });
    bench.isAway = true;
    await expect(service.execute(never)).rejects.toMatchObject(AWAY);
    await service.withdraw(never);
    await settle();
    expect(bench.told).toEqual([
      {
        name: 'service_registered',
        body: {
          ...{ instance_id: 'i-test', service_group: 'compute', display_name: 'agent-i-test', version: '26.9.6' },
          ...{ labels: { zone: 'a' }, endpoints: [], startup_time: '2026-01-01T00:00:00.000Z', config_hash: '' },
        },
      },
      { name: 'service_deregistered', body: { instance_id: 'i-test', service_group: 'compute' } },
    ]);
  });
});
