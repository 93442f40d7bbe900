// Cuts packets that are too large for their way out, and keeps the books of it.

import { Drop, FORWARD, type Verdict } from '../../core/drop-reason.ts';
import { completeChecksum } from '../../packet/complete-checksum.ts';
import { fragmentIpv4, fragmentIpv6, KEEP_IDENTIFICATION } from '../../packet/fragment.ts';
import { type Frame, FrameBatch } from '../../packet/frame.ts';
import { Book } from '../../pipeline/books.ts';
import type { Disposal } from '../../pipeline/disposal.ts';

export class Fragmenter {
  readonly #disposal: Disposal;
  readonly #pieces = new FrameBatch();
  /** Of packets that are made here; where it starts cannot be guessed (RFC 7739). */
  #identification: number;

  /** `random`: from 0 up to 1, as Math.random. */
  constructor(disposal: Disposal, random: () => number) {
    this.#disposal = disposal;
    this.#identification = Math.floor(random() * 0x1_0000_0000) | 0;
  }

  /** A new identification, of 32 bits, of which IPv4 takes the lower ones. */
  nextIdentification(): number {
    this.#identification = (this.#identification + 1) | 0;
    return this.#identification;
  }

  /**
   * The fragments, of at most `mtu` octets of IP, of the checked packet at `ip`, each behind what is in front of it in the
   * frame. With `isOwn` it is cut as one that was made here: only then is an IPv6 packet cut, and an IPv4 one gets an
   * identification. The frame is done with; the batch is valid until the next call, and empty when there was a reason to drop the packet.
   */
  cut(frame: Frame, ip: number, mtu: number, isOwn: boolean, row: number): FrameBatch {
    const disposal = this.#disposal;
    const { pool } = disposal;
    const pieces = this.#pieces;
    pieces.clear();
    let verdict: Verdict = completeChecksum(pool.arena, frame);
    if (verdict === FORWARD) {
      if (pool.arena.bytes[ip]! >>> 4 === 4) {
        const identification = isOwn ? this.nextIdentification() & 0xffff : KEEP_IDENTIFICATION;
        verdict = fragmentIpv4(pool, frame, ip, mtu, identification, pieces);
      } else {
        verdict = isOwn ? fragmentIpv6(pool, frame, ip, mtu, this.nextIdentification(), pieces) : Drop.mtuTooSmall;
      }
    }
    if (verdict !== FORWARD) {
      disposal.drop(frame, verdict, row);
      return pieces;
    }
    disposal.books[Book.originated]! += pieces.length;
    disposal.consume(frame);
    return pieces;
  }
}
