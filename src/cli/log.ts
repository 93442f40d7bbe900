// The log of a process, written by pino: one JSON object a line, or the same as text.

import { pino } from 'pino';
import type { Log, LogFields, LogLevel } from '../core/log.ts';
import { renderLogLine } from '../core/log-line.ts';

export type LogFormat = 'text' | 'json';
export const LOG_FORMATS: readonly LogFormat[] = ['text', 'json'];

export type LogOptions = {
  /** Which daemon speaks: the field `daemon` of every line. */
  daemon: string;
  format: LogFormat;
  level: LogLevel;
  /** Takes whole lines, line feed included. Default: standard output, written before the call returns. */
  write?: (line: string) => void;
};

export function createLog(options: LogOptions): Log {
  const write = options.write ?? standardOutput();
  const sink =
    options.format === 'json'
      ? { write }
      : { write: (line: string): void => write(`${renderLogLine(JSON.parse(line) as Record<string, unknown>)}\n`) };
  const logger = pino(
    {
      level: options.level,
      base: { daemon: options.daemon },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    sink,
  );
  const emit =
    (level: LogLevel) =>
    (message: string, fields?: LogFields): void =>
      fields === undefined ? logger[level](message) : logger[level](fields, message);
  return { debug: emit('debug'), info: emit('info'), warn: emit('warn'), error: emit('error') };
}

function standardOutput(): (line: string) => void {
  const destination = pino.destination({ fd: 1, sync: true });
  // A reader that has gone (`| head`) must not end the process.
  destination.on('error', () => undefined);
  return (line) => void destination.write(line);
}
