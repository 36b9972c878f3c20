import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SlotType } from './device.js';
import { containerIdLine, readResourceTxt, type ResourceTxt, writeResourceTxt } from './resource-txt.js';

const SLOT_TYPES: Record<string, SlotType> = {
  cpu: 'count',
  mem: 'bytes',
  'cuda.device': 'count',
  'cuda.shares': 'count',
};

/** The text that the release writes for 1 cuda device, 2 cores and 4 GiB. */
const EXECUTED =
  'SCRATCH_SIZE=0m\nMOUNTS=/s/k/config:/home/config:ro\nSLOTS={"cpu":"2","mem":"4294967296","cuda.device":"1"}\n' +
  'UNIFIED_DEVICES=[]\nCUDA.DEVICE_SHARES=0:1\nCPU_SHARES=0:1,1:1\nMEM_SHARES=root:4g\n';

const content: ResourceTxt = {
  mounts: [{ source: '/s/k/config', target: '/home/config', permission: 'ro' }],
  slots: { cpu: '2', mem: '4294967296', 'cuda.device': '1' },
  unifiedDevices: [],
  allocation: {
    cuda: { 'cuda.device': { 0: '1' } },
    cpu: { cpu: { 0: '1', 1: '1' } },
    mem: { mem: { root: '4294967296' } },
  },
  deviceLines: {},
};

describe('resource.txt', () => {
  it('is written byte for byte as by the release', () => {
    expect(writeResourceTxt(content, SLOT_TYPES)).toBe(EXECUTED);
  });

  it('is read back', () => {
    expect(readResourceTxt(EXECUTED, SLOT_TYPES)).toEqual(content);
  });

  it('keeps the lines of plug-ins, and the last container id', () => {
    const lines = { CUDA_GLOBAL_DEVICE_IDS: '0:3', ROCm_GLOBAL_DEVICE_IDS: '0:1' };
    const text = `${writeResourceTxt({ ...content, deviceLines: lines }, SLOT_TYPES)}${containerIdLine('aa')}\n${containerIdLine('bb')}\n`;
    expect(readResourceTxt(text, SLOT_TYPES)).toEqual({ ...content, deviceLines: lines, containerId: 'bb' });
  });

  it('reads volumes, and unit ids with slashes', () => {
    const text = EXECUTED.replace('MOUNTS=', 'MOUNTS=krunner.v3:/opt/backend.ai:ro,').replace(
      '=0:1\nCPU',
      '=MIG-a/1/0:1\nCPU',
    );
    const read = readResourceTxt(text, SLOT_TYPES);
    expect(read.mounts[0]).toEqual({ source: 'krunner.v3', target: '/opt/backend.ai', permission: 'ro' });
    expect(read.allocation['cuda']).toEqual({ 'cuda.device': { 'MIG-a/1/0': '1' } });
  });

  it.each([
    ['a mount of two parts', EXECUTED.replace(':ro', '')],
    ['a relative source', EXECUTED.replace('=/s/', '=s/')],
    ['a relative target', EXECUTED.replace(':/home', ':home')],
    ['no slots', EXECUTED.replace('SLOTS=', 'SLITS=')],
    ['no scratch size', EXECUTED.replace('SCRATCH_SIZE', 'SIZE')],
    ['slots that are a list', EXECUTED.replace(/SLOTS=.*/, 'SLOTS=[]')],
    ['a share without unit', EXECUTED.replace('root:4g', '4g')],
    ['a share without amount', EXECUTED.replace('root:4g', 'root:much')],
    ['unified devices that are none', EXECUTED.replace('DEVICES=[]', 'DEVICES=[1]')],
    ['too much', 'x'.repeat(2_000_000)],
  ])('refuses %s', (_, text) => {
    expect(() => readResourceTxt(text, SLOT_TYPES)).toThrow(expect.objectContaining({ field: 'resource.txt' }));
  });

  it.each(['/a:b', '/a,b', '/a\nb'])('refuses to write the path %j, which would not read back', (source) => {
    const mounts = [{ source, target: '/data', permission: 'rw' as const }];
    expect(() => writeResourceTxt({ ...content, mounts }, SLOT_TYPES)).toThrow(
      expect.objectContaining({ name: 'InvalidArgumentError' }),
    );
  });

  it('round-trips', () => {
    const id = fc.stringMatching(/^[a-zA-Z0-9/-]{1,12}$/);
    const path = fc.stringMatching(/^(\/[a-zA-Z0-9 ._-]{1,8}){1,4}$/);
    const decimal = fc.integer({ min: 1, max: 10_000 }).map((n) => String(n / 100));
    const shares = fc.dictionary(id, decimal, { minKeys: 1, maxKeys: 4, noNullPrototype: true });
    const anything = fc.record({
      mounts: fc.array(fc.record({ source: path, target: path, permission: fc.constantFrom('ro', 'rw', 'wd') }), {
        maxLength: 4,
      }),
      cpu: shares,
      cuda: shares,
      memory: fc.bigInt({ min: 1n, max: 1n << 50n }),
      cid: fc.option(fc.stringMatching(/^[0-9a-f]{64}$/), { nil: undefined }),
    });
    fc.assert(
      fc.property(anything, ({ mounts, cpu, cuda, memory, cid }) => {
        const written: ResourceTxt = {
          mounts,
          slots: { cpu: '2', mem: memory.toString(), 'cuda.shares': '0.5' },
          unifiedDevices: [['hook', 'hook.always']],
          allocation: { cuda: { 'cuda.shares': cuda }, cpu: { cpu }, mem: { mem: { root: memory.toString() } } },
          deviceLines: { CUDA_RESOURCE_VIRTUALIZED: '1' },
          ...(cid === undefined ? {} : { containerId: cid }),
        };
        expect(readResourceTxt(writeResourceTxt(written, SLOT_TYPES), SLOT_TYPES)).toEqual(written);
      }),
    );
  });
});
