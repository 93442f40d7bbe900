// `wideplane tmsh`: sends commands to configd and prints what comes back.
//
// Commands come from `-c`, from the command line, from standard input when that is no terminal, or from a person
// (shell/shell.ts). Errors go to standard error; the exit status is 1 when a command failed.

import { createInterface } from 'node:readline/promises';
import { protectMemory } from '../native/protect-memory.ts';
import { CommandSplitter } from '../tmsh/split.ts';
import { runLocally } from './local-command.ts';
import { TYPING_HINT, TmshClient, describeFailure } from './tmsh-client.ts';

export type TmshFlags = {
  state: string;
  /** Commands of `-c`, run in order up to the first that fails; absent or empty: standard input. */
  commands?: readonly string[];
  /** Ask nothing: long output is not stopped after each page. */
  quiet?: boolean;
};

/** Resolves to the exit status. */
export async function tmsh({ state, commands = [], quiet = false }: TmshFlags): Promise<number> {
  // A command may hold a key. Where it cannot be done the daemons have said so.
  protectMemory();
  // A reader that has gone (`| head`) ends the output, not with a stack trace.
  process.stdout.on('error', () => process.exit(0));
  const source = commands.length > 0 ? 'tmsh -c' : process.stdin.isTTY ? 'tmsh shell' : 'stdin';
  const client = new TmshClient(state, source);
  try {
    if (commands.length > 0) return await runAll(client, commands);
    if (!process.stdin.isTTY) return await readInput(client);
    const { Shell } = await import('./shell/shell.ts');
    return await new Shell({ client, isPaged: !quiet && process.stdout.isTTY }).run();
  } finally {
    client.close();
  }
}

async function runAll(client: TmshClient, commands: readonly string[]): Promise<number> {
  for (const command of commands) {
    const splitter = new CommandSplitter();
    const lines = command.split('\n').map((line) => splitter.push(line));
    for (const single of [...lines, splitter.end()]) {
      if (single !== undefined && !(await run(client, single, wholeInput))) return 1;
    }
  }
  return 0;
}

/** All of standard input. */
async function wholeInput(): Promise<string> {
  if (process.stdin.isTTY) process.stdout.write(TYPING_HINT);
  process.stdin.setEncoding('utf8');
  let text = '';
  for await (const piece of process.stdin) text += piece as string;
  return text;
}

/** Commands of standard input, as they come; stops at the first that fails. */
async function readInput(client: TmshClient): Promise<number> {
  const splitter = new CommandSplitter();
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const restOfInput = async (): Promise<string> => {
    let text = '';
    for (let next = await lines.next(); next.done !== true; next = await lines.next()) text += `${next.value}\n`;
    return text;
  };
  for (let next = await lines.next(); next.done !== true; next = await lines.next()) {
    const command = splitter.push(next.value);
    if (command !== undefined && !(await run(client, command, restOfInput))) return 1;
  }
  const rest = splitter.end();
  return rest === undefined || (await run(client, rest, restOfInput)) ? 0 : 1;
}

/** False when the command failed; the reason has been printed. */
async function run(client: TmshClient, command: string, readText: () => Promise<string>): Promise<boolean> {
  try {
    const isDone = await runLocally(command, client.localHost(readText));
    if (isDone !== undefined) return isDone;
    for await (const text of client.run(command)) {
      if (!process.stdout.write(text)) await new Promise((resolve) => process.stdout.once('drain', resolve));
    }
    return true;
  } catch (error) {
    process.stderr.write(describeFailure(error));
    return false;
  }
}
