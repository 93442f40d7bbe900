// A terminal as a person has one, by tmux: keys go in, the screen is read. Nothing waits for a time, only for what shows.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';

export type TerminalOptions = {
  /** Path of the tmux server's socket: each terminal has its own server. */
  readonly socket: string;
  /** What runs in it, for a shell. */
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
  readonly columns?: number;
  readonly rows?: number;
};

/** Under load, a program may take long to say something. */
const PATIENCE_MS = 30_000;
const LOOK_EVERY_MS = 30;

export class Terminal {
  readonly #socket: string;

  constructor({ socket, command, env, columns = 120, rows = 40 }: TerminalOptions) {
    this.#socket = socket;
    const settings = Object.entries(env).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
    // The pane stays when the program ends: its last words can be read.
    const kept = `${command}; echo "[ended with $?]"; exec sleep infinity`;
    this.#tmux('-f', '/dev/null', 'new-session', '-d', '-x', `${columns}`, '-y', `${rows}`, ...settings, kept);
  }

  /** Types text as it is. */
  type(text: string): void {
    this.#tmux('send-keys', '-l', '--', text);
  }

  /** Keys by tmux's names: `Tab`, `Enter`, `Up`, `C-c`. */
  press(...keys: string[]): void {
    this.#tmux('send-keys', ...keys);
  }

  enter(line: string): void {
    this.type(line);
    this.press('Enter');
  }

  /** As by the mouse, with the marks that a terminal puts around what is pasted. */
  paste(text: string): void {
    this.#tmux('set-buffer', '--', text);
    this.#tmux('paste-buffer', '-p', '-r');
  }

  /** What stands on the screen, long lines whole, without the blanks at the end of each. */
  screen(): string {
    return this.#tmux('capture-pane', '-p', '-J').replace(/ +$/gm, '').trimEnd();
  }

  /** Waits until the screen says so. */
  async shows(pattern: RegExp): Promise<string> {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const screen = this.screen();
      if (pattern.test(screen)) return screen;
      assert.ok(Date.now() < end, `the screen never shows ${pattern}:\n${screen}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  /** Clears the screen but for the line that is typed. */
  async clear(): Promise<void> {
    this.press('C-l');
    await this.shows(/^\S+ \S+#[^\n]*$/);
  }

  end(): void {
    try {
      this.#tmux('kill-server');
    } catch {
      // It has ended by itself.
    }
  }

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-u', '-S', this.#socket, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}
