import { EmbeddedStateStore } from '../../src/adapters/embedded/embedded-state-store.adapter.js';
import type { AgentSettings } from '../../src/application/agent-settings.js';
import { KernelRegistry } from '../../src/application/kernel/kernel-registry.js';
import { LiveKernel } from '../../src/application/kernel/live-kernel.js';
import type { StateRole, StateStore } from '../../src/application/ports/state-store.port.js';
import type { Labels, Telemetry } from '../../src/application/ports/telemetry.port.js';
import type { ProcessReading, UsageReading } from '../../src/application/ports/usage-source.port.js';
import { stateStoreFailure } from '../../src/domain/error/errors.js';
import type { AgentEvent } from '../../src/domain/event/agent-event.js';
import { Kernel } from '../../src/domain/kernel/kernel.js';
import { parseKernelId } from '../../src/domain/kernel/kernel-id.js';
import type { KernelRecord } from '../../src/domain/kernel/kernel-record.js';
import { kernelRecord } from './kernel-records.js';
import { ManualClock } from './manual-clock.js';
import { MemoryLogger } from './memory-logger.js';

const READING: UsageReading = {
  ...{ atMs: 0, cpuMs: 0, memBytes: 0, memPeakBytes: 0, memLimitBytes: 0, oomKills: 0 },
  ...{ netRxBytes: 0, netTxBytes: 0, ioReadBytes: 0, ioWriteBytes: 0, pids: 1 },
};

/** A kernel whose counters say what a test wants. */
export class MeasuredKernel extends LiveKernel {
  reading: Partial<UsageReading> | undefined = {};
  processReadings: readonly ProcessReading[] = [];

  constructor(kernel: Kernel, clock: ManualClock) {
    super(kernel);
    this.usage = {
      read: () => this.reading && { ...READING, atMs: clock.monotonic(), ...this.reading },
      processes: () => this.processReadings,
      [Symbol.dispose]: () => void (this.reading = undefined),
    };
  }
}

/** What use cases about others' view of this agent need, made of memory; others read `state`. */
export class StateBench {
  readonly clock = new ManualClock();
  readonly logger = new MemoryLogger();
  readonly registry = new KernelRegistry();
  readonly told: AgentEvent[] = [];
  readonly events = {
    announce: (event: AgentEvent) => Promise.resolve(void this.told.push(event)),
    subscribe: () => ({ [Symbol.dispose]: () => undefined }),
  };
  /** Series → value. */
  readonly gauges = new Map<string, number>();
  readonly counts: string[] = [];
  readonly settings: AgentSettings;
  /** Times of writing, by kind: each key of `setMany` and `setHash`. */
  readonly written: string[] = [];
  /** True: the server of the state store is away. */
  isAway = false;
  readonly state: StateStore;
  readonly telemetry: Telemetry = {
    count: (name, labels) => void this.counts.push(`${name} ${text(labels)}`),
    observe: () => undefined,
    gauge: (name, value, labels) => void this.gauges.set(`${name} ${text(labels)}`, value),
    remove: (labels, names) => {
      for (const series of this.gauges.keys()) {
        const isMeant = names === undefined || names.some((name) => series.startsWith(`${name} `));
        const values = Object.entries(labels).map(([label, value]) => `${label}=${value}`);
        if (isMeant && values.every((value) => series.includes(value))) this.gauges.delete(series);
      }
    },
  };

  constructor(changes: Partial<AgentSettings> = {}) {
    const scope = { enabled: true, intervalMs: 30_000 };
    const common = {
      agentId: 'i-test',
      version: '26.9.6',
      statistics: { node: scope, container: scope, process: scope },
    };
    this.settings = { ...common, ...changes } as AgentSettings;
    this.state = this.#breakable(Object.assign(new EmbeddedStateStore(this.clock), { isShared: true }));
  }

  addKernel(number: number, changes: Partial<KernelRecord> = {}): MeasuredKernel {
    const record = kernelRecord({ containerId: `c${number}`, ...changes });
    const kernelId = parseKernelId(`7f3d2c1b-0000-4000-8000-${String(number).padStart(12, '0')}`);
    const live = new MeasuredKernel(Kernel.fromRecord({ ...record, spec: { ...record.spec, kernelId } }), this.clock);
    this.registry.add(live);
    return live;
  }

  async stored(role: StateRole, key: string): Promise<string | undefined> {
    const bytes = await this.state.get(role, key);
    return bytes && new TextDecoder().decode(bytes);
  }

  #breakable(store: StateStore): StateStore {
    return new Proxy(store, {
      get: (target, property: keyof StateStore) => {
        const member: unknown = target[property];
        if (typeof member !== 'function') return member;
        return (...args: unknown[]): unknown => {
          if (this.isAway) return Promise.reject(stateStoreFailure('the server is away'));
          const [, key] = args as [StateRole, unknown];
          if (typeof key === 'string' && property !== 'get' && property !== 'getHash') this.written.push(key);
          return Reflect.apply(member, target, args) as unknown;
        };
      },
    });
  }
}

function text(labels: Labels = {}): string {
  return Object.entries(labels)
    .map(([label, value]) => `${label}=${value}`)
    .join(' ');
}
