// One `wideplane up` per state directory, by flock(2) on a file in it.
//
// Node.js has no flock, so flock(1) takes it on a descriptor that it inherits: the lock belongs to the open file and
// stays with us when that helper ends. The guardian holds the same open file, so the directory is free only when the
// devices that a killed `up` left behind are restored. The kernel drops the lock when the last holder has died.

import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { spawn } from 'node:child_process';

/** How long to wait for the guardian of a killed `up` to finish. */
const GUARDIAN_WAIT_S = 15;

export type StateLock = {
  /** The open, locked file: hand it to whoever should hold the lock too. */
  descriptor: number;
  release(): void;
};

/** Locks `file` (created when missing); throws when a running process holds it. */
export async function lockState(file: string, state: string): Promise<StateLock> {
  const descriptor = openSync(file, 'a+', 0o600);
  try {
    if (!(await flock(['-n'], descriptor))) {
      const holder = Number(readFileSync(file, 'utf8'));
      if (isRunning(holder)) {
        throw new Error(
          `state directory ${state} is in use by "wideplane up" with process id ${holder}: ` +
            'stop that one, or name another directory with --state',
        );
      }
      if (!(await flock(['-w', String(GUARDIAN_WAIT_S)], descriptor))) {
        throw new Error(
          `state directory ${state} is locked, but not by a "wideplane up" seen from here: ` +
            `see who holds it with "lslocks", or name another directory with --state`,
        );
      }
    }
    ftruncateSync(descriptor, 0);
    writeSync(descriptor, String(process.pid));
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  return { descriptor, release: () => closeSync(descriptor) };
}

async function flock(options: string[], descriptor: number): Promise<boolean> {
  const child = spawn('flock', [...options, '3'], { stdio: ['ignore', 'ignore', 'ignore', descriptor] });
  return new Promise((resolve, reject) => {
    child.on('error', () => reject(new Error('flock not found: install util-linux')));
    child.on('exit', (code) => resolve(code === 0));
  });
}

/** Whether a process exists that is more than a zombie. */
export function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid < 1) return false;
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return status.slice(status.lastIndexOf(')') + 2, status.lastIndexOf(')') + 3) !== 'Z';
  } catch {
    return false;
  }
}
