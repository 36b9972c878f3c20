/** Structured log lines. Never given secrets, tokens or user code; adapters redact known names as a second net. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger whose every line carries `fields` (`kernel_id`, `request_id`, `component`). */
  child(fields: LogFields): Logger;
}

export type LogFields = Readonly<Record<string, unknown>>;

export const Logger = Symbol('Logger');
