// Short-lived helper programs of the system (ip, nft, getent), run to their end.

import { spawn } from 'node:child_process';

export type CommandResult = {
  /** Exit status; 127 when the program does not exist, 128 and more when a signal ended it. */
  status: number;
  stdout: Buffer;
  stderr: string;
};

const NOT_FOUND = 127;
const KILLED = 128;

/** A helper that hangs (a kernel lock, a broken name service) is ended after this long. */
const TIMEOUT_MS = 10_000;

/** Runs `file` without a shell; never rejects, a failure is a status. */
export function runCommand(file: string, args: readonly string[], input?: string | Buffer): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: TIMEOUT_MS, killSignal: 'SIGKILL' });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on('error', () => undefined);
    child.on('error', (error: NodeJS.ErrnoException) => {
      resolve({ status: NOT_FOUND, stdout: Buffer.alloc(0), stderr: `${file}: ${error.code ?? error.message}` });
    });
    child.on('close', (code) => {
      resolve({
        status: code ?? KILLED,
        stdout: Buffer.concat(stdout),
        stderr: Buffer.concat(stderr).toString().trim(),
      });
    });
    child.stdin.end(input);
  });
}
