import { inject, injectable } from 'inversify';
import type { AgentEventBodies } from '../../domain/event/agent-event.js';
import { AgentSettings } from '../agent-settings.js';
import { type ClusterMessage, ClusterMessages } from '../ports/cluster-messages.port.js';
import { EventBus } from '../ports/event-bus.port.js';

const NOT_DONE =
  'this agent does not mount volumes when it is told to: mount them on its host, or say that a Storage Proxy does ' +
  '(cohabiting-storage-proxy)';

/**
 * Answers the Manager that wants a volume mounted or unmounted everywhere (state.md §2.7). Beside a Storage Proxy that is
 * done already; without one it is refused, so that somebody sees it.
 */
@injectable()
export class AnswerVolumeMessages {
  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(ClusterMessages) private readonly messages: ClusterMessages,
    @inject(EventBus) private readonly events: EventBus,
  ) {}

  /** Until it is disposed. */
  listen(): Disposable {
    return this.messages.subscribe((message) => void this.#answer(message));
  }

  async #answer({ name, body }: ClusterMessage): Promise<void> {
    const { agentId, cohabitingStorageProxy } = this.settings;
    const reply: AgentEventBodies['volume_mounted'] = {
      node_id: agentId,
      node_type: 'agent',
      mount_path: '',
      quota_scope_id: body.quotaScopeId,
      err_msg: cohabitingStorageProxy ? null : NOT_DONE,
    };
    await this.events.announce({
      name: name === 'do_volume_mount' ? 'volume_mounted' : 'volume_unmounted',
      body: reply,
    });
  }
}
