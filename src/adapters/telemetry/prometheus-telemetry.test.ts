import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryLogger } from '../../../test/support/memory-logger.js';
import { METRIC_CATALOGUE } from './metric-catalogue.js';
import { PrometheusTelemetry } from './prometheus-telemetry.adapter.js';

describe('PrometheusTelemetry', () => {
  let telemetry: PrometheusTelemetry;
  beforeEach(() => {
    telemetry = new PrometheusTelemetry({ agentId: 'i-1', logger: new MemoryLogger(), strict: true });
  });
  afterEach(() => telemetry[Symbol.dispose]());
  const lines = async (name: string): Promise<string[]> =>
    (await telemetry.text()).split('\n').filter((line) => line.startsWith(name));

  it('exposes a counter with _total, once', async () => {
    telemetry.count('backendai_rpc_requests_total', { method: 'ping' });
    telemetry.count('backendai_rpc_requests_total', { method: 'ping' }, 2);
    telemetry.count('backendai_sync_container_lifecycle_success_count', {}, 5);
    expect(await lines('backendai_rpc_requests')).toEqual(['backendai_rpc_requests_total{method="ping"} 3']);
    expect(await lines('backendai_sync_container_lifecycle_success')).toEqual([
      'backendai_sync_container_lifecycle_success_count_total{agent_id="i-1"} 5',
    ]);
  });

  it('exposes histograms with the buckets of the reference', async () => {
    telemetry.observe('backendai_rpc_request_duration_seconds', 5, { method: 'x' });
    const buckets = await lines('backendai_rpc_request_duration_seconds_bucket');
    expect(buckets.map((line) => /le="([^"]+)"/.exec(line)?.[1])).toEqual([
      ...['0.1', '1', '10', '30', '60', '300', '600', '+Inf'],
    ]);
    expect(buckets[1]).toMatch(/ 0$/);
    expect(buckets[2]).toMatch(/ 1$/);
  });

  it('has the five key metrics of the description', async () => {
    for (const name of ['agent_heartbeat', 'agent_cpu_usage', 'agent_mem_usage'])
      telemetry.gauge(`backendai_${name}`, 1.5);
    telemetry.gauge('backendai_agent_gpu_usage', 1.5, { device_id: '0' });
    telemetry.gauge('backendai_kernel_count', 3);
    expect(await lines('backendai_agent_heartbeat{')).toEqual(['backendai_agent_heartbeat{agent_id="i-1"} 1.5']);
    expect(await lines('backendai_agent_gpu_usage{')).toEqual([
      'backendai_agent_gpu_usage{agent_id="i-1",device_id="0"} 1.5',
    ]);
    expect(await lines('backendai_kernel_count{')).toEqual(['backendai_kernel_count{agent_id="i-1"} 3']);
  });

  it('gives container series all seven labels, unknown owners as text', async () => {
    const labels = { container_metric_name: 'mem', kernel_id: 'k', value_type: 'current' };
    telemetry.gauge('backendai_container_utilization', 7, labels);
    expect(await lines('backendai_container_utilization{')).toEqual([
      'backendai_container_utilization{container_metric_name="mem",agent_id="i-1",kernel_id="k",' +
        'session_id="undefined",user_id="undefined",project_id="undefined",value_type="current"} 7',
    ]);
  });

  it('removes the series of a kernel and leaves the others', async () => {
    for (const kernel of ['a', 'b']) {
      for (const type of ['current', 'capacity']) {
        const labels = { container_metric_name: 'mem', kernel_id: kernel, value_type: type };
        telemetry.gauge('backendai_container_utilization', 1, labels);
      }
    }
    telemetry.remove({ kernel_id: 'a' });
    const left = await lines('backendai_container_utilization{');
    expect(left).toHaveLength(2);
    expect(left.every((line) => line.includes('kernel_id="b"'))).toBe(true);
    telemetry.remove({ kernel_id: 'b', value_type: 'capacity' }, ['backendai_container_utilization']);
    telemetry.remove({ kernel_id: 'b' }, ['backendai_kernel_count']);
    expect(await lines('backendai_container_utilization{')).toHaveLength(1);
    telemetry.gauge('backendai_container_utilization', 4, {
      container_metric_name: 'mem',
      kernel_id: 'a',
      value_type: 'current',
    });
    expect(await lines('backendai_container_utilization{')).toHaveLength(2);
  });

  it('tells what changed, was removed or came back since the last time', async () => {
    const told = () => lines('backendai_agent_gpu_usage');
    const usage = (device_id: string, value: number) =>
      telemetry.gauge('backendai_agent_gpu_usage', value, { device_id });
    usage('a"\\\n', 1);
    expect(await told()).toEqual(['backendai_agent_gpu_usage{agent_id="i-1",device_id="a\\"\\\\\\n"} 1']);
    expect(await told()).toHaveLength(1);
    usage('a"\\\n', 2);
    usage('b', Number.POSITIVE_INFINITY);
    expect(await told()).toEqual([
      'backendai_agent_gpu_usage{agent_id="i-1",device_id="a\\"\\\\\\n"} 2',
      'backendai_agent_gpu_usage{agent_id="i-1",device_id="b"} +Inf',
    ]);
    telemetry.remove({ device_id: 'b' });
    expect(await told()).toHaveLength(1);
    usage('b', 3);
    expect((await told())[1]).toMatch(/device_id="b"\} 3$/);
  });

  it.each([
    ['an unknown name', () => telemetry.count('backendai_nothing'), 'there is no metric'],
    ['the wrong kind', () => telemetry.gauge('backendai_rpc_requests_total', 1, { method: 'x' }), 'is no gauge'],
    ['a label that is missing', () => telemetry.count('backendai_rpc_requests_total'), 'needs the label method'],
    ['a label that it has not', () => telemetry.gauge('backendai_kernel_count', 1, { x: 'y' }), 'has no label x'],
    [
      'a counter that falls',
      () => telemetry.count('backendai_rpc_requests_total', { method: 'x' }, -1),
      'decrease a counter',
    ],
    ['removal from nothing', () => telemetry.remove({}, ['backendai_nothing']), 'there is no metric'],
  ])('throws for %s in strict mode', (_what, call, message) => {
    expect(call).toThrow(message);
  });

  it('logs a mistake once and records on otherwise', async () => {
    const logger = new MemoryLogger();
    using lenient = new PrometheusTelemetry({ agentId: 'i-1', logger });
    lenient.count('backendai_nothing');
    lenient.count('backendai_nothing');
    lenient.gauge('backendai_kernel_count', 2);
    expect(logger.lines.map(({ level }) => level)).toEqual(['error']);
    expect(await lenient.text()).toContain('backendai_kernel_count{agent_id="i-1"} 2');
  });

  it('does not grow without end with what a peer names', async () => {
    const logger = new MemoryLogger();
    using lenient = new PrometheusTelemetry({ agentId: 'i-1', logger });
    for (let n = 0; n < 20_010; n++) lenient.count('backendai_rpc_requests_total', { method: String(n) });
    expect((await lenient.text()).match(/^backendai_rpc_requests_total\{/gm)).toHaveLength(20_000);
    expect(logger.lines).toHaveLength(1);
  });

  it('measures its own process', async () => {
    const text = await telemetry.text();
    expect(Number(/^backendai_memory_used_rss (\d+)/m.exec(text)?.[1])).toBeGreaterThan(10_000_000);
    expect(text).toContain('backendai_agent_event_loop_delay_seconds{quantile="0.99"}');
    // For longer than the time between two looks, after the first.
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    const until = performance.now() + 2_200;
    while (performance.now() < until);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const busy = await telemetry.text();
    expect(Number(/^backendai_cpu_usage_percent (\S+)/m.exec(busy)?.[1])).toBeGreaterThan(5);
    expect(Number(/delay_seconds\{quantile="1"\} (\S+)/.exec(busy)?.[1])).toBeGreaterThan(0.015);
  });

  it('keeps a registry of its own', () => {
    using another = new PrometheusTelemetry({ agentId: 'i-2', logger: new MemoryLogger(), strict: true });
    expect(another).not.toBe(telemetry);
  });
});

describe('the catalogue', () => {
  it('declares each metric once, with a help text, buckets where they belong and valid names', () => {
    expect(new Set(METRIC_CATALOGUE.map(({ name }) => name)).size).toBe(METRIC_CATALOGUE.length);
    for (const { name, kind, help, labels, buckets } of METRIC_CATALOGUE) {
      expect(name).toMatch(/^backendai_[a-z_]+$/);
      expect(help).not.toBe('');
      expect(buckets !== undefined).toBe(kind === 'histogram');
      expect([...(buckets ?? [])].sort((left, right) => left - right)).toEqual(buckets ?? []);
      expect(new Set(labels).size).toBe(labels.length);
    }
  });

  it('has every metric that the source records', () => {
    const root = new URL('../../', import.meta.url);
    const sources = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
      (path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.startsWith('adapters/telemetry'),
    );
    const declared = new Set(METRIC_CATALOGUE.map(({ name }) => name));
    const used = sources.flatMap(
      (path) => readFileSync(new URL(path, root), 'utf8').match(/(?<=')backendai_\w+(?=')/g) ?? [],
    );
    expect(used.length).toBeGreaterThan(5);
    expect(used.filter((name) => !declared.has(name))).toEqual([]);
  });
});
