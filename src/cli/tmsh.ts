// `wideplane tmsh`: sends commands to configd and prints what it answers.

import { createInterface } from 'node:readline/promises';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { errorText } from '../core/errors.ts';
import { IpcClient } from '../ipc/ipc-client.ts';
import { IpcError } from '../ipc/ipc-error.ts';

export type TmshFlags = {
  state: string;
  /** Commands of `-c`, in order; none: standard input, or a prompt on a terminal. */
  commands: readonly string[];
};

/** Runs the commands; stops at the first that fails. Resolves to the exit status, 0 or 1. */
export async function tmsh({ state, commands }: TmshFlags): Promise<number> {
  let client: IpcClient;
  try {
    client = await IpcClient.connect(join(state, 'configd.sock'));
  } catch (error) {
    console.error(`${errorText(error)}; start it with: wideplane up --state ${state}`);
    return 1;
  }
  try {
    if (commands.length > 0) return await runAll(client, commands);
    return process.stdin.isTTY ? await prompt(client) : await runInput(client);
  } finally {
    client.close();
  }
}

async function runAll(client: IpcClient, commands: readonly string[]): Promise<number> {
  for (const command of commands) if (!(await run(client, command))) return 1;
  return 0;
}

/** One command a line; a command with an open brace goes on until it is closed. */
async function runInput(client: IpcClient): Promise<number> {
  let command = '';
  for await (const line of createInterface({ input: process.stdin })) {
    command += command === '' ? line : `\n${line}`;
    if (openBraces(command) > 0) continue;
    if (command.trim() !== '' && !(await run(client, command))) return 1;
    command = '';
  }
  if (command.trim() === '') return 0;
  return (await run(client, command)) ? 0 : 1;
}

async function prompt(client: IpcClient): Promise<number> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  let failed = false;
  try {
    for (;;) {
      const line = await lines.question(`${userInfo().username}@(${hostname().split('.')[0]!})(tmos)# `);
      if (line.trim() === 'quit' || line.trim() === 'exit') return failed ? 1 : 0;
      if (line.trim() !== '') failed = !(await run(client, line));
    }
  } catch (error) {
    // The end of the input ends the shell.
    if (error instanceof Error && error.name === 'AbortError') return failed ? 1 : 0;
    throw error;
  } finally {
    lines.close();
  }
}

/** True when the command succeeded; its error goes to standard error. */
async function run(client: IpcClient, command: string): Promise<boolean> {
  try {
    const params = { command, directory: process.cwd(), user: userInfo().username };
    for await (const { text } of client.stream('tmsh', params)) process.stdout.write(text);
    return true;
  } catch (error) {
    if (!(error instanceof IpcError)) throw error;
    console.error(error.message);
    return false;
  }
}

/** Braces that are open at the end of the text, quoted ones not counted. */
function openBraces(text: string): number {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '\\') at += 1;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && character === '{') depth += 1;
    else if (!quoted && character === '}') depth -= 1;
  }
  return depth;
}
