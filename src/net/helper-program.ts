// Short-lived helper programs of the system (ip, nft, getent), run to their end.

import { spawn } from 'node:child_process';
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { type Addon, loadAddon } from '../native/addon.ts';

export type CommandResult = {
  /** Exit status; NO_SUCH_PROGRAM when it does not exist, 128 when a signal ended it. */
  status: number;
  stdout: Buffer;
  stderr: string;
};

/** The status that stands for a program that does not exist. */
export const NO_SUCH_PROGRAM = 127;
const KILLED = 128;

/** A helper that hangs (a kernel lock, a broken name service) is ended after this long. */
const TIMEOUT_MS = 10_000;

type Input = string | { descriptor: number };

/** Runs `file` without a shell; never rejects, a failure is a status. `input`: text, or a descriptor to read from. */
export function runCommand(file: string, args: readonly string[], input: Input = ''): Promise<CommandResult> {
  const { addon } = loadAddon();
  return addon === undefined ? runForked(file, args, input) : runShared(addon, file, args, input);
}

/** Without a fork of this process, which costs more than most helpers do (docs/decisions/helper-programs.md). */
async function runShared(addon: Addon, file: string, args: readonly string[], input: Input): Promise<CommandResult> {
  const words = [file, ...args];
  if (words.some((word) => word.includes('\0'))) return notStarted(file, 'EINVAL');
  const [text, descriptor] = typeof input === 'string' ? [input, -1] : ['', input.descriptor];
  const command = Buffer.from(`${words.join('\0')}\0`);
  const [status, stdout, stderr] = await addon.runProgram(command, Buffer.from(text), descriptor, TIMEOUT_MS);
  if (status < 0) return notStarted(file, getSystemErrorName(status));
  return { status, stdout, stderr: stderr.toString().trim() };
}

const notStarted = (file: string, why: string): CommandResult => ({
  status: NO_SUCH_PROGRAM,
  stdout: Buffer.alloc(0),
  stderr: `${file}: ${why}`,
});

/** Where the addon cannot be had. */
export function runForked(file: string, args: readonly string[], input: Input): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      stdio: [typeof input === 'string' ? 'pipe' : input.descriptor, 'pipe', 'pipe'],
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin?.on('error', () => undefined);
    child.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      resolve(notStarted(file, error.code ?? error.message));
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({
        status: code ?? KILLED,
        stdout: Buffer.concat(stdout),
        stderr: Buffer.concat(stderr).toString().trim(),
      });
    });
    if (typeof input === 'string') child.stdin?.end(input);
  });
}

/** Like runCommand, with `input` in a file of its own in `directory`: for a program that seeks in what it reads. */
export async function runCommandOnFile(
  file: string,
  args: readonly string[],
  input: Buffer,
  directory: string,
): Promise<CommandResult> {
  const name = `${directory}/input-${process.pid}`;
  const descriptor = openSync(name, 'wx+', 0o600);
  try {
    unlinkSync(name);
    // At a position: the offset, which the child shares, stays at the beginning.
    writeSync(descriptor, input, 0, input.length, 0);
    return await runCommand(file, args, { descriptor });
  } finally {
    closeSync(descriptor);
  }
}
