// Frames on their way from one thread to another, or from one moment to the next: slots in the arena, used in a circle by
// one that fills them and one that empties them.
//
// The two share the arena and a few control words. Each word has one writer; the order of the stores makes a slot's octets
// visible before the slot is.

import type { Arena } from '../packet/arena.ts';
import { HEADROOM_OCTETS } from '../packet/frame.ts';

export type FrameRingMemory = {
  /** Arena offset of the slots. */
  offset: number;
  slots: number;
  control: SharedArrayBuffer;
};

/** Room for the largest super-frame, its headroom, and a tag. */
export const FRAME_RING_SLOT_OCTETS = 65 * 1024 + 512;

const FILLED = 0; // slots that were ever filled
const EMPTIED = 1; // slots that were ever emptied
const LOST = 2; // frames that found no slot
const LENGTHS = 4; // octets of the frame in each slot

export const frameRingOctets = (slots: number): number => slots * FRAME_RING_SLOT_OCTETS;

/** Memory for a ring of slots, a power of two of them, whose octets are at `offset`. */
export function createFrameRing(offset: number, slots: number): FrameRingMemory {
  return { offset, slots, control: new SharedArrayBuffer((LENGTHS + slots) * 4) };
}

export class FrameRing {
  readonly #bytes: Uint8Array;
  readonly #control: Int32Array;
  readonly #offset: number;
  readonly #slots: number;

  constructor(arena: Arena, { offset, slots, control }: FrameRingMemory) {
    this.#bytes = arena.bytes;
    this.#control = new Int32Array(control);
    this.#offset = offset;
    this.#slots = slots;
  }

  /** Frames that were filled in and not yet emptied. */
  get waiting(): number {
    return (Atomics.load(this.#control, FILLED) - Atomics.load(this.#control, EMPTIED)) | 0;
  }

  /** Frames that found no free slot. */
  get lost(): number {
    return Atomics.load(this.#control, LOST) >>> 0;
  }

  /** Whether the next frame finds no slot: for who fills. */
  get isFull(): boolean {
    return ((this.#control[FILLED]! - Atomics.load(this.#control, EMPTIED)) | 0) >= this.#slots;
  }

  /** Counts a frame that was not filled in. */
  lose(): void {
    Atomics.add(this.#control, LOST, 1);
  }

  /** Copies a frame into the next slot; false, and counted, when none is free. */
  fill(source: Uint8Array, start: number, octets: number): boolean {
    if (this.isFull) {
      this.lose();
      return false;
    }
    const filled = this.#control[FILLED]!;
    const slot = filled & (this.#slots - 1);
    const to = this.start(slot);
    const bytes = this.#bytes;
    for (let index = 0; index < octets; index++) bytes[to + index] = source[start + index]!;
    this.#control[LENGTHS + slot] = octets;
    Atomics.store(this.#control, FILLED, (filled + 1) | 0);
    return true;
  }

  /** The slot of the frame that waits behind `ahead` others. */
  slot(ahead: number): number {
    return (this.#control[EMPTIED]! + ahead) & (this.#slots - 1);
  }

  /** Arena offset of the frame in a slot: at 2 modulo 4, behind its headroom. */
  start(slot: number): number {
    return this.#offset + slot * FRAME_RING_SLOT_OCTETS + HEADROOM_OCTETS + 2;
  }

  octets(slot: number): number {
    return this.#control[LENGTHS + slot]!;
  }

  /** Makes the slots of the first `count` frames free. */
  empty(count: number): void {
    Atomics.store(this.#control, EMPTIED, (this.#control[EMPTIED]! + count) | 0);
  }
}
