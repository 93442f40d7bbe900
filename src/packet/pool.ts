// Buffers for frames that do not live in a port's memory: copies for flooding, frames that wait, frames made here.
//
// Three size classes, each a stack of free slots in the arena: acquiring and releasing is a move of an index. Those of the
// third hold a whole IP packet of any length; there are few, for packets that are put together of fragments.

import type { Arena } from './arena.ts';
import { copyMetadata, Frame, HEADROOM_OCTETS, resetMetadata } from './frame.ts';

/** `packetSlots`: default 0. */
export type PoolSizes = { smallSlots: number; largeSlots: number; packetSlots?: number };

/** Octets of frame that a small slot holds: an untagged 1500-octet MTU with room to spare. */
export const SMALL_FRAME_OCTETS = 1792;
/** A jumbo frame of 9216 octets of payload with its Ethernet header and two VLAN tags. */
export const LARGE_FRAME_OCTETS = 9344;
/** The longest IP packet, with room in front for link headers. */
export const PACKET_FRAME_OCTETS = 65_535 + 129;

// A frame starts at 2 modulo 4, so that a 50-octet outer header in front of it starts on a word boundary.
const START = HEADROOM_OCTETS + 2;
const SMALL_STRIDE = 2048;
const LARGE_STRIDE = 9728;
const PACKET_STRIDE = 66_048;

export const DEFAULT_POOL: PoolSizes = { smallSlots: 4096, largeSlots: 512, packetSlots: 64 };

/** Octets of arena that a pool of these sizes occupies. */
export function poolOctets({ smallSlots, largeSlots, packetSlots = 0 }: PoolSizes): number {
  return smallSlots * SMALL_STRIDE + largeSlots * LARGE_STRIDE + packetSlots * PACKET_STRIDE;
}

export class FramePool {
  readonly arena: Arena;
  readonly #frames: Frame[] = [];
  readonly #small: Int32Array;
  readonly #large: Int32Array;
  readonly #packets: Int32Array;
  /** Numbers of the first slots of the second and of the third class. */
  readonly #firstLarge: number;
  readonly #firstPacket: number;
  #smallFree = 0;
  #largeFree = 0;
  #packetsFree = 0;

  /** `offset`: where in the arena the `poolOctets(sizes)` octets of this pool begin. */
  constructor(arena: Arena, offset: number, sizes: PoolSizes) {
    const { smallSlots, largeSlots, packetSlots = 0 } = sizes;
    this.arena = arena;
    this.#firstLarge = smallSlots;
    this.#firstPacket = smallSlots + largeSlots;
    this.#small = new Int32Array(smallSlots);
    this.#large = new Int32Array(largeSlots);
    this.#packets = new Int32Array(packetSlots);
    let at = offset;
    for (let slot = 0; slot < smallSlots + largeSlots + packetSlots; slot++) {
      const frame = new Frame();
      frame.slot = slot;
      frame.headroomStart = at;
      at += slot < this.#firstLarge ? SMALL_STRIDE : slot < this.#firstPacket ? LARGE_STRIDE : PACKET_STRIDE;
      this.#frames.push(frame);
      this.#putBack(slot);
    }
  }

  /** Slots that are free, of all classes. */
  get free(): number {
    return this.#smallFree + this.#largeFree + this.#packetsFree;
  }

  /** An empty frame with full headroom that can grow to `octets`, or undefined when none is free or it is too large. */
  acquire(octets: number): Frame | undefined {
    if (octets <= SMALL_FRAME_OCTETS && this.#smallFree > 0) return this.#take(this.#small[--this.#smallFree]!);
    if (octets <= LARGE_FRAME_OCTETS && this.#largeFree > 0) return this.#take(this.#large[--this.#largeFree]!);
    return undefined;
  }

  /** The same with the few buffers that hold any IP packet, for who needs one that is larger than a frame. */
  acquireForPacket(octets: number): Frame | undefined {
    if (octets <= LARGE_FRAME_OCTETS) return this.acquire(octets);
    if (octets > PACKET_FRAME_OCTETS || this.#packetsFree === 0) return undefined;
    return this.#take(this.#packets[--this.#packetsFree]!);
  }

  #take(slot: number): Frame {
    const frame = this.#frames[slot]!;
    frame.start = frame.headroomStart + START;
    frame.end = frame.start;
    frame.port = -1;
    resetMetadata(frame);
    return frame;
  }

  /** Octets of the largest buffer that there is. */
  get largestOctets(): number {
    return this.#packets.length > 0 ? PACKET_FRAME_OCTETS : LARGE_FRAME_OCTETS;
  }

  /** How many octets a frame of this pool that was not moved can grow to. */
  roomOf({ slot }: Frame): number {
    if (slot < this.#firstLarge) return SMALL_FRAME_OCTETS;
    return slot < this.#firstPacket ? LARGE_FRAME_OCTETS : PACKET_FRAME_OCTETS;
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
    if (slot < this.#firstLarge) this.#small[this.#smallFree++] = slot;
    else if (slot < this.#firstPacket) this.#large[this.#largeFree++] = slot;
    else this.#packets[this.#packetsFree++] = slot;
  }
}
