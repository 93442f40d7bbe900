// Commands that the process of whoever types has a part in: an editor, a program of this host, a
// text that is typed. Everything else goes to
// configd as it is.

import { Scanner } from '../config/scanner.ts';
import { ConfigSyntaxError } from '../core/errors.ts';
import { UTILITIES } from '../tmsh/verbs/run.ts';
import { editObjects } from './edit.ts';
import { loadTyped } from './load-typed.ts';
import type { LocalCommandHost } from './local-host.ts';
import { runUtility } from './run-util.ts';

/** True or false when the command was run here and has succeeded or failed; undefined when it is for configd. Throws an IpcError. */
export async function runLocally(command: string, host: LocalCommandHost): Promise<boolean | undefined> {
  const words = wordsOf(command);
  if (words[0] === 'edit') return editObjects(command, host);
  if (takesTypedText(words)) return loadTyped(command, host);
  const utility = UTILITIES.find((name) => name === words[2]);
  if (words[0] !== 'run' || bare(words[1]) !== 'util' || utility === undefined) return undefined;
  return (await runUtility(utility, words.slice(3))) === 0;
}

function takesTypedText(words: readonly string[]): boolean {
  return words[0] === 'load' && words.includes('from-terminal');
}

/** Whether a command is one of those, so that it needs the terminal. */
export function mayBeLocal(command: string): boolean {
  const words = wordsOf(command);
  return words[0] === 'edit' || words[0] === 'run' || takesTypedText(words);
}

function bare(word: string | undefined): string | undefined {
  return word?.replace(/^\//, '');
}

/** Words as tmsh reads them; a text in single quotes, as a shell would have it, is one as well. */
function wordsOf(command: string): string[] {
  const words: string[] = [];
  const quoted = /^(.*?)\s'([^']*)'\s*$/s.exec(command);
  const scanner = new Scanner(quoted?.[1] ?? command);
  try {
    for (let token = scanner.next(); token !== undefined; token = scanner.next()) words.push(token.text);
  } catch (error) {
    if (!(error instanceof ConfigSyntaxError)) throw error;
  }
  if (quoted !== null) words.push(quoted[2]!);
  if (words[0] === 'tmsh') words.shift();
  return words;
}
