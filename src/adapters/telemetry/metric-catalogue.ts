/** One metric as it is declared; a counter is exposed with `_total` at its end, once. */
export interface MetricDeclaration {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds, for histograms. */
  readonly buckets?: readonly number[];
}

const OWNER = ['agent_id', 'kernel_id', 'session_id', 'user_id', 'project_id'] as const;
const API = ['method', 'endpoint', 'domain', 'operation', 'error_detail', 'status_code'] as const;
const STAT = ['agent_id', 'stat_scope'] as const;

const counter = (name: string, help: string, labels: readonly string[] = []): MetricDeclaration => ({
  name,
  kind: 'counter',
  help,
  labels,
});
const gauge = (name: string, help: string, labels: readonly string[] = []): MetricDeclaration => ({
  name,
  kind: 'gauge',
  help,
  labels,
});
const histogram = (
  name: string,
  help: string,
  labels: readonly string[],
  buckets: readonly number[],
): MetricDeclaration => ({ name, kind: 'histogram', help, labels, buckets });

/** The five that an operator looks at first. */
const KEY_METRICS = [
  gauge('backendai_agent_heartbeat', 'Time of the last heartbeat, in seconds since 1970', ['agent_id']),
  gauge('backendai_agent_cpu_usage', 'CPU usage of the node in percent of all cores', ['agent_id']),
  gauge('backendai_agent_mem_usage', 'Memory in use on the node, in bytes', ['agent_id']),
  gauge('backendai_agent_gpu_usage', 'GPU usage in percent', ['agent_id', 'device_id']),
  gauge('backendai_kernel_count', 'Number of running kernels', ['agent_id']),
];

/** Names, labels and buckets that Managers and dashboards know (stats.md §3.4). */
const REFERENCE_METRICS = [
  counter('backendai_rpc_requests_total', 'RPC requests', ['method']),
  counter('backendai_rpc_failure_requests_total', 'Failed RPC requests', ['method', 'exception']),
  histogram(
    'backendai_rpc_request_duration_seconds',
    'Duration of RPC requests',
    ['method'],
    [0.1, 1, 10, 30, 60, 300, 600],
  ),
  gauge('backendai_container_utilization', 'Use of a resource by a container, raw', [
    'container_metric_name',
    ...OWNER,
    'value_type',
  ]),
  gauge('backendai_device_utilization', 'Use of a device of the node, raw', [
    'device_metric_name',
    'agent_id',
    'device_id',
    'value_type',
  ]),
  counter('backendai_sync_container_lifecycle_trigger_count', 'Container life-cycle syncs begun', ['agent_id']),
  counter('backendai_sync_container_lifecycle_success_count', 'Kernels synced', ['agent_id']),
  counter('backendai_sync_container_lifecycle_failure_count', 'Container life-cycle syncs failed', [
    'agent_id',
    'exception',
  ]),
  counter('backendai_stat_task_trigger_count', 'Statistics collections begun', STAT),
  counter('backendai_stat_task_success_count', 'Statistics collections done', STAT),
  counter('backendai_stat_task_failure_count', 'Statistics collections failed', [...STAT, 'exception']),
  histogram(
    'backendai_stat_task_duration_sec',
    'Duration of statistics collections in seconds',
    STAT,
    [0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600],
  ),
  counter('backendai_api_request_count', 'HTTP requests', API),
  histogram(
    'backendai_api_request_duration_sec',
    'Duration of HTTP requests in seconds',
    API,
    [0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 30],
  ),
];

/** Ours. */
const OWN_METRICS = [
  histogram(
    'backendai_kernel_creation_stage_duration_seconds',
    'Duration of a stage of creating a kernel',
    ['stage'],
    [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300],
  ),
  counter(
    'backendai_rpc_refused_connections',
    'RPC connections refused because their key is not the one of the Manager',
  ),
  counter('backendai_http_dropped_event_streams', 'Event streams closed because their reader was too slow'),
  gauge('backendai_http_event_streams', 'Open event streams'),
  counter('backendai_agent_events_dropped', 'Events given up because the waiting queue was full', ['event_type']),
  gauge('backendai_agent_events_waiting', 'Events that a Manager must not miss and has not been given yet'),
  gauge('backendai_agent_oldest_event_seconds', 'Age of the oldest of these events'),
  counter('backendai_agent_events_sent', 'Events sent to the Managers', ['event_type']),
  counter('backendai_agent_events_resent', 'Events sent again because they were cut off unread', ['event_type']),
  gauge('backendai_agent_outbox_unstored', '1 while events cannot be stored on disk'),
  gauge('backendai_agent_event_loop_delay_seconds', 'Event-loop delay since the last scrape', ['quantile']),
  gauge('backendai_cpu_usage_percent', 'CPU usage of the agent process since the last scrape, in percent of one core'),
  gauge('backendai_memory_used_rss', 'Resident memory of the agent process, in bytes'),
];

export const METRIC_CATALOGUE: readonly MetricDeclaration[] = [...KEY_METRICS, ...REFERENCE_METRICS, ...OWN_METRICS];

/** The name under which a scraper sees a metric. */
export function exposedName({ name, kind }: MetricDeclaration): string {
  return kind === 'counter' && !name.endsWith('_total') ? `${name}_total` : name;
}
