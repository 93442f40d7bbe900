// The log interface. Whoever starts a process builds the real one (src/cli/log.ts); everything else takes it as an argument.

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** What a line says beside its message; `undefined` values are left out. */
export type LogFields = Record<string, string | number | boolean | undefined>;

/** One line a call, lower-case messages without a full stop. Never called per packet. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}
