/** So many calls begin in one turn of the event loop: few, since their answers leave between the turns. */
const PER_TURN = 8;
/** Turns for which a first beginning is put off because messages keep coming in. */
const MAX_HELD_TURNS = 32;

/**
 * Where accepted calls wait to be begun: until a turn of the event loop without new messages, so that a CANCEL that
 * arrived together with its call saves the work (rpc.md §7.1.8). They begin in the order of their peer, the peers taking
 * turns, so that a burst of one doesn't hold up another.
 */
export class StartQueue {
  private readonly peers = new Map<string, (() => void)[]>();
  private scheduled = false;
  private heldTurns = 0;
  private seen = 0;

  /** @param received how many messages were read so far. */
  constructor(private readonly received: () => number) {}

  add(peer: string, begin: () => void): void {
    const line = this.peers.get(peer);
    if (line === undefined) this.peers.set(peer, [begin]);
    else line.push(begin);
    if (!this.scheduled) this.seen = this.received();
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.turn();
    });
  }

  private turn(): void {
    const received = this.received();
    if (received !== this.seen && this.heldTurns < MAX_HELD_TURNS) {
      this.seen = received;
      this.heldTurns += 1;
    } else {
      this.heldTurns = MAX_HELD_TURNS;
      this.begin(PER_TURN);
    }
    if (this.peers.size > 0) this.schedule();
    else this.heldTurns = 0;
  }

  private begin(count: number): void {
    let left = count;
    while (left > 0 && this.peers.size > 0) {
      for (const [peer, line] of this.peers) {
        line.shift()?.();
        if (line.length === 0) this.peers.delete(peer);
        left -= 1;
        if (left === 0) return;
      }
    }
  }
}
