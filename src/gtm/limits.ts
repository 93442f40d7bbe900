// Whether something carries more than it may.

import type { Limits, ServerLimits } from './description.ts';
import type { ServerFacts } from './facts.ts';

/** What is undefined is not known, and exceeds nothing. Kilobytes are 1000 octets. */
export type Load = {
  readonly connections?: number | undefined;
  readonly packetsPerSecond?: number | undefined;
  readonly kilobytesPerSecond?: number | undefined;
};

const BITS_PER_KILOBYTE = 8000;

const isAbove = (value: number | undefined, limit: number | undefined): boolean =>
  limit !== undefined && value !== undefined && value > limit;

/** Which of its limits something is over, as a person reads it; undefined: none. */
export function exceededLimit(limits: Limits, load: Load | undefined): string | undefined {
  if (load === undefined) return undefined;
  const { connections, packetsPerSecond, kilobytesPerSecond } = load;
  const bits = kilobytesPerSecond === undefined ? undefined : kilobytesPerSecond * BITS_PER_KILOBYTE;
  if (isAbove(connections, limits.connections)) return `${connections} connections, limit ${limits.connections}`;
  if (isAbove(packetsPerSecond, limits.packetsPerSecond)) {
    return `${packetsPerSecond} packets per second, limit ${limits.packetsPerSecond}`;
  }
  if (isAbove(bits, limits.bitsPerSecond)) return `${bits} bits per second, limit ${limits.bitsPerSecond}`;
  return undefined;
}

export function exceededServerLimit(limits: ServerLimits, facts: ServerFacts | undefined): string | undefined {
  if (isAbove(facts?.cpu, limits.cpuUsage)) return `CPU ${facts!.cpu} per cent, limit ${limits.cpuUsage}`;
  // Memory must be there, where all others must not be exceeded.
  if (isAbove(limits.memoryAvailable, facts?.memoryAvailable)) {
    return `${facts!.memoryAvailable} kilobytes of memory free, limit ${limits.memoryAvailable}`;
  }
  return exceededLimit(limits, facts);
}

export const hasLimits = ({ connections, packetsPerSecond, bitsPerSecond }: Limits): boolean =>
  connections !== undefined || packetsPerSecond !== undefined || bitsPerSecond !== undefined;
