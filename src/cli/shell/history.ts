// The commands that were typed, over sessions: a file that only its owner can read, one command a line, the newest last.

import { appendFile, chmod, readFile, writeFile } from 'node:fs/promises';
import { mentionsSecret } from '../../tmsh/secrets.ts';

/** Commands that are kept. */
export const HISTORY_SIZE = 1000;

const OWNER_ONLY = 0o600;

export class History {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** The newest first, as node:readline wants them; none where the file cannot be read. */
  async load(): Promise<string[]> {
    let lines: string[];
    try {
      lines = (await readFile(this.#file, 'utf8')).split('\n').filter((line) => line !== '');
      await chmod(this.#file, OWNER_ONLY);
      if (lines.length > 2 * HISTORY_SIZE) {
        lines = lines.slice(-HISTORY_SIZE);
        await writeFile(this.#file, `${lines.join('\n')}\n`, { mode: OWNER_ONLY });
      }
    } catch {
      return [];
    }
    return lines.slice(-HISTORY_SIZE).reverse();
  }

  /** A history that cannot be written must not get in the way of work. */
  async append(line: string): Promise<void> {
    await appendFile(this.#file, `${line}\n`, { mode: OWNER_ONLY }).catch(() => undefined);
  }
}

/** A command on one line, as it is remembered; undefined: it must not be, or cannot. */
export function rememberedLine(command: string): string | undefined {
  if (mentionsSecret(command)) return undefined;
  const line = command.trim();
  if (!line.includes('\n')) return line === '' ? undefined : line;
  // Joined lines would read otherwise.
  if (/"|\\\n|^\s*#/m.test(line)) return undefined;
  return line.replace(/\s*\n\s*/g, ' ');
}
