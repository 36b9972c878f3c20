import { readdirSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CgroupUsageSource } from '../../src/adapters/cgroup/cgroup-usage-source.adapter.js';
import { DockerContainerEngine } from '../../src/adapters/docker/docker-container-engine.adapter.js';
import { findDockerEndpoint } from '../../src/adapters/docker/docker-endpoint.js';
import type { ContainerEngine, ContainerSpec } from '../../src/application/ports/container-engine.port.js';
import type { ContainerUsage, UsageReading } from '../../src/application/ports/usage-source.port.js';
import { shellSpec } from '../support/container-specs.js';
import { testImage } from '../support/images.js';

const MiB = 1024 * 1024;

describe('CgroupUsageSource on real containers', () => {
  const call = { signal: new AbortController().signal };
  const source = new CgroupUsageSource();
  const made: string[] = [];
  let engine: ContainerEngine;
  let images: { busybox: string; python: string };

  beforeAll(async () => {
    engine = new DockerContainerEngine({ endpoint: await findDockerEndpoint() });
    images = { busybox: await testImage('busybox'), python: await testImage('python') };
  });
  afterAll(async () => {
    for (const id of made) await engine.removeContainer(id, call);
  });

  const run = async (spec: ContainerSpec): Promise<{ id: string; usage: ContainerUsage }> => {
    const id = await engine.createContainer(spec, call);
    made.push(id);
    await engine.startContainer(id, call);
    const container = await engine.inspectContainer(id, call);
    return { id, usage: source.open(container!) };
  };
  const python = (program: string): ContainerSpec =>
    shellSpec(images.python, '', { entrypoint: ['python3', '-c'], cmd: [program] });
  const readUntil = async (
    usage: ContainerUsage,
    enough: (reading: UsageReading) => boolean,
  ): Promise<UsageReading> => {
    let last: UsageReading | undefined;
    for (const end = Date.now() + 20_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 20))) {
      const reading = usage.read();
      if (!reading) break;
      last = reading;
      if (enough(reading)) return reading;
    }
    throw new Error(`not reached: ${JSON.stringify(last)}`);
  };
  const openFiles = (): string[] =>
    readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`)];
      } catch {
        return [];
      }
    });

  it('tells each process of a container from the others', async () => {
    const program =
      'import subprocess, time; subprocess.Popen(["sleep", "60"]); b = bytearray(32 * 2**20); t = time.process_time()\nwhile time.process_time() - t < 0.3: pass\ntime.sleep(60)';
    const { id, usage } = await run(python(program));
    const isBusyDone = () => usage.processes().some(({ cpuMs }) => cpuMs >= 200);
    for (let turn = 0; turn < 300 && !isBusyDone(); turn++) await new Promise((resolve) => setTimeout(resolve, 50));
    const processes = [...usage.processes()].sort((a, b) => b.rssBytes - a.rssBytes);
    const main = (await engine.inspectContainer(id, call))?.pid;
    expect(processes).toHaveLength(2);
    expect(processes[0]).toMatchObject({ pid: main });
    expect(processes[0]!.rssBytes).toBeGreaterThan(32 * MiB);
    expect(processes[0]!.cpuMs).toBeGreaterThanOrEqual(200);
    expect(processes[1]!.cpuMs).toBeLessThan(200);
    expect(processes[1]!.startTicks).toBeGreaterThanOrEqual(processes[0]!.startTicks);
    await engine.removeContainer(id, call);
    expect(usage.processes()).toEqual([]);
  });

  it('sees CPU time, memory, processes, network and disk of a busy container', async () => {
    const { id, usage } = await run(
      python(`
import os, socket, threading, time
block = bytearray(80 * 1024 * 1024)
for i in range(0, len(block), 4096): block[i] = 1
fd = os.open('/data', os.O_WRONLY | os.O_CREAT)
os.write(fd, os.urandom(8 * 1024 * 1024)); os.fsync(fd)
gateway = [l.split()[2] for l in open('/proc/net/route') if l.split()[1] == '00000000'][0]
address = '.'.join(str(int(gateway[i:i+2], 16)) for i in (6, 4, 2, 0))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(300):
    try: s.sendto(b'x' * 1000, (address, 9))
    except OSError: pass
end = time.time() + 60
while time.time() < end: pass
`),
    );
    const busy = await readUntil(
      usage,
      (now) => now.cpuMs > 500 && now.memBytes > 80 * MiB && now.ioWriteBytes >= 8 * MiB && now.netTxBytes > 300_000,
    );
    expect(busy.memBytes).toBeLessThan(160 * MiB);
    expect(busy.memPeakBytes).toBeGreaterThanOrEqual(busy.memBytes);
    expect(busy.ioWriteBytes).toBeLessThan(64 * MiB);
    expect(busy.pids).toBeGreaterThanOrEqual(1);
    expect(busy.oomKills).toBe(0);

    const before = usage.read()!;
    await new Promise((resolve) => setTimeout(resolve, 500));
    const after = usage.read()!;
    const cores = (after.cpuMs - before.cpuMs) / (after.atMs - before.atMs);
    expect(cores).toBeGreaterThan(0.1);
    expect(cores).toBeLessThan(1.3);

    await engine.removeContainer(id, call);
    expect(usage.read()).toBeUndefined();
    expect(openFiles().filter((path) => path.includes(id) || path.endsWith('/net/dev (deleted)'))).toEqual([]);
  });

  it('sees the disk of a process that begins while somebody reads all the time', async () => {
    const { id, usage } = await run(
      python(`
import subprocess, sys, time
time.sleep(0.5)
child = "import os, time; f = os.open('/data', os.O_WRONLY | os.O_CREAT); os.write(f, bytes(8 << 20)); os.fsync(f); time.sleep(60)"
subprocess.run([sys.executable, "-c", child])
`),
    );
    await readUntil(usage, (now) => now.ioWriteBytes >= 8 * MiB);
    await engine.removeContainer(id, call);
  });

  it('counts OOM kills and tells limits', async () => {
    const limits = {
      cpusetCpus: '',
      cpuQuotaCores: 0,
      memoryBytes: 32 * MiB,
      memorySwapBytes: 32 * MiB,
      pids: 64,
      shmBytes: 0,
    };
    const script = 'while :; do tail /dev/zero; sleep 0.2; done';
    const { id, usage } = await run(shellSpec(images.busybox, script, { limits }));
    const reading = await readUntil(usage, (now) => now.oomKills > 0);
    expect(reading.memLimitBytes).toBe(32 * MiB);
    expect(reading.memPeakBytes).toBeGreaterThan(24 * MiB);
    await engine.removeContainer(id, call);
  });

  it('reads a hundred times within the budget', async () => {
    const { id, usage } = await run(shellSpec(images.busybox, 'sleep 60'));
    for (let i = 0; i < 200; i += 1) usage.read();
    const start = process.cpuUsage();
    for (let i = 0; i < 1000; i += 1) usage.read();
    const { user, system } = process.cpuUsage(start);
    // The promise is 50 µs; the bound leaves room for a machine that is shared.
    expect((user + system) / 1000).toBeLessThan(150);
    await engine.removeContainer(id, call);
  });

  it('reads this node', () => {
    const node = source.readNode();
    expect(node.cpuBusyMs.length).toBeGreaterThan(0);
    expect(node.cpuBusyMs.every((ms) => ms > 0)).toBe(true);
    expect(node.memUsedBytes).toBeGreaterThan(0);
    expect(node.memUsedBytes).toBeLessThan(node.memTotalBytes);
    expect(node.diskUsedBytes).toBeGreaterThan(0);
    expect(node.diskUsedBytes).toBeLessThan(node.diskTotalBytes);
  });

  it('refuses a container that is not there', () => {
    expect(() => source.open({ id: '0'.repeat(64), pid: 4_000_000, cgroupParent: '' })).toThrow(/not found/);
  });
});
