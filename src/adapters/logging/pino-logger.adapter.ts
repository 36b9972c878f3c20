import { isatty } from 'node:tty';
import { destination, type DestinationStream, pino, type Logger as Pino, stdTimeFunctions } from 'pino';
import { build as prettyStream } from 'pino-pretty';
import type { LogFields, Logger } from '../../application/ports/logger.port.js';
import { redact } from './redact.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LoggerOptions {
  readonly agentId: string;
  readonly level: LogLevel;
  /** `stderr`, or a file that is appended to (made with its folders, mode 0640). */
  readonly destination: 'stderr' | { readonly file: string };
  /** Readable lines instead of JSON; by default only where the destination is a terminal. */
  readonly pretty?: boolean;
}

const STDERR = 2;

/**
 * A logger on pino that writes synchronously, so that the last line before a crash is there. One JSON object a line
 * with `level` as text, `time` (ISO 8601), `agent_id`, the fields of the call and `message`.
 */
export function createLogger(options: LoggerOptions): Logger & Disposable {
  const toStderr = options.destination === 'stderr';
  const pretty = options.pretty ?? (toStderr && isatty(STDERR));
  const file = options.destination === 'stderr' ? STDERR : options.destination.file;
  const sink = pretty
    ? prettyStream({
        ...{ destination: file, sync: true, append: true, mkdir: true, messageKey: 'message' },
        ...{ colorize: toStderr && isatty(STDERR), translateTime: 'SYS:HH:MM:ss.l', ignore: 'agent_id' },
      })
    : destination({ dest: file, sync: true, append: true, mkdir: true, mode: 0o640 });
  const root = new PinoLogger(createPino(options, sink));
  return Object.assign(root, {
    [Symbol.dispose]: () => {
      // Stderr belongs to the process; a file of ours is closed.
      if (!toStderr && 'end' in sink && typeof sink.end === 'function') sink.end();
    },
  });
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
