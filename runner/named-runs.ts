import { MAX_NAMED_RUNS, MAX_RUN_NAME } from '../src/domain/krunner-wire/krunner-wire.js';

/**
 * The newest runs by the names that the agent gave them. A `finished` that was handed to a connection which then broke is
 * lost (krunner.md W8), so an agent that comes back asks for the end here.
 */
export class NamedRuns {
  readonly #runs = new Map<string, number | null>();
  #next: string | undefined;

  /** Names the next run. One that has no sensible name has none. */
  name(name: string): void {
    this.#next = name !== '' && name.length <= MAX_RUN_NAME ? name : undefined;
  }

  /** The name of a run that comes in now. */
  begin(): string | undefined {
    const name = this.#next;
    this.#next = undefined;
    if (name === undefined) return undefined;
    this.#runs.delete(name);
    this.#runs.set(name, null);
    if (this.#runs.size > MAX_NAMED_RUNS) this.#forgetOne();
    return name;
  }

  end(name: string, exitCode: number): void {
    if (this.#runs.has(name)) this.#runs.set(name, exitCode);
  }

  all(): ReadonlyMap<string, number | null> {
    return this.#runs;
  }

  /** The oldest that is over, else the oldest. */
  #forgetOne(): void {
    const names = [...this.#runs.keys()];
    const forgotten = names.find((name) => this.#runs.get(name) !== null) ?? names[0];
    if (forgotten !== undefined) this.#runs.delete(forgotten);
  }
}
