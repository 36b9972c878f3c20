import { isatty } from 'node:tty';
import { destination, type DestinationStream, pino, type Logger as Pino, stdTimeFunctions } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { LogFields, Logger } from '../../application/ports/logger.port.js';
import { redact } from './redact.js';
import { RotatingFile, type RotatingFileOptions } from './rotating-file.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LoggerOptions {
  readonly agentId: string;
  readonly level: LogLevel;
  /** How lines are written to stderr; absent = not at all. */
  readonly console?: {
    /** Readable lines instead of JSON; by default only where stderr is a terminal. */
    readonly pretty?: boolean;
    /** By default only where stderr is a terminal. */
    readonly colored?: boolean;
  };
  /** A file of JSON lines beside, or instead. */
  readonly file?: RotatingFileOptions;
}

const STDERR = 2;

/**
 * A logger on pino that writes synchronously, so that the last line before a crash is there. One JSON object a line
 * with `level` as text, `time` (ISO 8601), `agent_id`, the fields of the call and `message`. Throws a
 * ConfigurationError if the file can't be opened.
 */
export function createLogger(options: LoggerOptions): Logger & Disposable {
  const sinks: DestinationStream[] = [];
  if (options.console !== undefined) sinks.push(consoleSink(options.console));
  const file = options.file === undefined ? undefined : new RotatingFile(options.file, complain);
  if (file !== undefined) sinks.push(file);
  const root = new PinoLogger(createPino(options, together(sinks)));
  // Stderr belongs to the process; a file of ours is closed.
  return Object.assign(root, { [Symbol.dispose]: () => file?.[Symbol.dispose]() });
}

function consoleSink(options: NonNullable<LoggerOptions['console']>): DestinationStream {
  const isTerminal = isatty(STDERR);
  const stderr = destination({ dest: STDERR, sync: true });
  return (options.pretty ?? isTerminal) ? readable(stderr, options.colored ?? isTerminal) : stderr;
}

function readable(sink: DestinationStream, colorize: boolean): DestinationStream {
  const format = prettyFactory({
    ...{ messageKey: 'message', translateTime: 'SYS:HH:MM:ss.l', ignore: 'agent_id', colorize },
  });
  return {
    write: (line) => {
      sink.write(format(line));
    },
  };
}

function together(sinks: readonly DestinationStream[]): DestinationStream {
  const [first] = sinks;
  if (first !== undefined && sinks.length === 1) return first;
  return {
    write: (line) => {
      for (const sink of sinks) sink.write(line);
    },
  };
}

/** Where else, when the log itself fails. */
function complain(problem: string): void {
  process.stderr.write(`the log file can't be written: ${problem}\n`);
}

function createPino(options: Pick<LoggerOptions, 'agentId' | 'level'>, sink: DestinationStream): Pino {
  return pino(
    {
      level: options.level,
      base: { agent_id: options.agentId },
      messageKey: 'message',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    sink,
  );
}

class PinoLogger implements Logger {
  readonly #pino: Pino;

  constructor(instance: Pino) {
    this.#pino = instance;
  }

  debug(message: string, fields?: LogFields): void {
    this.#write('debug', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#write('info', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#write('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#write('error', message, fields);
  }

  child(fields: LogFields): Logger {
    return new PinoLogger(this.#pino.child(redact(fields)));
  }

  #write(level: 'debug' | 'info' | 'warn' | 'error', message: string, fields: LogFields | undefined): void {
    if (!this.#pino.isLevelEnabled(level)) return;
    if (fields === undefined) this.#pino[level](message);
    else this.#pino[level](redact(fields), message);
  }
}
