import { inject, injectable } from 'inversify';
import type { TransferProgress } from '../../ports/container-engine.port.js';
import { EnsureImage } from '../../image/ensure-image.js';
import type { Call } from '../../ports/call.js';
import { Clock } from '../../ports/clock.port.js';
import { EventBus } from '../../ports/event-bus.port.js';
import type { LiveKernel } from '../live-kernel.js';
import type { Provisioner } from './provisioner.js';

/** Often enough for a progress bar, rarely enough for an event stream. */
const PROGRESS_INTERVAL_MS = 500;

/** The image is here and fits. Nothing to tear down: an image that was pulled stays. */
@injectable()
export class ImageProvisioner implements Provisioner {
  readonly name = 'image';
  readonly onRestart = 'refresh';

  constructor(
    @inject(EnsureImage) private readonly images: EnsureImage,
    @inject(EventBus) private readonly events: EventBus,
    @inject(Clock) private readonly clock: Clock,
  ) {}

  async setup(live: LiveKernel, call: Call): Promise<void> {
    const { kernel } = live;
    const ids = { kernel_id: kernel.id, session_id: kernel.sessionId };
    const layers = new Map<string, TransferProgress>();
    let toldAt = -Infinity;
    live.image = await this.images.execute(
      kernel.spec.image,
      {
        onPull: () =>
          this.events.announce({ name: 'kernel_pulling', body: { ...ids, reason: kernel.spec.image.canonical } }),
        onProgress: (progress) => {
          layers.set(progress.layer, progress);
          const now = this.clock.monotonic();
          if (now - toldAt < PROGRESS_INTERVAL_MS) return;
          toldAt = now;
          const body = { ...ids, stage: 'pull', elapsed_ms: 0, message: describe([...layers.values()]) };
          void this.events.announce({ name: 'kernel_stage', body });
        },
      },
      call,
    );
  }

  teardown(): Promise<void> {
    return Promise.resolve();
  }
}

function describe(layers: readonly TransferProgress[]): string {
  const total = layers.reduce((sum, layer) => sum + layer.totalBytes, 0);
  const current = layers.reduce((sum, layer) => sum + layer.currentBytes, 0);
  const percent = total > 0 ? ` ${Math.floor((100 * current) / total)} %` : '';
  return `pulling${percent}`;
}
