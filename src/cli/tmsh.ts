// `wideplane tmsh`: sends commands to configd and prints what comes back.
//
// Commands come from `-c`, from standard input when that is no terminal, or from a prompt. Errors go to standard error;
// the exit status is 1 when a command failed.

import { userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { errorText } from '../core/errors.ts';
import { IpcClient } from '../ipc/ipc-client.ts';
import { IpcError } from '../ipc/ipc-error.ts';
import type { ParamsOf } from '../ipc/schema.ts';
import { CommandSplitter } from '../tmsh/split.ts';
import { runLocally } from './local-command.ts';
import type { LocalCommandHost } from './local-host.ts';

export type TmshFlags = {
  state: string;
  /** Commands of `-c`, run in order up to the first that fails; absent or empty: standard input. */
  commands?: readonly string[];
};

/** Resolves to the exit status. */
export async function tmsh({ state, commands = [] }: TmshFlags): Promise<number> {
  // A reader that has gone (`| head`) ends the output, not with a stack trace.
  process.stdout.on('error', () => process.exit(0));
  const session = new Session(join(state, 'configd.sock'));
  try {
    if (commands.length > 0) return await session.runAll(commands);
    return await (process.stdin.isTTY ? session.prompt() : session.readInput());
  } finally {
    session.close();
  }
}

class Session {
  readonly #path: string;
  #client: IpcClient | undefined;
  /** Where the commands come from, for the audit log. */
  #source: ParamsOf<'tmsh'>['source'] = 'stdin';

  constructor(path: string) {
    this.#path = path;
  }

  async runAll(commands: readonly string[]): Promise<number> {
    this.#source = 'tmsh -c';
    for (const command of commands) {
      const splitter = new CommandSplitter();
      const lines = command.split('\n').map((line) => splitter.push(line));
      for (const single of [...lines, splitter.end()]) {
        if (single !== undefined && !(await this.#run(single))) return 1;
      }
    }
    return 0;
  }

  /** Commands of standard input, as they come; stops at the first that fails. */
  async readInput(): Promise<number> {
    const splitter = new CommandSplitter();
    for await (const line of createInterface({ input: process.stdin })) {
      const command = splitter.push(line);
      if (command !== undefined && !(await this.#run(command))) return 1;
    }
    const rest = splitter.end();
    return rest === undefined || (await this.#run(rest)) ? 0 : 1;
  }

  /** A plain prompt; `quit` or the end of input leaves it. */
  async prompt(): Promise<number> {
    this.#source = 'tmsh shell';
    const splitter = new CommandSplitter();
    const terminal = createInterface({ input: process.stdin, output: process.stdout });
    terminal.setPrompt('(tmos)# ');
    terminal.prompt();
    for await (const line of terminal) {
      if (!splitter.isWithin && /^\s*(quit|exit)\s*$/.test(line)) break;
      const command = splitter.push(line);
      if (command !== undefined) await this.#run(command);
      terminal.setPrompt(splitter.isWithin ? '... ' : '(tmos)# ');
      terminal.prompt();
    }
    terminal.close();
    return 0;
  }

  close(): void {
    this.#client?.close();
  }

  /** False when the command failed; the reason has been printed. */
  async #run(command: string): Promise<boolean> {
    try {
      const isDone = await runLocally(command, this.#localHost());
      if (isDone !== undefined) return isDone;
      for await (const { text } of await this.#stream(command)) {
        if (!process.stdout.write(text)) await new Promise((resolve) => process.stdout.once('drain', resolve));
      }
      return true;
    } catch (error) {
      const hint = error instanceof IpcError && error.code === 'unreachable' ? '\n  Start it with: wideplane up' : '';
      process.stderr.write(`${errorText(error)}${hint}\n`);
      return false;
    }
  }

  async #stream(command: string, input?: string): Promise<AsyncIterable<{ text: string }>> {
    // Between two commands of a prompt, configd may have been restarted.
    if (this.#client?.isConnected !== true) this.#client = await IpcClient.connect(this.#path);
    const params = { command, directory: process.cwd(), user: userName(), source: this.#source };
    return this.#client.stream('tmsh', { ...params, ...(input === undefined ? {} : { input }) });
  }

  #localHost(): LocalCommandHost {
    return {
      send: async (command, input) => {
        let output = '';
        for await (const { text } of await this.#stream(command, input)) output += text;
        return output;
      },
      print: (text) => process.stdout.write(text),
      complain: (text) => process.stderr.write(text),
    };
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}
