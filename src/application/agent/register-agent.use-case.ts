import { inject, injectable } from 'inversify';
import { AgentSettings } from '../agent-settings.js';
import { ConfigSource } from '../ports/config-source.port.js';

/** Written again in this interval; must be well below the time to live. */
export const REGISTRATION_INTERVAL_MS = 60_000;
const STATUS_TTL_SECONDS = 180;

/**
 * This agent's entry in the cluster (state.md §5.3): its status, and where its Watcher API is reached.
 *
 * The status goes away by itself some minutes after a crash, and at once when the agent leaves. The address stays: a
 * Manager calls it to start an agent that does not run (state.md §9.3).
 */
@injectable()
export class RegisterAgent {
  constructor(
    @inject(ConfigSource) private readonly source: ConfigSource,
    @inject(AgentSettings) private readonly settings: AgentSettings,
  ) {}

  async execute(status: 'starting' | 'running', signal: AbortSignal): Promise<void> {
    const { advertisedRpcAddress, watcher } = this.settings;
    await Promise.all([
      this.source.put('', status, { scope: 'node', ttlSeconds: STATUS_TTL_SECONDS }, signal),
      this.source.put('ip', new URL(advertisedRpcAddress).hostname, { scope: 'node' }, signal),
      this.source.put('watcher_port', String(watcher.port), { scope: 'node' }, signal),
    ]);
  }

  async leave(signal: AbortSignal): Promise<void> {
    await this.source.delete('', 'node', signal);
  }
}
