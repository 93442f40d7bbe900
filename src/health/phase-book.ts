// When within its interval each instance is probed: who comes takes the part of the interval in which the fewest are, so that all
// parts have the same load, whoever comes and goes.

import type { Timing } from './monitor.ts';

/** Parts of an interval; a power of two. */
const PARTS = 256;
/** Parts in an order in which those that follow each other are far apart: bits of the number, read backwards. */
const ORDER = Uint8Array.from({ length: PARTS }, (_, part) => {
  let reversed = 0;
  for (let bit = 1; bit < PARTS; bit <<= 1) reversed = (reversed << 1) | ((part & bit) === 0 ? 0 : 1);
  return reversed;
});

export class PhaseBook {
  readonly #random: () => number;
  /** How many are in each part, by the intervals that they have. */
  readonly #loads = new Map<string, Uint32Array>();

  /** `random`: from 0 to 1, for the place within a part. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** A phase from 0 to 1, to be given back. */
  take(timing: Timing): number {
    const key = keyOf(timing);
    let loads = this.#loads.get(key);
    if (loads === undefined) this.#loads.set(key, (loads = new Uint32Array(PARTS)));
    let best = ORDER[0]!;
    for (const part of ORDER) if (loads[part]! < loads[best]!) best = part;
    loads[best]!++;
    return (best + this.#random()) / PARTS;
  }

  give(timing: Timing, phase: number): void {
    const key = keyOf(timing);
    const loads = this.#loads.get(key);
    if (loads === undefined) return;
    loads[Math.floor(phase * PARTS)]!--;
    if (loads.every((load) => load === 0)) this.#loads.delete(key);
  }
}

/** The next time after `after` at which something is due every `period` milliseconds. */
export function nextDue(phase: number, period: number, after: number): number {
  const first = Math.floor(phase * period);
  return first + (Math.floor((after - first) / period) + 1) * period;
}

function keyOf({ interval, upInterval }: Timing): string {
  return `${interval} ${upInterval}`;
}
