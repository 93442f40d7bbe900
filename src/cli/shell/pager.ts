// Output that stops after each page, by a program for that: $PAGER, or less.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { WriteStream } from 'node:tty';

/** As on a BIG-IP. */
const LESS_PROMPT = '---(less?pb %pb\\%.)---';

/** How long output may pause before what is there is shown without a pager: a command that runs on should be seen. */
const PAUSE_MS = 1000;

export type PagerOptions = {
  readonly output: WriteStream;
  /** Otherwise all of it is printed at once. */
  readonly isPaged: boolean;
  /** Called around the time in which the pager has the terminal. */
  readonly lendTerminal: () => void;
  readonly takeTerminal: () => void;
};

/** One command's output. What fits on the screen is printed as it is. */
export class PagedOutput {
  readonly #options: PagerOptions;
  #state: 'collecting' | 'passing' | 'paging' | 'quit' = 'collecting';
  #held = '';
  #rows = 0;
  #timer: NodeJS.Timeout | undefined;
  #pager: ChildProcess | undefined;
  #pagerEnded: Promise<boolean> | undefined;

  constructor(options: PagerOptions) {
    this.#options = options;
    if (!options.isPaged) this.#state = 'passing';
  }

  /** False when the person has seen enough. */
  async write(text: string): Promise<boolean> {
    if (this.#state === 'passing') await this.#print(text);
    if (this.#state === 'paging') await this.#feed(text);
    if (this.#state === 'collecting') {
      clearTimeout(this.#timer);
      this.#held += text;
      this.#rows += this.#rowsOf(text);
      if (this.#rows >= this.#options.output.rows) await this.#startPager();
      else this.#timer = setTimeout(() => this.#pass(), PAUSE_MS);
    }
    return this.#state !== 'quit';
  }

  /** Resolves when the person has read it. */
  async end(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#state === 'collecting') this.#pass();
    if (this.#pager === undefined) return;
    this.#pager.stdin?.end();
    await this.#pagerEnded;
  }

  #pass(): void {
    this.#state = 'passing';
    this.#options.output.write(this.#held);
    this.#held = '';
  }

  async #print(text: string): Promise<void> {
    const { output } = this.#options;
    if (!output.write(text)) await new Promise((resolve) => output.once('drain', resolve));
  }

  async #startPager(): Promise<void> {
    const { lendTerminal, takeTerminal } = this.#options;
    const held = this.#held;
    lendTerminal();
    const pager = spawnPager();
    this.#pager = pager;
    this.#pagerEnded = new Promise((resolve) => {
      const end = (isStarted: boolean) => {
        takeTerminal();
        this.#state = isStarted ? 'quit' : 'passing';
        this.#pager = undefined;
        resolve(isStarted);
      };
      pager.once('error', () => end(false));
      pager.once('exit', () => end(true));
    });
    // Whoever quits does not read the rest.
    pager.stdin?.on('error', () => undefined);
    const isStarted = await Promise.race([this.#pagerEnded, new Promise((resolve) => pager.once('spawn', resolve))]);
    if (isStarted === false) return this.#print(held);
    this.#state = 'paging';
    await this.#feed(held);
  }

  async #feed(text: string): Promise<void> {
    const stdin = this.#pager?.stdin;
    if (stdin === undefined || stdin === null || !stdin.writable || stdin.write(text)) return;
    await Promise.race([new Promise((resolve) => stdin.once('drain', resolve)), this.#pagerEnded]);
  }

  #rowsOf(text: string): number {
    const { columns } = this.#options.output;
    let rows = 0;
    for (const line of text.split('\n').slice(0, -1)) rows += Math.max(1, Math.ceil(line.length / columns));
    return rows;
  }
}

/** `-R` colours, `-F -X` no page for what fits after all, and the text stays on the screen. No commands of a system. */
function spawnPager(): ChildProcess {
  const stdio: ['pipe', 'inherit', 'inherit'] = ['pipe', 'inherit', 'inherit'];
  const env = { ...process.env, LESSSECURE: '1' };
  const own = process.env.PAGER;
  if (own !== undefined && own !== '') return spawn(own, { shell: true, stdio, env });
  return spawn('less', ['-F', '-R', '-X', `-P${LESS_PROMPT}`], { stdio, env });
}
