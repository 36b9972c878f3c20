import type { Clock } from '../../../application/ports/clock.port.js';
import type { Logger } from '../../../application/ports/logger.port.js';

/** A peer that is refused tries again ten times a second, so long as nobody mends it. */
const QUIET_MS = 60_000;
const MAX_PEERS = 1_000;

/** Tells of each address that was refused, at once and then at most once a minute, with how often it was meanwhile. */
export class RefusalLog {
  readonly #peers = new Map<string, { toldAtMs: number; untold: number }>();

  constructor(
    private readonly logger: Logger,
    private readonly clock: Clock,
  ) {}

  tell(peer: string, reason: string): void {
    const now = this.clock.monotonic();
    const known = this.#peers.get(peer);
    if (known !== undefined && now - known.toldAtMs < QUIET_MS) {
      known.untold += 1;
      return;
    }
    const more = known?.untold ?? 0;
    this.logger.warn('refused an RPC connection', { reason, peer, ...(more > 0 && { more_refused: more }) });
    // Whoever comes from so many addresses is not told apart any more.
    if (this.#peers.size >= MAX_PEERS) this.#peers.clear();
    this.#peers.set(peer, { toldAtMs: now, untold: 0 });
  }
}
