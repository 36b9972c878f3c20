import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { NodeReading } from '../../application/ports/usage-source.port.js';
import { interfaceBytes, singleValue } from './kernel-text.js';
import { KeptFile, readOnce } from './kept-file.js';
import { type DiskMount, diskMounts, type MeasureDisk } from './node-disks.js';

/** The kernel counts CPU time in hundredths of a second for user space, on every architecture. */
const MS_PER_TICK = 10;
/** Disks and network cards come and go rarely. */
const INVENTORY_MS = 60_000;
const virtualInterface = /^(lo|veth|docker|br-|virbr|cni|flannel|nerdctl)/;

export interface NodeRoots {
  readonly procRoot: string;
  readonly sysRoot: string;
  readonly measureDisk: MeasureDisk;
}

/** Counters of the whole machine. */
export class NodeUsage {
  readonly #roots: NodeRoots;
  readonly #stat: KeptFile | undefined;
  readonly #memory: KeptFile | undefined;
  readonly #network: KeptFile | undefined;
  #disks: readonly DiskMount[] = [];
  #interfaces: ReadonlySet<string> = new Set();
  #inventoryAtMs = Number.NEGATIVE_INFINITY;

  constructor(roots: NodeRoots) {
    this.#roots = roots;
    this.#stat = KeptFile.open(join(roots.procRoot, 'stat'));
    this.#memory = KeptFile.open(join(roots.procRoot, 'meminfo'));
    this.#network = KeptFile.open(join(roots.procRoot, 'net/dev'));
  }

  read(): NodeReading {
    const atMs = performance.now();
    if (atMs - this.#inventoryAtMs >= INVENTORY_MS) this.#takeInventory(atMs);
    const memory = this.#memory?.read();
    const memTotalBytes = kibibytes(memory, 'MemTotal:');
    const network = this.#networkBytes();
    const disks = this.#disks.flatMap(({ device, path }) => {
      const size = this.#roots.measureDisk(path);
      return size ? [{ device, ...size }] : [];
    });
    return {
      atMs,
      cpuBusyMs: busyPerCore(this.#stat?.read() ?? ''),
      memTotalBytes,
      memUsedBytes: Math.max(0, memTotalBytes - kibibytes(memory, 'MemAvailable:')),
      netRxBytes: network.rx,
      netTxBytes: network.tx,
      diskTotalBytes: disks.reduce((sum, disk) => sum + disk.totalBytes, 0),
      diskUsedBytes: disks.reduce((sum, disk) => sum + disk.usedBytes, 0),
      disks,
    };
  }

  #networkBytes(): { rx: number; tx: number } {
    let [rx, tx] = [0, 0];
    for (const each of interfaceBytes(this.#network?.read() ?? '')) {
      if (!this.#interfaces.has(each.name)) continue;
      rx += each.rx;
      tx += each.tx;
    }
    return { rx, tx };
  }

  #takeInventory(atMs: number): void {
    this.#inventoryAtMs = atMs;
    const { procRoot, sysRoot } = this.#roots;
    this.#disks = diskMounts(
      readOnce(join(procRoot, 'self/mounts')) ?? '',
      readOnce(join(procRoot, 'filesystems')) ?? '',
    );
    this.#interfaces = physicalInterfaces(sysRoot);
  }
}

/** Cards with hardware behind them; in a virtual machine without such, everything that is not plainly made up. */
function physicalInterfaces(sysRoot: string): ReadonlySet<string> {
  const folder = join(sysRoot, 'class/net');
  const all = existsSync(folder) ? readdirSync(folder) : [];
  const physical = all.filter((name) => existsSync(join(folder, name, 'device')));
  return new Set(physical.length > 0 ? physical : all.filter((name) => !virtualInterface.test(name)));
}

/** `cpu0 user nice system idle iowait irq softirq steal …`: all but idle and iowait; guests are part of user. */
function busyPerCore(text: string): number[] {
  const busy: number[] = [];
  // After the line of all cores together; what follows the cores is long and not needed.
  for (let start = text.indexOf('\ncpu'); start >= 0; start = text.indexOf('\ncpu', start + 1)) {
    const line = text.slice(start + 1, text.indexOf('\n', start + 1));
    const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(/\s+/).map(Number);
    busy.push((user + nice + system + irq + softirq + steal) * MS_PER_TICK);
  }
  return busy;
}

/** `key:   number kB` */
function kibibytes(text: string | undefined, key: string): number {
  const start = text?.indexOf(key) ?? -1;
  return start < 0 ? 0 : (singleValue(text?.slice(start + key.length, start + key.length + 32)) ?? 0) * 1024;
}
