// `run util …`: a program of this host, started by and with the rights of whoever types. No shell reads the words.

import { spawn } from 'node:child_process';

/** Resolves to the exit status; 127 when there is no such program, as a shell has it. */
export function runUtility(program: string, words: readonly string[]): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(program, words, { stdio: 'inherit' });
    child.on('error', (error: NodeJS.ErrnoException) => {
      const reason = error.code === 'ENOENT' ? 'it is not installed' : error.message;
      process.stderr.write(`cannot run ${program}: ${reason}\n`);
      resolve(127);
    });
    child.on('close', (status) => resolve(status ?? 1));
  });
}
