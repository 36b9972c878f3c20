import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import type { InstalledImage } from '../../domain/image/installed-image.js';
import { AgentSettings } from '../agent-settings.js';
import { ListInstalledImages } from '../image/list-installed-images.use-case.js';
import { Clock } from '../ports/clock.port.js';
import { EventBus } from '../ports/event-bus.port.js';
import { Logger } from '../ports/logger.port.js';
import { StateStore } from '../ports/state-store.port.js';

/** A heartbeat must not wait longer for an engine that hangs: the last list is told again then. */
const SCAN_MS = 4_000;
/** Longer than any list of ours; more is not read. */
const MAX_STORED_BYTES = 4 * 1024 * 1024;

/**
 * The images that this agent has (state.md §3.2). Managers read the list while they handle a heartbeat, so it is written
 * before; also when it became empty (W-R2 of state.md §10). They only ever add from it: what is gone is told by an event.
 */
@injectable()
export class PublishInstalledImages {
  readonly #key: string;
  /** What others believe: what was written last, by us or by this agent's earlier life. */
  #published: readonly InstalledImage[] | undefined;

  constructor(
    @inject(AgentSettings) settings: AgentSettings,
    @inject(ListInstalledImages) private readonly images: ListInstalledImages,
    @inject(StateStore) private readonly state: StateStore,
    @inject(EventBus) private readonly events: EventBus,
    @inject(Clock) private readonly clock: Clock,
    @inject(Logger) private readonly logger: Logger,
  ) {
    this.#key = `installed_image:${settings.agentId}`;
  }

  /** Never rejects: what can't be told now is told before the next heartbeat. */
  async execute(signal: AbortSignal): Promise<void> {
    if (!this.state.isShared) return;
    using deadline = this.clock.deadline(SCAN_MS, signal);
    try {
      const images = await this.images.execute({ signal: deadline.signal });
      this.#published ??= await this.#stored();
      await this.state.set('image', this.#key, JSON.stringify(images));
      await this.#tellRemoved(this.#published, images);
      this.#published = images;
    } catch (error) {
      this.logger.warn(`the list of images was not written: ${messageOf(error)}`);
    }
  }

  async #tellRemoved(before: readonly InstalledImage[], now: readonly InstalledImage[]): Promise<void> {
    const present = new Set(now.map(nameAndContent));
    const removed = before.filter((image) => !present.has(nameAndContent(image)));
    if (removed.length === 0) return;
    const scanned_images = Object.fromEntries(
      removed.map(({ canonical, digest }) => [canonical, { canonical, digest }] as const),
    );
    await this.events.announce({ name: 'agent_installed_images_remove', body: { scanned_images } });
  }

  /** Of an earlier life; images may have gone while there was no agent to tell. */
  async #stored(): Promise<readonly InstalledImage[]> {
    const bytes = await this.state.get('image', this.#key);
    if (bytes === undefined || bytes.length > MAX_STORED_BYTES) return [];
    try {
      const stored: unknown = JSON.parse(new TextDecoder().decode(bytes));
      return Array.isArray(stored) ? stored.filter(isInstalledImage) : [];
    } catch {
      // Somebody else's writing: it is overwritten now.
      return [];
    }
  }
}

const nameAndContent = ({ canonical, digest }: InstalledImage): string => `${canonical} ${digest}`;

function isInstalledImage(value: unknown): value is InstalledImage {
  if (typeof value !== 'object' || value === null) return false;
  const { canonical, digest, architecture } = value as Partial<Record<keyof InstalledImage, unknown>>;
  return typeof canonical === 'string' && typeof digest === 'string' && typeof architecture === 'string';
}
