/** One thing after another, in order of arrival. */
export class WorkQueue<T> {
  private readonly waiting: T[] = [];
  private running: Promise<void> | undefined;

  /** `work` must not reject. */
  constructor(
    private readonly work: (item: T) => Promise<void>,
    private readonly limit: number,
  ) {}

  /** False when the queue is full. */
  add(item: T): boolean {
    if (this.waiting.length >= this.limit) return false;
    this.waiting.push(item);
    this.running ??= this.drain();
    return true;
  }

  /** Takes out what has not begun. */
  clear(): T[] {
    return this.waiting.splice(0);
  }

  /** Resolves when nothing is running or waiting. */
  idle(): Promise<void> {
    return this.running ?? Promise.resolve();
  }

  private async drain(): Promise<void> {
    for (let item = this.waiting.shift(); item !== undefined; item = this.waiting.shift()) await this.work(item);
    this.running = undefined;
  }
}
