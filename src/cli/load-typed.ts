// `load sys config from-terminal`: the text is read here, and goes to configd with the command.

import { IpcError } from '../ipc/ipc-error.ts';
import { MAX_INPUT_CHARACTERS } from './edit.ts';
import { describeFailure } from './tmsh-client.ts';
import type { LocalCommandHost } from './local-host.ts';

/** True when it was loaded. Throws an IpcError when configd cannot be reached. */
export async function loadTyped(command: string, host: LocalCommandHost): Promise<boolean> {
  const text = await host.readText();
  if (text === undefined) return false;
  if (text.length > MAX_INPUT_CHARACTERS) {
    host.complain(`The text has more than ${MAX_INPUT_CHARACTERS} characters: load it from a file.\n`);
    return false;
  }
  try {
    host.print(await host.send(command, text));
    return true;
  } catch (error) {
    if (!(error instanceof IpcError && error.code === 'failed')) throw error;
    host.complain(describeFailure(error));
    return false;
  }
}
