// `edit`: objects as text in an editor, and back to configd when the editor has ended.

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EDIT_CONFLICT, IpcError } from '../ipc/ipc-error.ts';
import { listingDigest } from '../tmsh/edit-conflict.ts';
import type { LocalCommandHost } from './local-host.ts';

/** A message between processes holds a megabyte, in which line feeds take two octets each. */
export const MAX_INPUT_CHARACTERS = 400_000;

/** True when the objects are what the text says in the end. Throws an IpcError when there is nothing to edit. */
export async function editObjects(command: string, host: LocalCommandHost): Promise<boolean> {
  const before = await host.send(command);
  const directory = await mkdtemp(join(tmpdir(), 'wideplane-edit-'));
  const file = join(directory, 'objects.tmsh');
  let isKept = false;
  try {
    await writeFile(file, before, { mode: 0o600 });
    for (;;) {
      const failure = await openEditor(file);
      if (failure !== undefined) {
        host.complain(`${failure}\n`);
        return false;
      }
      const after = await readFile(file, 'utf8');
      if (after === before) {
        host.print('Nothing was changed.\n');
        return true;
      }
      const problem = await refusal(command, after, before, host);
      if (problem === undefined) return true;
      host.complain(`${problem.text.replace(/^edit:/gm, `${file}:`)}\n`);
      if (problem.isConflict) {
        isKept = true;
        host.complain(`Your text is kept in ${file}\n`);
        return false;
      }
      const answer = (await host.ask?.('Edit again? (y/n) ')) ?? 'n';
      if (!/^y(es)?$/i.test(answer.trim())) {
        host.complain('Nothing was changed.\n');
        return false;
      }
    }
  } finally {
    if (!isKept) await rm(directory, { recursive: true, force: true });
  }
}

/** With `isConflict` the same text will be refused again. */
type Refusal = { readonly text: string; readonly isConflict: boolean };

/** Why the text was refused; undefined when it was taken. */
async function refusal(
  command: string,
  given: string,
  before: string,
  host: LocalCommandHost,
): Promise<Refusal | undefined> {
  if (given.length > MAX_INPUT_CHARACTERS) {
    const text = `The text has more than ${MAX_INPUT_CHARACTERS} characters: write it to a file, and load sys config file FILE merge.`;
    return { text, isConflict: false };
  }
  try {
    host.print(await host.send(command, given, listingDigest(before)));
    return undefined;
  } catch (error) {
    if (!(error instanceof IpcError && error.code === 'failed')) throw error;
    return { text: error.message, isConflict: error.details === EDIT_CONFLICT };
  }
}

/** What went wrong; undefined when the editor ended well. */
function openEditor(file: string): Promise<string | undefined> {
  const editor = [process.env.VISUAL, process.env.EDITOR].find((value) => value !== undefined && value !== '') ?? 'vi';
  return new Promise((resolve) => {
    // The variable is a command line, with options.
    const child = spawn('sh', ['-c', `${editor} "$1"`, 'sh', file], { stdio: 'inherit' });
    child.on('error', (error) => resolve(`cannot start ${editor}: ${error.message}`));
    child.on('close', (status, signal) => {
      if (status === 0) resolve(undefined);
      else resolve(`The editor (${editor}) ended with ${signal ?? `status ${status}`}: nothing was changed.`);
    });
  });
}
