// How much memory a process has.

import { readFileSync } from 'node:fs';

/** Resident octets (VmRSS, proc(5)); undefined when the process has gone. */
export function residentOctets(pid: number): number | undefined {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}
