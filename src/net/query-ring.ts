// Questions straight from a device, past the kernel's IP stack: whole frames in batches, each replaced in place by the reply to it.

import { type Addon, QUERY_SLOT_FRAME, QUERY_STRIDE } from '../native/addon.ts';
import { MAX_QUERY_OCTETS, queryFilter, type QueryFilter } from './query-filter.ts';

/** Frames of a step. */
export const QUERY_SLOTS = 128;
/** Headers of Ethernet, IPv6 and UDP. */
const HEADER_OCTETS = 14 + 40 + 8;
/** Slots that begin in different lines of a cache: of each only the first few are used. */
const LINE_OCTETS = 64;

/** Octets of a slot for replies of so many octets at most. */
export function querySlotOctets(replyOctets: number): number {
  const lines = Math.ceil((QUERY_SLOT_FRAME + HEADER_OCTETS + Math.max(replyOctets, MAX_QUERY_OCTETS)) / LINE_OCTETS);
  return (lines | 1) * LINE_OCTETS;
}

export type QueryRingOpening = QueryFilter & {
  readonly device: string;
  /** A packet socket of the network namespace of the device; absent: the device is in that of this process. It closes with the ring. */
  readonly socket?: number;
  /** How long a step waits at most, in milliseconds. */
  readonly waitMs?: number;
  /** Room for a frame and the reply to it: `querySlotOctets`. */
  readonly slotOctets: number;
};

/**
 * Makes of the frame between `start` and `end` of the arena the frame that is the reply to it, in place, and returns where that
 * ends; `start`: none. `flags`: QUERY_CHECKSUM_*.
 */
export type FrameReplyMaker = (start: number, end: number, flags: number) => number;

export class QueryRing {
  received = 0;
  sent = 0;
  readonly #addon: Addon;
  readonly #device: string;
  readonly #handle: number;
  readonly #firstFrame: number;
  readonly #slotOctets: number;
  readonly #descriptors = new Int32Array(QUERY_SLOTS * QUERY_STRIDE);
  #waiting = 0;

  /** Takes QUERY_SLOTS slots of the arena from `slotsOffset` on. Throws an Error of the operating system. */
  constructor(addon: Addon, arena: number, slotsOffset: number, opening: QueryRingOpening) {
    const { device, socket = -1, waitMs = 100, slotOctets, port, addresses } = opening;
    this.#addon = addon;
    this.#device = device;
    this.#firstFrame = slotsOffset + QUERY_SLOT_FRAME;
    this.#slotOctets = slotOctets;
    const options = { device, socket, waitMs, slotsOffset, slotOctets, slots: QUERY_SLOTS };
    this.#handle = addon.queryRingOpen(arena, options, queryFilter({ port, addresses }));
  }

  /** Sends the replies of the step before, waits for frames, and has their replies made. Blocks; returns how many came. */
  step(make: FrameReplyMaker): number {
    const descriptors = this.#descriptors;
    const count = this.#addon.queryRingStep(this.#handle, descriptors, this.#waiting);
    if (count < 0) throw new Error(`${this.#device}: the device has gone`);
    this.#waiting = count;
    this.received += count;
    for (let slot = 0; slot < count; slot++) {
      const at = slot * QUERY_STRIDE;
      const start = this.#firstFrame + slot * this.#slotOctets;
      const end = make(start, start + descriptors[at]!, descriptors[at + 1]!);
      descriptors[at] = end - start;
      if (end > start) this.sent++;
    }
    return count;
  }

  /** Frames for which the ring had no room, and replies that the device did not take. */
  losses(): { overruns: number; failed: number } {
    return {
      overruns: this.#addon.queryRingOverruns(this.#handle) >>> 0,
      failed: this.#addon.queryRingFailed(this.#handle) >>> 0,
    };
  }

  /** The MTU of the device now; throws where that has gone. */
  mtu(): number {
    try {
      return this.#addon.queryRingMtu(this.#handle);
    } catch {
      throw new Error(`${this.#device}: the device has gone`);
    }
  }

  close(): void {
    this.#addon.queryRingClose(this.#handle);
  }
}
