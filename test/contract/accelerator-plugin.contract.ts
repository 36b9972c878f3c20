import { describe, expect, it } from 'vitest';
import type { AcceleratorPlugin } from '../../src/application/ports/accelerator-plugin.port.js';
import { parseKernelId } from '../../src/domain/kernel/kernel-id.js';
import { ResourceBook } from '../../src/domain/resource/allocator.js';
import { Amount } from '../../src/domain/resource/amount.js';
import type { Allocation, ComputeDevice, DeviceAllocation } from '../../src/domain/resource/device.js';
import { readResourceTxt, writeResourceTxt } from '../../src/domain/resource/resource-txt.js';

const KERNEL = parseKernelId('11111111-2222-3333-4444-555555555555');
const call = () => ({ signal: AbortSignal.timeout(5000) });

/** What every AcceleratorPlugin promises; `make` gives one that finds at least one device. */
export function acceleratorPluginContract(
  name: string,
  make: () => AcceleratorPlugin | Promise<AcceleratorPlugin>,
): void {
  describe(`AcceleratorPlugin: ${name}`, () => {
    it('finds devices that fit its slots', async () => {
      const plugin = await make();
      const devices = await plugin.discover(call());
      expect(devices.length).toBeGreaterThan(0);
      expect(new Set(devices.map(({ deviceId }) => deviceId)).size).toBe(devices.length);
      for (const device of devices) {
        expect(device.deviceName).toBe(plugin.key);
        expect(Object.keys(plugin.slotTypes)).toContain(device.slotName);
        expect(Amount.parse(device.amount).isPositive).toBe(true);
        expect(device.deviceId).toMatch(/^[^:,\s]+$/);
      }
    });

    it('finds the same again', async () => {
      const plugin = await make();
      expect(await plugin.discover(call())).toEqual(await plugin.discover(call()));
    });

    it('names its slots after its key', async () => {
      const { key, slotTypes } = await make();
      for (const slot of Object.keys(slotTypes)) expect(slot === key || slot.startsWith(`${key}.`)).toBe(true);
    });

    it('adds nothing for a kernel that has none of it', async () => {
      const plugin = await make();
      expect(plugin.contribute({})).toEqual({});
      expect(plugin.resourceLines({})).toEqual({});
      expect(plugin.attached({})).toEqual([]);
    });

    it('describes what was allocated to container, resource.txt and Manager', async () => {
      const plugin = await make();
      const devices = await plugin.discover(call());
      const { allocation, whole } = allocateAll(plugin, devices);
      const ids = devices.map(({ deviceId }) => deviceId).sort();
      expect(
        plugin
          .attached(allocation)
          .map(({ deviceId }) => deviceId)
          .sort(),
      ).toEqual(ids);
      expect(plugin.contribute(allocation)).not.toEqual({});
      const txt = {
        mounts: [],
        slots: {},
        unifiedDevices: [],
        allocation: whole,
        deviceLines: plugin.resourceLines(allocation),
      };
      const read = readResourceTxt(writeResourceTxt(txt, plugin.slotTypes), plugin.slotTypes);
      expect(read.deviceLines).toEqual(plugin.resourceLines(allocation));
      expect(Object.keys(read.allocation)).toEqual([plugin.key]);
    });

    it('measures its devices as far as it has anything to say of them, and never throws', async () => {
      const plugin = await make();
      const ids = (await plugin.discover(call())).map(({ deviceId }) => deviceId);
      const readings = await plugin.measure(call());
      expect(ids).toEqual(expect.arrayContaining(readings.map(({ deviceId }) => deviceId)));
      for (const { metrics } of readings) {
        for (const { current } of Object.values(metrics)) expect(current).toBeGreaterThanOrEqual(0);
      }
      expect(await plugin.measure({ signal: AbortSignal.abort() })).toBeInstanceOf(Array);
    });

    it('tells its version', async () => {
      expect((await make()).describe()).toHaveProperty('version');
    });
  });
}

function allocateAll(
  plugin: AcceleratorPlugin,
  devices: readonly ComputeDevice[],
): { readonly allocation: DeviceAllocation; readonly whole: Allocation } {
  const book = new ResourceBook({
    supplies: [{ deviceName: plugin.key, slotTypes: plugin.slotTypes, sharing: plugin.sharing, devices }],
    reserved: {},
    memoryAlignBytes: 0,
    allocationOrder: [],
    affinityPolicy: 'INTERLEAVED',
  });
  const whole = book.allocate(KERNEL, book.totals());
  expect(book.available()).toEqual(Object.fromEntries(Object.keys(book.totals()).map((slot) => [slot, '0'])));
  return { allocation: whole[plugin.key] ?? {}, whole };
}
