// The replay window of a security association: which sequence numbers have been seen (RFC 4303, section 3.4.3).
//
//   1. `check` before the ICV is verified: estimates the upper half of an extended number (RFC 4303, appendix A2.1) and looks
//   2. the ICV is verified, with that upper half
//   3. `accept` behind it: looks once more, since packets of one batch are checked before any of them is accepted, and marks
//
// Bits stand in a ring of words with one word more than the window needs, so that moving on clears whole words and shifts
// nothing (RFC 6479). Numbers are pairs of unsigned 32-bit halves.
//
// Not supported: finding the upper half again after more than 2^32 packets were lost in a row (appendix A3).

import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';

const HALF = 0x1_0000_0000;
const LAST = 0xffff_ffff;
const WORD_BITS = 32;
/** How far back an upper half is estimated where nothing is checked: the number nearest to the highest one. */
const UNCHECKED_REACH = HALF / 2;

export const MIN_REPLAY_WINDOW = 32;
export const MAX_REPLAY_WINDOW = 4096;

export class ReplayWindow {
  /** Numbers that it looks back, the highest one included; 0: nothing is checked. */
  readonly packets: number;
  readonly isExtended: boolean;
  /** The upper half that the last `check` estimated; 0 without extended numbers. */
  high = 0;
  readonly #reach: number;
  readonly #bits: Int32Array;
  readonly #mask: number;
  #topHigh = 0;
  #topLow = 0;

  /** `packets`: 0, or a multiple of 32 from 32 to 4096. */
  constructor(packets: number, isExtended: boolean) {
    const isValid = packets === 0 || (packets >= MIN_REPLAY_WINDOW && packets <= MAX_REPLAY_WINDOW);
    if (!isValid || packets % WORD_BITS !== 0) throw new RangeError(`a replay window of ${packets} packets`);
    this.packets = packets;
    this.isExtended = isExtended;
    this.#reach = packets === 0 ? UNCHECKED_REACH : packets;
    let words = 1;
    while (words < packets / WORD_BITS + 1) words *= 2;
    this.#bits = new Int32Array(words);
    this.#mask = words - 1;
    // No sender uses 0.
    this.#bits[0] = 1;
  }

  /** Both halves of the highest number accepted so far; 0 before the first. */
  get topHigh(): number {
    return this.#topHigh;
  }

  get topLow(): number {
    return this.#topLow;
  }

  /** Counts everything up to this number as seen: for an SA that goes on where another process has left it. */
  moveTo(high: number, low: number): void {
    this.#topHigh = high;
    this.#topLow = low;
    this.#bits.fill(-1);
    // Those above it in its word are still to come.
    this.#bits[(low >>> 5) & this.#mask] = -1 >>> (31 - (low & 31));
  }

  /** Whether a packet with this lower half could be new, and which upper half it has. Changes nothing. */
  check(low: number): Verdict {
    this.high = 0;
    if (this.isExtended) {
      const high = this.#estimate(low);
      if (high < 0 || high > LAST) return Drop.ipsecTooOld;
      this.high = high;
    }
    return this.#look(this.#ahead(this.high, low), low);
  }

  /** Marks a number whose ICV was right; anything but FORWARD: it has become old or was accepted meanwhile. */
  accept(high: number, low: number): Verdict {
    const ahead = this.#ahead(high, low);
    const verdict = this.#look(ahead, low);
    if (verdict !== FORWARD) return verdict;
    const block = low >>> 5;
    if (ahead > 0) {
      const blocks = (high - this.#topHigh) * (HALF / WORD_BITS) + block - (this.#topLow >>> 5);
      const cleared = Math.min(blocks, this.#bits.length);
      for (let index = 0; index < cleared; index++) this.#bits[(block - index) & this.#mask] = 0;
      this.#topHigh = high;
      this.#topLow = low;
    }
    this.#bits[block & this.#mask]! |= 1 << (low & 31);
    return FORWARD;
  }

  /** The upper half, -1 or 2^32 for one that there is not. Case A and B as in the appendix: does the window span two of them? */
  #estimate(low: number): number {
    const bottom = this.#topLow - this.#reach + 1;
    if (bottom >= 0) return low >= bottom ? this.#topHigh : this.#topHigh + 1;
    return low >= bottom + HALF ? this.#topHigh - 1 : this.#topHigh;
  }

  /** How far a number lies above the highest one. */
  #ahead(high: number, low: number): number {
    return (high - this.#topHigh) * HALF + (low - this.#topLow);
  }

  #look(ahead: number, low: number): Verdict {
    if (this.packets === 0 || ahead > 0) return FORWARD;
    if (ahead <= -this.packets) return Drop.ipsecTooOld;
    const isSeen = (this.#bits[(low >>> 5) & this.#mask]! & (1 << (low & 31))) !== 0;
    return isSeen ? Drop.ipsecReplayed : FORWARD;
  }
}
