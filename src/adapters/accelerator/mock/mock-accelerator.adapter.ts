import type { z } from 'zod';
import type {
  AcceleratorPlugin,
  AttachedDevice,
  ContainerContribution,
  DeviceReading,
  HardwareReport,
  SlotMetadata,
} from '../../../application/ports/accelerator-plugin.port.js';
import { configurationInvalid } from '../../../domain/error/errors.js';
import { Amount } from '../../../domain/resource/amount.js';
import type { ComputeDevice, DeviceAllocation, DeviceSharing, SlotType } from '../../../domain/resource/device.js';
import { mockAcceleratorConfig, type MockAcceleratorConfig } from './mock-accelerator-config.js';

type Config = z.output<typeof mockAcceleratorConfig>;

/** Shares of a device are rounded down to this (lifecycle.md §6.8). */
const SHARE_DIGITS = Amount.parse('0.01');
const LEAST_PROCESSING_UNITS = 4;
const RESERVED_MEMORY_BYTES = 64 * 1024 * 1024;

/**
 * An accelerator without hardware that is found, shared and handed to containers like a real one (lifecycle.md §6.8): whole
 * devices as `cuda.device` has them, or fractions as `cuda.shares` has them. For tests, demonstrations and schedulers.
 */
export class MockAccelerator implements AcceleratorPlugin {
  readonly key: string;
  readonly slotTypes: Readonly<Record<string, SlotType>>;
  readonly sharing: DeviceSharing;
  readonly exclusiveSlots: readonly string[];
  readonly metadata: SlotMetadata;
  readonly #config: Config;
  readonly #slotName: string;

  /** Throws ConfigurationError naming what is wrong in `config`. */
  constructor(config: MockAcceleratorConfig) {
    const parsed = mockAcceleratorConfig.safeParse(config);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      const field = ['mock', ...(issue?.path.map(String) ?? [])].join('.');
      throw configurationInvalid(`${field}: ${issue?.message ?? 'invalid'}`, { field });
    }
    const { key, mode, strategy, quantum } = (this.#config = parsed.data);
    this.key = key;
    this.#slotName = `${key}.${mode}`;
    this.slotTypes = { [this.#slotName]: 'count' };
    this.exclusiveSlots = [`${key}.*`];
    this.metadata = {
      slotName: this.#slotName,
      description: `Pretended ${key} device`,
      humanReadableName: mode === 'device' ? 'GPU' : 'fGPU',
      displayUnit: mode === 'device' ? 'GPU' : 'fGPU',
      numberFormat: { binary: false, roundLength: mode === 'device' ? 0 : 2 },
      displayIcon: 'gpu1',
    };
    this.sharing =
      mode === 'device' ? { kind: 'discrete', strategy } : { kind: 'fraction', strategy, quantum, minimum: '0.01' };
  }

  discover(): Promise<readonly ComputeDevice[]> {
    const devices = this.#config.devices.map(({ id, model, memoryBytes, processingUnits, numaNode }, index) => ({
      deviceId: id,
      deviceName: this.key,
      slotName: this.#slotName,
      amount: this.#capacity(memoryBytes, processingUnits),
      numaNode,
      modelName: model,
      hwLocation: `mock:${index}`,
      memoryBytes,
      processingUnits,
    }));
    return Promise.resolve(devices);
  }

  contribute(allocation: DeviceAllocation): ContainerContribution {
    const ids = this.#ids(allocation);
    return ids.length === 0 ? {} : { env: { [`${this.#prefix}_VISIBLE_DEVICES`]: ids.join(',') } };
  }

  resourceLines(allocation: DeviceAllocation): Readonly<Record<string, string>> {
    const ids = this.#ids(allocation);
    if (ids.length === 0) return {};
    const prefix = this.#prefix;
    const list = (values: readonly (string | number)[]): string =>
      values.map((value, i) => `${ids[i] ?? ''}:${value}`).join(',');
    const common = { [`${prefix}_GLOBAL_DEVICE_IDS`]: ids.map((id, local) => `${local}:${id}`).join(',') };
    if (this.#config.mode === 'device') return { ...common, [`${prefix}_RESOURCE_VIRTUALIZED`]: '0' };
    const limits = this.#limits(allocation);
    return {
      ...common,
      [`${prefix}_RESOURCE_VIRTUALIZED`]: '1',
      [`${prefix}_MEMORY_LIMITS`]: list(limits.map(({ memoryBytes }) => memoryBytes)),
      [`${prefix}_PROCESSOR_LIMITS`]: list(limits.map(({ processingUnits }) => processingUnits)),
      [`${prefix}_RESERVED_MEMORY`]: String(RESERVED_MEMORY_BYTES),
    };
  }

  attached(allocation: DeviceAllocation): readonly AttachedDevice[] {
    return this.#limits(allocation).map(({ id, memoryBytes, processingUnits }) => ({
      deviceId: id,
      modelName: this.#device(id)?.model ?? null,
      memoryBytes,
      processingUnits,
    }));
  }

  /** Nothing runs on a mock: idle devices of full size. */
  measure(): Promise<readonly DeviceReading[]> {
    const readings = this.#config.devices.map(({ id, memoryBytes }) => ({
      deviceId: id,
      metrics: {
        [`${this.key}_mem`]: { current: 0, capacity: memoryBytes },
        [`${this.key}_util`]: { current: 0, capacity: 100 },
      },
    }));
    return Promise.resolve(readings);
  }

  hardware(): Promise<HardwareReport> {
    const { devices, mode } = this.#config;
    const models = [...new Set(devices.map(({ model }) => model))].join(', ');
    const metadata = { mode, devices: String(devices.length), models, driver: 'mock' };
    return Promise.resolve({ status: 'healthy', statusInfo: null, metadata });
  }

  describe(): Readonly<Record<string, string>> {
    return { version: '1', mode: this.#config.mode };
  }

  get #prefix(): string {
    return this.key.toUpperCase().replaceAll('-', '_');
  }

  #device(id: string): Config['devices'][number] | undefined {
    return this.#config.devices.find((device) => device.id === id);
  }

  /** Ascending by number, as programs in the container count them. */
  #ids(allocation: DeviceAllocation): string[] {
    return Object.keys(allocation[this.#slotName] ?? {}).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  }

  #capacity(memoryBytes: number, processingUnits: number): string {
    if (this.#config.mode === 'device') return '1';
    const hundredths = Math.min(
      Math.floor((memoryBytes * 100) / this.#config.unitMemoryBytes),
      Math.floor((processingUnits * 100) / this.#config.unitProcessingUnits),
    );
    return Amount.of(hundredths).times(SHARE_DIGITS).toString();
  }

  /** What of each device a kernel may use: all of it, or memory and processing units of its share. */
  #limits(allocation: DeviceAllocation): { id: string; memoryBytes: number; processingUnits: number }[] {
    const { mode, unitMemoryBytes, unitProcessingUnits } = this.#config;
    return this.#ids(allocation).map((id) => {
      if (mode === 'device') {
        const device = this.#device(id);
        return { id, memoryBytes: device?.memoryBytes ?? 0, processingUnits: device?.processingUnits ?? 0 };
      }
      const share = Number(allocation[this.#slotName]?.[id] ?? '0');
      return {
        id,
        memoryBytes: Math.floor(unitMemoryBytes * share),
        processingUnits: Math.max(Math.floor(unitProcessingUnits * share), LEAST_PROCESSING_UNITS),
      };
    });
  }
}
