import type { CliConfiguration, CliDependencies, ConfigRequest } from './cli-dependencies.js';
import { printable } from './terminal/printable.js';
import { Terminal } from './terminal/terminal.js';

/** The options that every command has. */
export interface CommonOptions {
  readonly config?: string;
  readonly json?: boolean;
}

/** What a command works with while it runs. */
export class CliContext implements Disposable {
  readonly terminal: Terminal;
  /** Fires on SIGTERM, on Ctrl-C unless a program has it, and when nobody reads the output any more. */
  readonly signal: AbortSignal;
  readonly #handlers: readonly Disposable[];
  #isTaken = false;

  constructor(readonly deps: CliDependencies) {
    this.terminal = new Terminal(deps.io);
    const stop = new AbortController();
    this.signal = AbortSignal.any([stop.signal, this.terminal.closed]);
    this.#handlers = [
      deps.signals.on('SIGTERM', () => stop.abort()),
      deps.signals.on('SIGINT', () => {
        if (!this.#isTaken) stop.abort();
      }),
    ];
  }

  /** While `work` goes on, Ctrl-C is not ours but that of a program. */
  async leaveInterruptsTo<T>(work: () => Promise<T>): Promise<T> {
    this.#isTaken = true;
    try {
      return await work();
    } finally {
      this.#isTaken = false;
    }
  }

  /** Loads the configuration and tells its warnings. */
  loadConfig(options: CommonOptions): CliConfiguration {
    return this.#warned(this.deps.setup.loadConfig(configRequest(options)));
  }

  /** The same with what etcd says. */
  async loadWholeConfig(options: CommonOptions): Promise<CliConfiguration> {
    return this.#warned(await this.deps.setup.loadWholeConfig(configRequest(options), this.signal));
  }

  #warned(config: CliConfiguration): CliConfiguration {
    for (const warning of config.warnings)
      this.terminal.say(`${this.terminal.colour('yellow', 'warning:')} ${printable(warning)}`);
    return config;
  }

  [Symbol.dispose](): void {
    for (const handler of this.#handlers) handler[Symbol.dispose]();
  }
}

export function configRequest(options: CommonOptions): ConfigRequest {
  return options.config === undefined ? {} : { file: options.config };
}
