// The last error of a daemon: the last line that it logged as one, or how it ended.

import { parseRecord } from './log-relay.ts';

export type LastError = { readonly text: string; readonly atMs: number };

/** An error that was logged this shortly before the end is taken for the reason of it. */
const REASON_MS = 5000;

/** What Node.js says of an exception that nobody caught, and V8 of memory that is exhausted. */
const CRASH = /^(?:FATAL ERROR\b|(?:Uncaught )?[A-Za-z]*Error\b).*/;

export class DaemonErrors {
  #last: LastError | undefined;

  get last(): LastError | undefined {
    return this.#last;
  }

  /** One more process of the daemon. */
  run(): DaemonRun {
    return new DaemonRun((text) => (this.#last = { text, atMs: Date.now() }));
  }
}

/** One process of a daemon. Its last lines may come after its end. */
export class DaemonRun {
  readonly #note: (text: string) => void;
  #line: { text: string; ms: number } | undefined;
  #end: string | undefined;

  constructor(note: (text: string) => void) {
    this.#note = note;
  }

  line(line: string, fromStderr: boolean): void {
    const text = errorOf(line, fromStderr);
    if (text === undefined) return;
    this.#line = { text, ms: performance.now() };
    this.#note(this.#end === undefined ? text : `${this.#end}: ${text}`);
  }

  /** `how`: `ended with status 1`. A signal from outside has nothing to do with what was logged. */
  ended(how: string, bySignal: boolean): void {
    this.#end = how;
    const isReason = !bySignal && this.#line !== undefined && performance.now() - this.#line.ms < REASON_MS;
    this.#note(isReason ? `${how}: ${this.#line!.text}` : how);
  }
}

function errorOf(line: string, fromStderr: boolean): string | undefined {
  if (line.includes('"error"')) {
    const record = parseRecord(line);
    if (record?.level === 'error') return String(record.msg);
  }
  return fromStderr ? CRASH.exec(line)?.[0] : undefined;
}
