// A port that treats the frames of another as a bad network would: for tests of whatever stands behind it.
//
// Faults befall what is received. Each is drawn from the given random source, so a seed repeats a run exactly, and each is
// counted, so a test can balance its books.

import type { Verdict } from '../core/drop-reason.ts';
import type { Arena } from '../packet/arena.ts';
import { type Frame, FrameBatch } from '../packet/frame.ts';
import type { FramePool } from '../packet/pool.ts';
import type { Port, PortCounters, PortMedium } from './port.ts';

/** Probabilities from 0 to 1, each by itself; what is left out never happens. */
export type Faults = {
  loss?: number;
  duplication?: number;
  /** The frame changes places with the one behind it in the same receive. */
  reordering?: number;
  truncation?: number;
  bitFlip?: number;
};

export type FaultCounts = {
  lost: number;
  duplicated: number;
  reordered: number;
  truncated: number;
  flipped: number;
  /** Duplications that did not happen, for want of a slot in the pool. */
  notDuplicated: number;
};

export class FaultInjector implements Port {
  readonly counts: FaultCounts = { lost: 0, duplicated: 0, reordered: 0, truncated: 0, flipped: 0, notDuplicated: 0 };
  readonly #port: Port;
  readonly #arena: Arena;
  readonly #pool: FramePool;
  readonly #faults: Required<Faults>;
  readonly #random: () => number;
  readonly #incoming = new FrameBatch();
  /** Copies that live until the next receive, and their slots of the pool: to others they are memory of a port. */
  readonly #copies: Frame[] = [];
  readonly #slots: number[] = [];

  /** `pool` lends the memory of duplicates; `random` gives numbers from 0 up to but not including 1. */
  constructor(port: Port, pool: FramePool, faults: Faults, random: () => number) {
    this.#port = port;
    this.#arena = pool.arena;
    this.#pool = pool;
    this.#faults = { loss: 0, duplication: 0, reordering: 0, truncation: 0, bitFlip: 0, ...faults };
    this.#random = random;
  }

  get name(): string {
    return this.#port.name;
  }
  get medium(): PortMedium {
    return this.#port.medium;
  }
  get index(): number {
    return this.#port.index;
  }
  get maxFrameOctets(): number {
    return this.#port.maxFrameOctets;
  }
  get descriptors(): readonly number[] {
    return this.#port.descriptors;
  }
  get needsFinished(): boolean | undefined {
    return this.#port.needsFinished;
  }
  get isUp(): boolean {
    return this.#port.isUp;
  }
  get counters(): Readonly<PortCounters> {
    return this.#port.counters;
  }
  get cutsTunnelled(): boolean {
    return this.#port.cutsTunnelled === true;
  }

  /** Up to twice BURST frames, when each is duplicated. */
  receive(into: FrameBatch): number {
    this.#releaseCopies();
    const incoming = this.#incoming;
    incoming.clear();
    this.#port.receive(incoming);
    const before = into.length;
    for (let index = 0; index < incoming.length; index++) {
      const frame = incoming.frames[index]!;
      if (this.#happens(this.#faults.loss)) {
        this.counts.lost += 1;
        continue;
      }
      if (this.#happens(this.#faults.truncation)) this.#truncate(frame);
      if (this.#happens(this.#faults.bitFlip)) this.#flip(frame);
      into.push(frame);
      if (this.#happens(this.#faults.duplication)) this.#duplicate(frame, into);
    }
    this.#reorder(into, before);
    return into.length - before;
  }

  transmit(batch: FrameBatch, refuse: (frame: Frame, why: Verdict) => void): void {
    this.#port.transmit(batch, refuse);
  }

  close(): void {
    this.#releaseCopies();
    this.#port.close();
  }

  #happens(probability: number): boolean {
    return probability > 0 && this.#random() < probability;
  }

  #upTo(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #truncate(frame: Frame): void {
    frame.end = frame.start + this.#upTo(frame.end - frame.start);
    this.counts.truncated += 1;
  }

  #flip(frame: Frame): void {
    const octets = frame.end - frame.start;
    if (octets === 0) return;
    this.#arena.bytes[frame.start + this.#upTo(octets)]! ^= 1 << this.#upTo(8);
    this.counts.flipped += 1;
  }

  #duplicate(frame: Frame, into: FrameBatch): void {
    const copy = this.#pool.copy(frame);
    if (copy === undefined) {
      this.counts.notDuplicated += 1;
      return;
    }
    this.#copies.push(copy);
    this.#slots.push(copy.slot);
    copy.slot = -1;
    into.push(copy);
    this.counts.duplicated += 1;
  }

  #reorder(into: FrameBatch, from: number): void {
    for (let index = from; index + 1 < into.length; index++) {
      if (!this.#happens(this.#faults.reordering)) continue;
      const frame = into.frames[index]!;
      into.frames[index] = into.frames[index + 1]!;
      into.frames[index + 1] = frame;
      this.counts.reordered += 1;
      index += 1;
    }
  }

  #releaseCopies(): void {
    for (const [index, copy] of this.#copies.entries()) {
      copy.slot = this.#slots[index]!;
      this.#pool.release(copy);
    }
    this.#copies.length = 0;
    this.#slots.length = 0;
  }
}
