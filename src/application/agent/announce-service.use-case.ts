import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { AgentSettings } from '../agent-settings.js';
import { Clock } from '../ports/clock.port.js';
import { ConfigSource } from '../ports/config-source.port.js';
import { EventBus } from '../ports/event-bus.port.js';
import { Logger } from '../ports/logger.port.js';
import { StateStore } from '../ports/state-store.port.js';

const SERVICE_GROUP = 'agent';
const TTL_SECONDS = 180;
const ETCD_PREFIX = 'ai/backend/service_discovery';

/** Text, or more of it below a name. */
type ServiceRecord = Readonly<Record<string, unknown>>;

/**
 * How others find this agent's metrics: a record that Managers hand on to Prometheus (state.md §8.1), and, if a service
 * group is configured, an entry in the Manager's service catalogue (§8.2). Both are repeated every minute.
 */
@injectable()
export class AnnounceService {
  readonly #startedAtMs: number;

  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(StateStore) private readonly state: StateStore,
    @inject(ConfigSource) private readonly config: ConfigSource,
    @inject(EventBus) private readonly events: EventBus,
    @inject(Clock) private readonly clock: Clock,
    @inject(Logger) private readonly logger: Logger,
  ) {
    this.#startedAtMs = clock.now();
  }

  /** Rejects if the record can't be written. */
  async execute(signal: AbortSignal): Promise<void> {
    await this.#announce();
    const record = this.#record();
    if (this.settings.serviceDiscovery.type === 'redis') {
      const fields = Object.fromEntries(Object.entries(record).map(([name, value]) => [name, JSON.stringify(value)]));
      await this.state.setHash('discovery', this.#redisKey, fields, TTL_SECONDS);
      return;
    }
    for (const [path, value] of flatten(record)) {
      const options = { scope: 'global', ttlSeconds: TTL_SECONDS } as const;
      await this.config.put(`${this.#etcdPrefix}/${path}`, value, options, signal);
    }
  }

  /** This agent leaves. Never rejects: the record goes by itself in the end. */
  async withdraw(signal: AbortSignal): Promise<void> {
    const { group, instanceId, type } = this.settings.serviceDiscovery;
    if (group !== null) {
      const body = { instance_id: instanceId, service_group: group };
      await this.events.announce({ name: 'service_deregistered', body });
    }
    try {
      if (type === 'redis') await this.state.delete('discovery', [this.#redisKey]);
      else await this.config.deletePrefix(this.#etcdPrefix, 'global', signal);
    } catch (error) {
      this.logger.debug(`the service record was not removed: ${messageOf(error)}`);
    }
  }

  async #announce(): Promise<void> {
    const { group, instanceId, displayName, labels, endpoints } = this.settings.serviceDiscovery;
    if (group === null) return;
    await this.events.announce({
      name: 'service_registered',
      body: {
        instance_id: instanceId,
        service_group: group,
        display_name: displayName,
        version: this.settings.version,
        labels,
        endpoints,
        startup_time: new Date(this.#startedAtMs).toISOString(),
        config_hash: '',
      },
    });
  }

  #record(): ServiceRecord {
    const address = this.settings.announcedHttpAddress;
    return {
      id: this.settings.serviceDiscovery.id,
      display_name: `agent-${this.settings.agentId}`,
      service_group: SERVICE_GROUP,
      version: this.settings.version,
      endpoint: {
        address,
        port: Number(address.slice(address.lastIndexOf(':') + 1)),
        protocol: 'http',
        prometheus_address: address,
      },
      health_status: {
        registration_time: this.#startedAtMs / 1000,
        last_heartbeat: this.clock.now() / 1000,
      },
      labels: {},
    };
  }

  get #redisKey(): string {
    return `service_discovery.${SERVICE_GROUP}.${this.settings.serviceDiscovery.id}`;
  }

  get #etcdPrefix(): string {
    return `${ETCD_PREFIX}/${SERVICE_GROUP}/${this.settings.serviceDiscovery.id}`;
  }
}

/** `endpoint/address` → text. */
function flatten(record: ServiceRecord, prefix = ''): (readonly [path: string, value: string])[] {
  return Object.entries(record).flatMap(([name, value]) =>
    typeof value === 'object' && value !== null
      ? flatten(value as ServiceRecord, `${prefix}${name}/`)
      : [[`${prefix}${name}`, String(value)] as const],
  );
}
