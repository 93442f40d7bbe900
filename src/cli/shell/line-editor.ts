// A line of a person at a terminal: node:readline edits it, and this decides which keys readline gets to see.
//
// Keys come from the terminal, not through readline, since `?` and Tab ask configd: the keys that are typed meanwhile wait.
// So do those that are typed while a command runs. What is pasted (bracketed paste) is text, tabs and question marks
// included.

import { emitKeypressEvents, createInterface } from 'node:readline';
import type { Interface, Key } from 'node:readline';
import { PassThrough } from 'node:stream';
import type { ReadStream, WriteStream } from 'node:tty';
import { HISTORY_SIZE } from './history.ts';

export type LineEditorOptions = {
  readonly input: ReadStream;
  readonly output: WriteStream;
  /** The newest first. */
  readonly history: string[];
  /** Whether a key typed behind the text is text itself: within quotes. */
  isQuoted(before: string): boolean;
  /** Tab, and whether it was hit twice: what to insert, or what to show. */
  onTab(before: string, isSecond: boolean): Promise<Edit>;
  /** `?`: what to show. */
  onHelp(before: string): Promise<string>;
  /** Ctrl-C while no line is read. */
  onInterrupt(): void;
};

/** Characters before the cursor that go, and the text that comes; or text to be shown above the line. */
export type Edit = { readonly remove: number; readonly insert: string } | { readonly show: string };

export type LineResult = { readonly line: string } | 'interrupted' | 'ended';

type KeyPress = { readonly text: string | undefined; readonly key: Key };

const PASTE_ON = '\x1b[?2004h';
const PASTE_OFF = '\x1b[?2004l';

export class LineEditor {
  readonly #options: LineEditorOptions;
  readonly #readline: Interface;
  /** The lines that Up goes to: readline's own list, the newest first. */
  #history: string[];
  readonly #keys: KeyPress[] = [];
  #reader: ((result: LineResult) => void) | undefined;
  #isDraining = false;
  #isPasting = false;
  #wasTab = false;

  constructor(options: LineEditorOptions) {
    const { input, output, history } = options;
    this.#options = options;
    this.#history = history;
    this.#readline = createInterface({
      input: new PassThrough(),
      output,
      terminal: true,
      history,
      historySize: HISTORY_SIZE,
    });
    // The shell remembers whole commands; a line may be a part of one.
    this.#readline.on('history', (lines) => {
      this.#history = lines;
      if (lines[0] === this.#readline.line) lines.shift();
    });
    this.#readline.on('line', (line) => this.#answer({ line }));
    // Without the interface: while a chunk of several keys is read, it would have it put them behind the line.
    emitKeypressEvents(input);
    input.on('keypress', this.#onKey);
    input.on('end', this.#onEnd);
    this.takeTerminal();
  }

  /** Puts a command at the head of the history. */
  remember(line: string): void {
    if (this.#history[0] === line) return;
    this.#history.unshift(line);
    if (this.#history.length > HISTORY_SIZE) this.#history.pop();
  }

  readLine(prompt: string): Promise<LineResult> {
    this.#readline.setPrompt(prompt);
    this.#readline.prompt();
    return new Promise((resolve) => {
      this.#reader = resolve;
      void this.#drain();
    });
  }

  /** Lets another program read the terminal. */
  readonly lendTerminal = (): void => {
    const { input, output } = this.#options;
    output.write(PASTE_OFF);
    input.setRawMode(false);
    input.pause();
  };

  readonly takeTerminal = (): void => {
    const { input, output } = this.#options;
    output.write(PASTE_ON);
    input.setRawMode(true);
    input.resume();
  };

  close(): void {
    const { input } = this.#options;
    input.off('keypress', this.#onKey);
    input.off('end', this.#onEnd);
    this.#readline.close();
    this.lendTerminal();
  }

  #answer(result: LineResult): void {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.(result);
  }

  readonly #onEnd = (): void => this.#answer('ended');

  readonly #onKey = (text: string | undefined, key: Key): void => {
    if (this.#reader === undefined && isControl(key, 'c')) {
      // What was typed ahead belongs to what is given up.
      this.#keys.length = 0;
      this.#options.onInterrupt();
      return;
    }
    this.#keys.push({ text, key });
    void this.#drain();
  };

  /** One key after the other, as long as a line is read. */
  async #drain(): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    while (this.#reader !== undefined) {
      const press = this.#keys.shift();
      if (press === undefined) break;
      await this.#take(press);
    }
    this.#isDraining = false;
  }

  async #take({ text, key }: KeyPress): Promise<void> {
    const wasTab = this.#wasTab;
    this.#wasTab = false;
    if (key.name === 'paste-start' || key.name === 'paste-end') {
      this.#isPasting = key.name === 'paste-start';
    } else if (isControl(key, 'c')) {
      this.#type(undefined, { ctrl: true, name: 'e' });
      this.#options.output.write('^C\n');
      this.#forgetRows();
      this.#type(undefined, { ctrl: true, name: 'u' });
      this.#answer('interrupted');
    } else if (isControl(key, 'd') && this.#readline.line === '') {
      this.#options.output.write('\n');
      this.#answer('ended');
    } else if (isControl(key, 'z')) {
      // There is no shell to go back to as on the device; readline would stop the process with the terminal raw.
    } else if (key.name === 'tab') {
      if (this.#isPasting) this.#type(' ', { name: 'space', sequence: ' ' });
      else await this.#complete(wasTab);
    } else if (text === '?' && !this.#isPasting && !this.#options.isQuoted(this.#before())) {
      this.#show(await this.#options.onHelp(this.#before()));
    } else this.#type(text, key);
  }

  async #complete(isSecond: boolean): Promise<void> {
    const edit = await this.#options.onTab(this.#before(), isSecond);
    this.#wasTab = true;
    if ('show' in edit) {
      this.#show(edit.show);
      return;
    }
    for (let count = 0; count < edit.remove; count++) this.#type(undefined, { name: 'backspace' });
    if (edit.insert !== '') this.#type(edit.insert, {});
    else if (edit.remove === 0) this.#options.output.write('\x07');
  }

  #before(): string {
    return this.#readline.line.slice(0, this.#readline.cursor);
  }

  /** Prints below the line and draws it anew, the cursor where it was. */
  #show(text: string): void {
    const behind = this.#readline.line.length - this.#readline.cursor;
    this.#type(undefined, { ctrl: true, name: 'e' });
    this.#options.output.write(`\n${text}`);
    this.#forgetRows();
    this.#readline.prompt(true);
    for (let count = 0; count < behind; count++) this.#type(undefined, { name: 'left' });
  }

  /** Readline goes up as many rows as the line took before it draws it: here they are above what was printed. */
  #forgetRows(): void {
    (this.#readline as Interface & { prevRows: number }).prevRows = 0;
  }

  #type(text: string | undefined, key: Key): void {
    if (text === undefined) this.#readline.write(undefined, key);
    else this.#readline.write(text, key);
  }
}

function isControl(key: Key, name: string): boolean {
  return key.ctrl === true && key.name === name;
}
