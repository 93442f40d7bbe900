// How loaded this machine is, by what the kernel shows in /proc.

import { readFile } from 'node:fs/promises';

/** Sums since the machine started. */
export type MachineCounters = {
  /** Of all CPUs, in ticks. */
  readonly busy: number;
  readonly total: number;
  /** Kilobytes. */
  readonly memoryAvailable: number;
  /** Both ways, over all interfaces but loopback. */
  readonly octets: number;
  readonly packets: number;
  readonly atMs: number;
};

export type MachineLoad = {
  /** Per cent of all CPUs. */
  readonly cpu: number;
  /** Kilobytes. */
  readonly memoryAvailable: number;
  readonly packetsPerSecond: number;
  readonly kilobytesPerSecond: number;
};

/** Rejects with an Error when the kernel shows nothing. */
export async function readMachine(): Promise<MachineCounters> {
  const [stat, memory, devices] = await Promise.all(
    ['/proc/stat', '/proc/meminfo', '/proc/net/dev'].map((path) => readFile(path, 'utf8')),
  );
  return {
    ...cpuTicks(stat!),
    memoryAvailable: memoryAvailable(memory!),
    ...deviceCounters(devices!),
    atMs: performance.now(),
  };
}

/** What happened between two looks; counters that went back (an interface that has gone) count as nothing. */
export function loadBetween(before: MachineCounters, after: MachineCounters): MachineLoad {
  const seconds = Math.max(0.001, (after.atMs - before.atMs) / 1000);
  const total = after.total - before.total;
  const busy = Math.max(0, after.busy - before.busy);
  const rate = (count: number): number => Math.round(Math.max(0, count) / seconds);
  return {
    cpu: total > 0 ? Math.min(100, Math.round((100 * busy) / total)) : 0,
    memoryAvailable: after.memoryAvailable,
    packetsPerSecond: rate(after.packets - before.packets),
    kilobytesPerSecond: rate((after.octets - before.octets) / 1000),
  };
}

/** Of the first line of /proc/stat: user nice system idle iowait irq softirq steal guest guest_nice; guests are in user already. */
export function cpuTicks(stat: string): { busy: number; total: number } {
  const words = (/^cpu +(.*)$/m.exec(stat)?.[1] ?? '').split(' ').slice(0, 8).map(Number);
  const total = words.reduce((sum, ticks) => sum + ticks, 0);
  return { busy: total - (words[3] ?? 0) - (words[4] ?? 0), total };
}

/** What a kernel before 3.14 does not say is what is free. */
export function memoryAvailable(text: string): number {
  const line = /^MemAvailable: +(\d+) kB$/m.exec(text) ?? /^MemFree: +(\d+) kB$/m.exec(text);
  return Number(line?.[1] ?? 0);
}

export function deviceCounters(text: string): { octets: number; packets: number } {
  let octets = 0;
  let packets = 0;
  for (const line of text.split('\n').slice(2)) {
    const [name, counters] = [line.slice(0, line.indexOf(':')).trim(), line.slice(line.indexOf(':') + 1)];
    if (name === '' || name === 'lo') continue;
    const words = counters.trim().split(/ +/).map(Number);
    octets += (words[0] ?? 0) + (words[8] ?? 0);
    packets += (words[1] ?? 0) + (words[9] ?? 0);
  }
  return { octets, packets };
}
