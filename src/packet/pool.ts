// Buffers for frames that do not live in a port's memory: copies for flooding, frames that wait, frames made here.
//
// Two size classes, each a stack of free slots in the arena: acquiring and releasing is a move of an index.

import type { Arena } from './arena.ts';
import { copyMetadata, Frame, HEADROOM_OCTETS, resetMetadata } from './frame.ts';

export type PoolSizes = { smallSlots: number; largeSlots: number };

/** Octets of frame that a small slot holds: an untagged 1500-octet MTU with room to spare. */
export const SMALL_FRAME_OCTETS = 1792;
/** A jumbo frame of 9216 octets of payload with its Ethernet header and two VLAN tags. */
export const LARGE_FRAME_OCTETS = 9344;

// A frame starts at 2 modulo 4, so that a 50-octet outer header in front of it starts on a word boundary.
const START = HEADROOM_OCTETS + 2;
const SMALL_STRIDE = 2048;
const LARGE_STRIDE = 9728;

export const DEFAULT_POOL: PoolSizes = { smallSlots: 4096, largeSlots: 512 };

/** Octets of arena that a pool of these sizes occupies. */
export function poolOctets(sizes: PoolSizes): number {
  return sizes.smallSlots * SMALL_STRIDE + sizes.largeSlots * LARGE_STRIDE;
}

export class FramePool {
  readonly arena: Arena;
  readonly #frames: Frame[] = [];
  readonly #small: Int32Array;
  readonly #large: Int32Array;
  readonly #smallSlots: number;
  #smallFree = 0;
  #largeFree = 0;

  /** `offset`: where in the arena the `poolOctets(sizes)` octets of this pool begin. */
  constructor(arena: Arena, offset: number, sizes: PoolSizes) {
    this.arena = arena;
    this.#smallSlots = sizes.smallSlots;
    this.#small = new Int32Array(sizes.smallSlots);
    this.#large = new Int32Array(sizes.largeSlots);
    for (let slot = 0; slot < sizes.smallSlots + sizes.largeSlots; slot++) {
      const frame = new Frame();
      frame.slot = slot;
      frame.headroomStart =
        slot < sizes.smallSlots
          ? offset + slot * SMALL_STRIDE
          : offset + sizes.smallSlots * SMALL_STRIDE + (slot - sizes.smallSlots) * LARGE_STRIDE;
      this.#frames.push(frame);
      this.#putBack(slot);
    }
  }

  /** Slots that are free, of both classes. */
  get free(): number {
    return this.#smallFree + this.#largeFree;
  }

  /** An empty frame with full headroom that can grow to `octets`, or undefined when none is free or it is too large. */
  acquire(octets: number): Frame | undefined {
    let slot: number;
    if (octets <= SMALL_FRAME_OCTETS && this.#smallFree > 0) slot = this.#small[--this.#smallFree]!;
    else if (octets <= LARGE_FRAME_OCTETS && this.#largeFree > 0) slot = this.#large[--this.#largeFree]!;
    else return undefined;
    const frame = this.#frames[slot]!;
    frame.start = frame.headroomStart + START;
    frame.end = frame.start;
    frame.port = -1;
    resetMetadata(frame);
    return frame;
  }

  /** How many octets a frame of this pool that was not moved can grow to. */
  roomOf(frame: Frame): number {
    return frame.slot < this.#smallSlots ? SMALL_FRAME_OCTETS : LARGE_FRAME_OCTETS;
  }

  /** A copy of the octets and of what is known of them; the endpoint and offload marks come along. */
  copy(source: Frame): Frame | undefined {
    const octets = source.end - source.start;
    const frame = this.acquire(octets);
    if (frame === undefined) return undefined;
    this.arena.bytes.copyWithin(frame.start, source.start, source.end);
    frame.end = frame.start + octets;
    copyMetadata(source, frame);
    if (source.checksumStart !== 0) frame.checksumStart = source.checksumStart - source.start + frame.start;
    frame.checksumOffset = source.checksumOffset;
    frame.gsoType = source.gsoType;
    frame.gsoSize = source.gsoSize;
    return frame;
  }

  /** Gives a frame back; frames that live in a port's memory are left to the port. */
  release(frame: Frame): void {
    if (frame.slot >= 0) this.#putBack(frame.slot);
  }

  #putBack(slot: number): void {
    if (slot < this.#smallSlots) this.#small[this.#smallFree++] = slot;
    else this.#large[this.#largeFree++] = slot;
  }
}
