import { readFileSync } from 'node:fs';
import { decode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MetricGroup } from './metric.js';
import { containerMetric, nodeMetric } from './metric-kinds.js';
import { metricText, percentText } from './metric-text.js';
import { MovingStatistics } from './moving-statistics.js';
import { packDocument, type Packable } from './msgpack.js';

interface Vectors {
  readonly vectors: readonly {
    readonly key: string;
    readonly msgpack_hex?: string;
    readonly cases?: readonly { current: string; capacity: string | null; result: Record<string, string | null> }[];
  }[];
}

/** Made by the statistics engine of the reference (26.9.6). */
const { vectors } = JSON.parse(
  readFileSync(new URL('../../../test/fixtures/statistics/documents.json', import.meta.url), 'utf8'),
) as Vectors;
const vector = (key: string) => vectors.find((each) => each.key === key)!;
const hex = (document: Packable): string => Buffer.from(packDocument(document)).toString('hex');

describe('statistics documents, byte for byte as the reference writes them', () => {
  it('of a kernel', () => {
    const group = new MetricGroup(containerMetric);
    const mem = { value: 104_857_600, capacity: 1_073_741_824 };
    group.add(
      {
        ...{ cpu_util: { value: 83_000.25, capacity: 1000 }, cpu_used: { value: 83_000.25 }, mem },
        ...{ io_read: { value: 4096 }, io_write: { value: 0 } },
        ...{ net_rx: { value: 2884 }, net_tx: { value: 9000 }, io_scratch_size: { value: 0, capacity: 0 } },
      },
      0,
    );
    const cpu = { cpu_util: { value: 91_234.567, capacity: 1000 }, cpu_used: { value: 91_234.567 } };
    group.add({ ...cpu, mem, io_read: { value: 10_240 }, io_write: { value: 0 } }, 30_000);
    group.add({ net_rx: { value: 3284 }, net_tx: { value: 9000 }, io_scratch_size: { value: 0 } }, 30_050);
    expect(hex(group.document())).toBe(vector('<kernel id>').msgpack_hex);
  });

  it('of a node', () => {
    const [node, core] = [new MetricGroup(nodeMetric), new MetricGroup(nodeMetric)];
    node.add({ cpu_util: { value: 1000, capacity: 0 }, mem: { value: 1_893_576_704, capacity: 1 } }, 0);
    node.add({ net_rx: { value: 100 } }, 0);
    core.add({ cpu_util: { value: 10, capacity: 0 } }, 0);
    node.add({ cpu_util: { value: 40_660, capacity: 30_002.959 } }, 30_000);
    node.add({ mem: { value: 1_645_678_592, capacity: 25_276_502_016 } }, 30_000);
    node.add({ net_rx: { value: 100 + 2_216_992.05 } }, 10_000);
    core.add({ cpu_util: { value: 19_400, capacity: 30_002.959 } }, 30_000);
    const document = { node: node.document(), devices: { cpu_util: { '0': core.document()['cpu_util'] ?? null } } };
    expect(hex(document)).toBe(vector('<agent id>').msgpack_hex);
  });

  it('of the processes of a container, by number', () => {
    const group = new MetricGroup(containerMetric);
    group.add({ cpu_util: { value: 40, capacity: 1000 }, mem: { value: 720_896 } }, 0);
    expect(hex(new Map([[4635, group.document()]]))).toBe(vector('<container id>').msgpack_hex);
  });
});

describe('metricText', () => {
  /** Numbers of more digits than a counter can have; the reference keeps them as decimal text. */
  const tooLong = (text: string): boolean => text.replace(/\D/g, '').length > 17;
  const cases = vector('number formatting').cases!.filter(({ current }) => !tooLong(current));

  it.each(cases)('$current of $capacity', ({ current, capacity, result }) => {
    expect(metricText(Number(current))).toBe(result['current']);
    expect(capacity === null ? null : metricText(Number(capacity))).toBe(result['capacity']);
    expect(percentText(Number(current), capacity === null ? null : Number(capacity))).toBe(result['pct']);
  });

  it('never has an exponent or needless zeros, and stays within half of the last digit', () => {
    const value = fc.oneof(fc.double({ min: -1e20, max: 1e20, noNaN: true }), fc.maxSafeInteger());
    fc.assert(
      fc.property(value, (number) => {
        const text = metricText(number);
        expect(text).toMatch(/^-?\d+(\.\d{0,2}[1-9])?$/);
        expect(Math.abs(Number(text) - number)).toBeLessThanOrEqual(0.0005 + Math.abs(number) * 1e-15);
      }),
    );
  });
});

describe('MovingStatistics', () => {
  it('knows nothing before the first value, and no change after it', () => {
    const statistics = new MovingStatistics();
    expect(statistics.get('max')).toBe(0);
    statistics.add(5, 1000);
    expect(
      ['min', 'max', 'sum', 'avg', 'diff', 'rate', 'version'].map((name) => statistics.get(name as 'min')),
    ).toEqual([5, 5, 5, 5, 0, 0, 2]);
  });

  it('has no change for a counter that went back or time that stood still', () => {
    const statistics = new MovingStatistics();
    statistics.add(10, 0);
    statistics.add(4, 1000);
    expect([statistics.get('diff'), statistics.get('rate')]).toEqual([0, 0]);
    statistics.add(8, 1000);
    expect([statistics.get('diff'), statistics.get('rate')]).toEqual([4, 0]);
    statistics.add(9, 1500);
    expect(statistics.get('rate')).toBe(2);
  });

  it('agrees with the whole history', () => {
    const values = fc.array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: 2, maxLength: 50 });
    fc.assert(
      fc.property(values, (history) => {
        const statistics = new MovingStatistics();
        history.forEach((value, index) => statistics.add(value, index * 500));
        const sum = history.reduce((total, value) => total + value, 0);
        expect(statistics.get('min')).toBe(Math.min(...history));
        expect(statistics.get('max')).toBe(Math.max(...history));
        expect(statistics.get('sum')).toBe(sum);
        expect(statistics.get('avg')).toBe(sum / history.length);
        expect(statistics.get('diff')).toBe(Math.max(0, history.at(-1)! - history.at(-2)!));
        expect(statistics.get('rate')).toBe(2 * statistics.get('diff'));
      }),
    );
  });
});

describe('MetricGroup', () => {
  it('takes the first value of a container for the capacity that it has none of', () => {
    const group = new MetricGroup(containerMetric);
    group.add({ cpu_used: { value: 8 }, mem: { value: 5, capacity: 0 }, io_read: { value: 0 } }, 0);
    group.add({ cpu_used: { value: 16 }, mem: { value: 7, capacity: 100 }, io_read: { value: 9 } }, 1000);
    const { cpu_used, mem, io_read } = group.document();
    expect(cpu_used).toMatchObject({ capacity: '8', pct: '200' });
    expect(mem).toMatchObject({ capacity: '100', pct: '7', 'stats.max': '7' });
    expect(io_read).toMatchObject({ capacity: '0', pct: '0.00', 'stats.rate': '9' });
  });

  it('describes accelerators by how their metrics are called', () => {
    const group = new MetricGroup(containerMetric);
    group.add(
      { cuda_mem: { value: 1 }, cuda_util: { value: 5, capacity: 100 }, tt_power: { value: 3 }, odd: { value: 1 } },
      0,
    );
    const units = Object.values(group.document()).map(({ unit_hint }) => unit_hint);
    expect(units).toEqual(['bytes', 'percent', 'Watts', 'count']);
  });
});

describe('packDocument', () => {
  it('is read by others as it was written', () => {
    const { packable } = fc.letrec<{ packable: Packable }>((tie) => ({
      packable: fc.oneof(
        { maxDepth: 4 },
        fc.constant(null),
        fc.string({ unit: 'binary', maxLength: 300 }),
        fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), tie('packable'), {
          maxKeys: 20,
          noNullPrototype: true,
        }),
      ),
    }));
    fc.assert(
      fc.property(packable, (value) => {
        expect(decode(packDocument(value))).toEqual(value);
      }),
    );
  });

  it('has room for long texts and large maps', () => {
    const many = Object.fromEntries(Array.from({ length: 70_000 }, (_, index) => [`k${index}`, 'v']));
    expect(decode(packDocument(many))).toEqual(many);
    expect(decode(packDocument('ä'.repeat(40_000)))).toBe('ä'.repeat(40_000));
  });

  it('keeps numbers as numbers among keys', () => {
    const keys = [0, 127, 128, 255, 256, 65_535, 65_536, 4_194_304];
    const read = decode(packDocument(new Map(keys.map((key) => [key, 'x']))), { useBigInt64: false });
    expect(Object.keys(read as object).map(Number)).toEqual(keys);
    expect(hex(new Map([[4635, null]]))).toBe('81cd121bc0');
  });
});
