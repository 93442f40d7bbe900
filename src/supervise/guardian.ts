// The guardian: a process that outlives `wideplane up` and puts devices back when that was killed.
//
// It is a shell that waits on a pipe from `up`, about a megabyte for a wait that may last for months. The word `done`
// ends it. When the pipe closes without it, `up` is dead, and the shell becomes `wideplane restore`. In a session of its
// own it sees no Ctrl-C; it cannot leak, because the kernel closes the pipe whatever kills `up`.

import { spawn, type ChildProcess } from 'node:child_process';
import type { Log } from '../core/log.ts';

const SCRIPT = `trap '' INT TERM HUP; read -r word; [ "$word" = done ] || exec "$@"`;

/** A guardian that dies (out of memory, a mistaken kill) is replaced, but not in a loop. */
const REPLACE_DELAY_MS = 1000;

export class Guardian {
  readonly #restoreCommand: readonly string[];
  readonly #lockDescriptor: number;
  readonly #log: Log;
  #child: ChildProcess | undefined;
  #dismissed = false;

  /** `restoreCommand` finds the state lock, which the guardian keeps held, as descriptor 3. */
  constructor(restoreCommand: readonly string[], lockDescriptor: number, log: Log) {
    this.#restoreCommand = restoreCommand;
    this.#lockDescriptor = lockDescriptor;
    this.#log = log;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    const child = spawn('/bin/sh', ['-c', SCRIPT, 'wideplane-guardian', ...this.#restoreCommand], {
      stdio: ['pipe', 'inherit', 'inherit', this.#lockDescriptor],
      detached: true,
      cwd: '/',
    });
    child.stdin?.on('error', () => undefined);
    child.on('error', (error) => this.#log.error('the guardian cannot be started', { reason: error.message }));
    child.on('exit', (code, signal) => {
      if (this.#dismissed) return;
      this.#log.warn('the guardian died and is replaced', { status: code ?? signal ?? undefined });
      setTimeout(() => {
        if (!this.#dismissed) this.start();
      }, REPLACE_DELAY_MS);
    });
    this.#child = child;
  }

  /** Ends the guardian without a restore; resolves when it has gone. */
  async dismiss(): Promise<void> {
    this.#dismissed = true;
    const child = this.#child;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.stdin?.end('done\n');
    await gone;
  }
}
