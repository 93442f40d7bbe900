// A UDP socket for servers: requests in batches, each replaced in place by the reply to it.

import { type Addon, REPLY_SEND_ONLY, REPLY_STRIDE, REPLY_TAKE, REPLY_WAIT } from '../native/addon.ts';
import type { Arena } from '../packet/arena.ts';

/** Requests of a step. More are no faster: the kernel's share of a datagram is far above that of a call. */
export const REPLY_SLOTS = 64;
/** The largest datagram either way: what EDNS(0) senders say at most, and more than any of them should (RFC 6891, 6.2.5). */
export const REPLY_SLOT_OCTETS = 4096;
export const REPLY_ARENA_OCTETS = REPLY_SLOTS * REPLY_SLOT_OCTETS;

/** What makes replies of requests. */
export type ReplyMaker = {
  /**
   * Makes of the request between `start` and `end` the reply to it, in place, and returns where that ends; `start`: none; negative:
   * none yet. The sender's address is the `addressOctets` octets of `addresses` from `addressAt` on.
   */
  make(
    octets: Uint8Array,
    start: number,
    end: number,
    addresses: Uint8Array,
    addressAt: number,
    addressOctets: number,
  ): number;
  /** Takes over a request that has no reply yet; `words` from `at` on say where it came from (`Addon.replySend`). */
  defer(octets: Uint8Array, start: number, end: number, words: Int32Array, at: number): void;
};

/** Memory that sockets of one thread share, as each sends its replies before the next receives. */
export class ReplySlots {
  readonly descriptors = new Int32Array(REPLY_SLOTS * REPLY_STRIDE);
  readonly addresses = new Uint8Array(this.descriptors.buffer);
  readonly addon: Addon;
  readonly arena: number;
  readonly bytes: Uint8Array;
  readonly offset: number;

  /** Takes REPLY_ARENA_OCTETS of the arena from `offset` on. */
  constructor(addon: Addon, arena: number, memory: Arena, offset: number) {
    this.addon = addon;
    this.arena = arena;
    this.bytes = memory.bytes;
    this.offset = offset;
  }
}

export class ReplySocket {
  /** Requests that were too large for a slot, and got no reply. */
  oversized = 0;
  received = 0;
  sent = 0;
  /** The handle, by which any thread can send a reply. */
  readonly handle: number;
  readonly #slots: ReplySlots;
  readonly #addressOctets: number;
  #waiting = 0;

  /** Takes over a descriptor (`openServerSocket`). Throws an Error of the operating system, and has closed it then. */
  constructor(slots: ReplySlots, descriptor: number, family: 4 | 6, waitMs = 100) {
    this.#slots = slots;
    this.#addressOctets = family === 4 ? 4 : 16;
    const extent = { slotsOffset: slots.offset, slotOctets: REPLY_SLOT_OCTETS, slots: REPLY_SLOTS };
    this.handle = slots.addon.replyOpen(slots.arena, descriptor, { waitMs, ...extent });
  }

  /** Sends the replies of the step before, waits for requests, and has their replies made. Blocks; returns how many came. */
  step(maker: ReplyMaker): number {
    return this.#step(maker, REPLY_WAIT);
  }

  /** The same with what is there; does not block. */
  take(maker: ReplyMaker): number {
    return this.#step(maker, REPLY_TAKE);
  }

  /** Sends the replies of the step before. */
  flush(): void {
    const { addon, descriptors } = this.#slots;
    addon.replyStep(this.handle, descriptors, this.#waiting, REPLY_SEND_ONLY);
    this.#waiting = 0;
  }

  #step(maker: ReplyMaker, mode: number): number {
    const { addon, descriptors, addresses, bytes, offset } = this.#slots;
    const count = addon.replyStep(this.handle, descriptors, this.#waiting, mode);
    if (count < 0) throw new Error('the UDP socket does not receive any more');
    this.#waiting = count;
    this.received += count;
    for (let slot = 0; slot < count; slot++) {
      const at = slot * REPLY_STRIDE;
      const octets = descriptors[at]!;
      const start = offset + slot * REPLY_SLOT_OCTETS;
      if (octets < 0) {
        this.oversized++;
        descriptors[at] = 0;
        continue;
      }
      const end = maker.make(bytes, start, start + octets, addresses, (at + 2) * 4, this.#addressOctets);
      descriptors[at] = end - start;
      if (end > start) {
        this.sent++;
      } else if (end < 0) {
        descriptors[at] = 0;
        maker.defer(bytes, start, start + octets, descriptors, at);
      }
    }
    return count;
  }

  /** The descriptor, for whoever waits for several. */
  get descriptor(): number {
    return this.#slots.addon.replyDescriptor(this.handle);
  }

  /** Requests for which the kernel had no room, and replies that it did not take. */
  losses(): { overruns: number; failed: number } {
    const { addon } = this.#slots;
    return { overruns: addon.replyOverruns(this.handle) >>> 0, failed: addon.replyFailed(this.handle) >>> 0 };
  }

  close(): void {
    this.#slots.addon.replyClose(this.handle);
  }
}
