import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { invalidArgument } from '../../domain/error/errors.js';
import { AgentSettings } from '../agent-settings.js';
import { Logger } from '../ports/logger.port.js';
import { ResourceGroupStore } from '../ports/resource-group-store.port.js';

/** What a Manager accepts as the name of a resource group. */
const NAME = /^[\p{L}\p{N}_](?:[\p{L}\p{N}_. -]{0,62}[\p{L}\p{N}_])?$/u;

/**
 * The resource group that heartbeats name: the one that a Manager moved this node to, else the configured one. An
 * operator who changes the configuration afterwards moves the node again.
 */
@injectable()
export class NodeResourceGroup {
  #stored: Promise<string | undefined> | undefined;

  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(ResourceGroupStore) private readonly store: ResourceGroupStore,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  async current(): Promise<string | null> {
    this.#stored ??= this.#load();
    return (await this.#stored) ?? this.settings.resourceGroup;
  }

  /** Throws InvalidArgumentError, or StorageError without any change. */
  async change(name: string): Promise<void> {
    if (!NAME.test(name)) {
      throw invalidArgument(`'${name.slice(0, 64)}' is not a name for a resource group`, {
        field: 'scaling_group',
        allowed: 'letters, digits, "_", ".", "-" and spaces, at most 64',
      });
    }
    await this.store.save({ resourceGroup: name, configured: this.settings.resourceGroup });
    this.#stored = Promise.resolve(name);
    this.logger.info('moved to another resource group', { resource_group: name });
  }

  /** A heartbeat must not fail for this; one that can't be read is told once. */
  async #load(): Promise<string | undefined> {
    try {
      const moved = await this.store.load();
      return moved?.configured === this.settings.resourceGroup ? moved.resourceGroup : undefined;
    } catch (error) {
      this.logger.error(`the resource group is the configured one: ${messageOf(error)}`);
      return undefined;
    }
  }
}
