import { curveKeyPair } from 'zeromq';
import { describe, expect, it, vi } from 'vitest';
import { AgentHome } from '../support/agent-home.js';
import { callosum, callosumMissing } from '../support/callosum-python.js';
import { type CurvePair, keyFiles, writeKeys } from '../support/curve-files.js';
import { testImage } from '../support/images.js';
import { ManagerReader } from '../support/manager-reader.js';
import { startRedisHost } from '../support/redis-host.js';
import { SlowNetwork, slowNetworkMissing } from '../support/slow-network.js';

const KERNEL = '11111111-2222-3333-4444-555555555555';
/** 200 ms there and back, and a packet in twenty lost in either direction. */
const SLOWNESS = { delayMs: 100, lossPercent: 5, seed: 1 };
const TOLD_MS = 10_000;

const missing = (await slowNetworkMissing()) ?? (await callosumMissing());
if (missing !== undefined) process.stderr.write(`\nSKIPPED the agent on a slow network: ${missing}\n\n`);

interface Seen {
  readonly pings: readonly number[];
  readonly took_ms: readonly number[];
  readonly created: number;
  readonly stdout: string;
  readonly back: boolean;
  readonly destroyed: null;
}

describe.skipIf(missing !== undefined)('a Manager and its Redis 200 ms away, every twentieth packet lost', () => {
  it('make, use and end a kernel, and hear of it once and in order', { timeout: 240_000 }, async () => {
    const image = await testImage('python');
    await using redis = await startRedisHost({ isolated: true });
    await using manager = new ManagerReader(redis, { batch: 64, pauseMs: 5 }, redis.socket);
    await using network = await SlowNetwork.to(await redis.pid(), SLOWNESS);
    await using home = await AgentHome.make({
      ...{ rpcHost: network.here, agent: keyFiles },
      sections: `[redis]\naddr = "${network.there}:${redis.port}"\n`,
    });
    const { agent, manager: keys } = await writeKeys(home.folder);
    await using daemon = await home.startDaemon();
    const endpoint = `tcp://${network.here}:${home.rpcPort}`;
    const far = (scenario: string, pair?: CurvePair): Promise<unknown> =>
      callosum(
        scenario,
        endpoint,
        {
          ...{ agent: home.agentId, image, handshake_timeout: 5 },
          ...(pair && { keys: { public: pair.publicKey, secret: pair.secretKey, server: agent.publicKey } }),
        },
        network.inside,
      );

    const seen = (await far('far', keys)) as Seen;
    const took = (share: number) => seen.took_ms[Math.floor(seen.took_ms.length * share)];
    process.stdout.write(`slow network: ${seen.pings.length} pings p50 ${took(0.5)} p99 ${took(0.99)} ms\n`);
    expect(seen.pings).toEqual(Array.from({ length: 300 }, (_, index) => index));
    // It is slow indeed.
    expect(seen.took_ms[0]).toBeGreaterThanOrEqual(200);
    expect(seen).toMatchObject({ created: 1, back: true, destroyed: null });
    expect(seen.stdout).toBe(`131072\n${'x'.repeat(100_000)}\n`);

    const told = () =>
      manager.read.flatMap(({ fields }) => (fields['payload']?.includes(KERNEL) === true ? [fields['name']] : []));
    const story = ['kernel_preparing', 'kernel_creating', 'kernel_started', 'kernel_terminated'];
    await vi.waitFor(() => expect(told()).toContain('kernel_terminated'), { timeout: TOLD_MS, interval: 50 });
    expect(told().filter((name) => story.includes(name ?? ''))).toEqual(story);
    expect(manager.payloads('agent_heartbeat').length).toBeGreaterThan(0);
    expect(await home.containers()).toEqual([]);
    expect(daemon.log.filter(({ level }) => level === 'error')).toEqual([]);

    expect(await far('connect', curveKeyPair())).toMatchObject({ connected: false });
    expect(await far('connect')).toMatchObject({ connected: false });
    expect(await far('connect', keys)).toMatchObject({ connected: true });
  });
});

describe.skipIf(missing !== undefined)('RPC without keys', () => {
  it('is not reached from another machine unless the address was configured, and then there is a warning', async () => {
    await using redis = await startRedisHost({ isolated: true });
    await using network = await SlowNetwork.to(await redis.pid(), { delayMs: 0, lossPercent: 0, seed: 1 });
    const reach = (port: number) =>
      callosum('connect', `tcp://${network.here}:${port}`, { handshake_timeout: 2 }, network.inside);
    await using open = await AgentHome.make({ rpcHost: network.here });
    await using warned = await open.startDaemon();
    expect(await reach(open.rpcPort)).toMatchObject({ connected: true });
    const warnings = warned.log.filter(({ level }) => level === 'warn').map(({ message }) => message);
    expect(warnings.join('\n')).toContain('without CURVE keys everyone who reaches this address controls the agent');
    await using closed = await AgentHome.make({ rpcHost: null });
    await using silent = await closed.startDaemon();
    expect(await reach(closed.rpcPort)).toMatchObject({ connected: false });
    expect(silent.log.filter(({ message }) => message.includes('CURVE'))).toEqual([]);
  });
});
