// The CPU time of a process and all of its descendants, in nanoseconds, from the scheduler's own books.

import { readFile, readdir } from 'node:fs/promises';

export async function cpuTimeOf(root: number): Promise<bigint> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = new Map<number, number>();
  for (const pid of pids) parents.set(pid, await parentOf(pid));
  let total = 0n;
  for (const pid of pids) {
    if (descendsFrom(pid, root, parents)) total += await ownCpuTime(pid);
  }
  return total;
}

function descendsFrom(pid: number, root: number, parents: ReadonlyMap<number, number>): boolean {
  let at: number | undefined = pid;
  while (at !== undefined && at !== root) at = parents.get(at);
  return at === root;
}

/** 0 for a process that has ended meanwhile. */
async function parentOf(pid: number): Promise<number> {
  const status = await readOrEmpty(`/proc/${pid}/status`);
  return Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1] ?? 0);
}

async function ownCpuTime(pid: number): Promise<bigint> {
  let total = 0n;
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  for (const thread of threads) {
    const [running] = (await readOrEmpty(`/proc/${pid}/task/${thread}/schedstat`)).split(' ');
    total += BigInt(running === undefined || running === '' ? 0 : running);
  }
  return total;
}

const readOrEmpty = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
