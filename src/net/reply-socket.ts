// A UDP socket for servers: requests in batches, each replaced in place by the reply to it.

import { type Addon, REPLY_STRIDE } from '../native/addon.ts';
import type { Arena } from '../packet/arena.ts';

/** Requests of a step. More are no faster: the kernel's share of a datagram is far above that of a call. */
export const REPLY_SLOTS = 64;
/** The largest datagram either way: what EDNS(0) senders say at most, and more than any of them should (RFC 6891, 6.2.5). */
export const REPLY_SLOT_OCTETS = 4096;
export const REPLY_ARENA_OCTETS = REPLY_SLOTS * REPLY_SLOT_OCTETS;

export type ReplySocketOptions = {
  readonly family: 4 | 6;
  readonly address: string;
  readonly port: number;
  readonly device?: string;
  /** How long a step waits at most, in milliseconds. */
  readonly waitMs?: number;
};

/**
 * Makes of the request between `start` and `end` the reply to it, in place, and returns where that ends; `start`: none. The
 * sender's address is the `addressOctets` octets of `addresses` from `addressAt` on.
 */
export type ReplyMaker = (
  octets: Uint8Array,
  start: number,
  end: number,
  addresses: Uint8Array,
  addressAt: number,
  addressOctets: number,
) => number;

export class ReplySocket {
  /** Requests that were too large for a slot, and got no reply. */
  oversized = 0;
  received = 0;
  sent = 0;
  readonly #addon: Addon;
  readonly #handle: number;
  readonly #bytes: Uint8Array;
  readonly #slotsOffset: number;
  readonly #addressOctets: number;
  readonly #descriptors = new Int32Array(REPLY_SLOTS * REPLY_STRIDE);
  readonly #addresses = new Uint8Array(this.#descriptors.buffer);
  #waiting = 0;

  /** Takes REPLY_ARENA_OCTETS of the arena from `slotsOffset` on. Throws an Error of the operating system. */
  constructor(addon: Addon, arena: number, memory: Arena, slotsOffset: number, options: ReplySocketOptions) {
    const { family, address, port, device = '', waitMs = 100 } = options;
    this.#addon = addon;
    this.#bytes = memory.bytes;
    this.#slotsOffset = slotsOffset;
    this.#addressOctets = family === 4 ? 4 : 16;
    const slots = { slotsOffset, slotOctets: REPLY_SLOT_OCTETS, slots: REPLY_SLOTS };
    this.#handle = addon.replyOpen(arena, { family, address, port, device, waitMs, ...slots });
  }

  /** Sends the replies of the step before, waits for requests, and has their replies made. Blocks; returns how many came. */
  step(make: ReplyMaker): number {
    const descriptors = this.#descriptors;
    const count = this.#addon.replyStep(this.#handle, descriptors, this.#waiting);
    if (count < 0) throw new Error('the UDP socket does not receive any more');
    this.#waiting = count;
    this.received += count;
    for (let slot = 0; slot < count; slot++) {
      const at = slot * REPLY_STRIDE;
      const octets = descriptors[at]!;
      const start = this.#slotsOffset + slot * REPLY_SLOT_OCTETS;
      if (octets < 0) {
        this.oversized++;
        descriptors[at] = 0;
        continue;
      }
      const end = make(this.#bytes, start, start + octets, this.#addresses, (at + 2) * 4, this.#addressOctets);
      descriptors[at] = end - start;
      if (end > start) this.sent++;
    }
    return count;
  }

  /** Requests for which the kernel had no room, and replies that it did not take. */
  losses(): { overruns: number; failed: number } {
    return {
      overruns: this.#addon.replyOverruns(this.#handle) >>> 0,
      failed: this.#addon.replyFailed(this.#handle) >>> 0,
    };
  }

  close(): void {
    this.#addon.replyClose(this.#handle);
  }
}
