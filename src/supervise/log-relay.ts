// The one log of `wideplane up`: its own lines and those of its daemons, each prefixed with a name.
//
// A reader that stalls (a paused terminal, a full pipe) must not stop supervision, so lines are written asynchronously
// from a bounded queue; what does not fit is counted and reported once there is room again.

import { write } from 'node:fs';
import { renderLogLine } from '../core/log-line.ts';

/** Characters that wait at most for a reader that does not read. */
const QUEUE_LIMIT = 1 << 20;
/** A line that never ends is cut into pieces of this many characters. */
const LINE_LIMIT = 16 * 1024;

export type LineSink = (line: string) => void;

/** A bounded asynchronous writer of whole lines to a file descriptor; a reader that has gone is ignored. */
export class LineWriter {
  readonly #descriptor: number;
  #queue: string[] = [];
  #queued = 0;
  #lost = 0;
  #writing = false;
  #idle: (() => void)[] = [];

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** `line` ends with a line feed. */
  write(line: string): void {
    if (this.#queued + line.length > QUEUE_LIMIT) {
      this.#lost++;
      return;
    }
    if (this.#lost > 0) {
      const notice = `${this.#lost} log lines lost: the reader of the log stalled\n`;
      this.#lost = 0;
      this.write(notice);
    }
    this.#queue.push(line);
    this.#queued += line.length;
    if (!this.#writing) this.#next();
  }

  /** Resolves when everything was written, or after `timeoutMs`. */
  async flush(timeoutMs: number): Promise<void> {
    if (!this.#writing) return;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
      setTimeout(resolve, timeoutMs).unref();
    });
  }

  #next(): void {
    if (this.#queue.length === 0) {
      this.#writing = false;
      for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    this.#writing = true;
    const chunk = Buffer.from(this.#queue.join(''));
    const length = this.#queued;
    this.#queue = [];
    this.#writeAll(chunk, () => {
      this.#queued -= length;
      this.#next();
    });
  }

  #writeAll(chunk: Buffer, done: () => void): void {
    write(this.#descriptor, chunk, (error, written) => {
      if (error?.code === 'EAGAIN') {
        setTimeout(() => this.#writeAll(chunk, done), 20);
      } else if (error || written === chunk.length) {
        done();
      } else {
        this.#writeAll(chunk.subarray(written), done);
      }
    });
  }
}

/**
 * Turns the lines of one daemon into lines of the common log. A daemon writes JSON records; anything else (a crash of
 * Node.js, a library) is passed on as it is, as an error when it came from standard error.
 */
export function relayLine(daemon: string, line: string, fromStderr: boolean, format: 'text' | 'json'): string {
  const record = parseRecord(line);
  if (format === 'text') return `${daemon.padEnd(10)} | ${record ? renderLogLine(record) : line}\n`;
  if (record) return `${line}\n`;
  const level = fromStderr ? 'error' : 'info';
  return `${JSON.stringify({ level, time: new Date().toISOString(), daemon, msg: line })}\n`;
}

/** The JSON record that a daemon writes as a line of its log; undefined for any other line. */
export function parseRecord(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const record = JSON.parse(line) as Record<string, unknown>;
    return typeof record.msg === 'string' && typeof record.level === 'string' ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Cuts a stream of text into lines, the last one (without its line feed) by `end`. */
export class LineSplitter {
  readonly #sink: LineSink;
  #rest = '';

  constructor(sink: LineSink) {
    this.#sink = sink;
  }

  push(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) this.#sink(line);
    if (this.#rest.length > LINE_LIMIT) this.end();
  }

  end(): void {
    if (this.#rest !== '') this.#sink(this.#rest);
    this.#rest = '';
  }
}
