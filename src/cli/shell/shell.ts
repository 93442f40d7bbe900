// The interactive shell: prompt, completion and help by configd, history, modules, pager.

import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { errorText } from '../../core/errors.ts';
import type { Completion } from '../../tmsh/completion.ts';
import { enteredModule, qualifyLine } from '../../tmsh/module-path.ts';
import { CommandSplitter } from '../../tmsh/split.ts';
import { findVerb } from '../../tmsh/verbs.ts';
import { WordCursor } from '../../tmsh/word-cursor.ts';
import { mayBeLocal, runLocally } from '../local-command.ts';
import { TYPING_HINT, describeFailure, userName } from '../tmsh-client.ts';
import type { TmshClient } from '../tmsh-client.ts';
import { withFileNames } from './file-names.ts';
import { History, rememberedLine } from './history.ts';
import { LineEditor } from './line-editor.ts';
import type { Edit } from './line-editor.ts';
import { PagedOutput } from './pager.ts';
import { CONTINUATION_PROMPT, promptText } from './prompt.ts';
import type { PromptState } from './prompt.ts';
import { renderCompletion } from './render-completion.ts';

const HISTORY_FILE = '.wideplane_tmsh_history';

export type ShellOptions = {
  readonly client: TmshClient;
  /** Whether long output stops after each page. */
  readonly isPaged: boolean;
};

export class Shell {
  readonly #client: TmshClient;
  readonly #isPaged: boolean;
  readonly #history = new History(join(homedir(), HISTORY_FILE));
  readonly #splitter = new CommandSplitter();
  #module = '';
  /** Lines of the command so far, for completion. */
  #pending = '';
  #interrupt: () => void = () => undefined;

  constructor({ client, isPaged }: ShellOptions) {
    this.#client = client;
    this.#isPaged = isPaged;
  }

  /** Resolves to the exit status when the person leaves. */
  async run(): Promise<number> {
    const editor = new LineEditor({
      input: process.stdin,
      output: process.stdout,
      history: await this.#history.load(),
      isQuoted: (before) => new WordCursor(this.#pending + before).isQuoted,
      onTab: (before, isSecond) => this.#complete(before, isSecond),
      onHelp: (before) => this.#help(before),
      onInterrupt: () => this.#interrupt(),
    });
    try {
      for (;;) {
        const prompt = this.#splitter.isWithin ? CONTINUATION_PROMPT : await this.#prompt();
        const result = await editor.readLine(prompt);
        if (result === 'ended') return 0;
        if (result === 'interrupted') this.#splitter.end();
        const command = result === 'interrupted' ? undefined : this.#splitter.push(result.line);
        this.#pending = this.#splitter.pending === '' ? '' : `${this.#splitter.pending}\n`;
        if (command === undefined) continue;
        const remembered = rememberedLine(command);
        if (remembered !== undefined) {
          editor.remember(remembered);
          await this.#history.append(remembered);
        }
        if (await this.#take(command, editor)) return 0;
      }
    } finally {
      editor.close();
    }
  }

  async #prompt(): Promise<string> {
    let device: PromptState['device'];
    try {
      device = await this.#client.request('device-state', {});
    } catch {
      device = undefined;
    }
    const { folder, isBatch } = this.#client;
    return promptText({ user: userName(), host: hostname(), device, folder, module: this.#module, isBatch });
  }

  /** True when the person leaves. */
  async #take(command: string, editor: LineEditor): Promise<boolean> {
    const line = command.trim();
    if (line === 'quit') return true;
    if (line === 'exit' && this.#module === '') return true;
    const module = line === 'exit' ? parentOf(this.#module) : enteredModule(line, this.#module);
    const verb = line.split(/\s/, 1)[0];
    if (module === undefined || (line !== 'exit' && findVerb(verb ?? '') !== undefined)) {
      const full = qualifyLine(command, this.#module);
      if (mayBeLocal(full)) await this.#runHere(full, editor);
      else await this.#runCommand(full, editor);
    } else this.#module = module;
    return false;
  }

  /** A command with an editor or a program of this host, which has the terminal meanwhile. */
  async #runHere(command: string, editor: LineEditor): Promise<void> {
    const ignore = () => undefined;
    process.on('SIGINT', ignore);
    editor.lendTerminal();
    const ask = async (question: string): Promise<string> => {
      editor.takeTerminal();
      const answer = await editor.readLine(question);
      editor.lendTerminal();
      return typeof answer === 'string' ? '' : answer.line;
    };
    const host = this.#client.localHost(() => readTyped(editor), ask);
    let isHere: boolean | undefined;
    try {
      isHere = await runLocally(command, host);
    } catch (error) {
      isHere = false;
      process.stderr.write(describeFailure(error));
    } finally {
      editor.takeTerminal();
      process.off('SIGINT', ignore);
    }
    if (isHere === undefined) await this.#runCommand(command, editor);
  }

  async #runCommand(command: string, editor: LineEditor): Promise<void> {
    const ignore = () => undefined;
    const output = new PagedOutput({
      output: process.stdout,
      lendTerminal: () => {
        // Ctrl-C is the pager's while it has the terminal.
        process.on('SIGINT', ignore);
        editor.lendTerminal();
      },
      takeTerminal: () => {
        process.off('SIGINT', ignore);
        editor.takeTerminal();
      },
      isPaged: this.#isPaged,
    });
    const interrupted = new Promise<undefined>((resolve) => {
      this.#interrupt = () => {
        process.stdout.write('^C\n');
        resolve(undefined);
      };
    });
    try {
      const pieces = this.#client.run(command);
      for (;;) {
        const next = pieces.next();
        const piece = await Promise.race([next, interrupted]);
        if (piece === undefined) {
          // The command is told to end as soon as it says something; what it does then is no longer shown.
          next.then(() => pieces.return(), ignore);
          break;
        }
        if (piece.done === true) break;
        if (!(await output.write(piece.value))) {
          await pieces.return();
          break;
        }
      }
      await output.end();
    } catch (error) {
      await output.end();
      process.stderr.write(describeFailure(error));
    } finally {
      this.#interrupt = ignore;
    }
  }

  async #ask(before: string): Promise<Completion> {
    const { folder } = this.#client;
    const text = this.#pending + before;
    const found = await this.#client.request('complete', { text, folder, module: this.#module });
    return found.isFile === true ? withFileNames(found, text.slice(text.length - found.replaces)) : found;
  }

  async #help(before: string): Promise<string> {
    try {
      return renderCompletion(await this.#ask(before), process.stdout.columns) || 'Enter runs the command.\n';
    } catch (error) {
      return `${errorText(error)}\n`;
    }
  }

  async #complete(before: string, isSecond: boolean): Promise<Edit> {
    let found: Completion;
    try {
      found = await this.#ask(before);
    } catch (error) {
      return { show: `${errorText(error)}\n` };
    }
    const typed = new WordCursor(this.#pending + before).prefix;
    // A folder is only the start of a name, and a directory goes on.
    const end = found.count === 1 && !found.common.endsWith('/') ? ' ' : '';
    const isSuffix = typed.length === found.replaces && found.common.startsWith(typed);
    if (isSuffix && found.common.length + end.length > typed.length) {
      return { remove: 0, insert: `${found.common.slice(typed.length)}${end}` };
    }
    if (found.count === 1 && !isSuffix) return { remove: found.replaces, insert: `${found.common}${end}` };
    return isSecond ? { show: renderCompletion(found, process.stdout.columns) } : { remove: 0, insert: '' };
  }
}

/** Lines up to Ctrl-D; undefined after Ctrl-C. */
async function readTyped(editor: LineEditor): Promise<string | undefined> {
  process.stdout.write(TYPING_HINT);
  editor.takeTerminal();
  try {
    let text = '';
    for (;;) {
      const result = await editor.readLine('');
      if (result === 'ended') return text;
      if (result === 'interrupted') return undefined;
      text += `${result.line}\n`;
    }
  } finally {
    editor.lendTerminal();
  }
}

function parentOf(module: string): string {
  return module.slice(0, Math.max(0, module.lastIndexOf(' ')));
}
