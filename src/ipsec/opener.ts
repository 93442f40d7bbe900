// Packets that came in by security associations, the reverse of sealer.ts.
//
//   1. `add` checks lengths and the replay window, and queues
//   2. `flush` has the batch of ciphers verify and decrypt all of them where they lie, then for each, in the order they came:
//      replay window once more, padding, next header, decompression, and the IP packet put together

import type { Verdict } from '../core/drop-reason.ts';
import type { Frame } from '../packet/frame.ts';
import type { FramePool } from '../packet/pool.ts';
import type { Compressor } from './compressor.ts';
import { type CryptoBatch, MAX_JOBS } from './crypto.ts';
import type { InboundSa } from './inbound-sa.ts';

export class Opener {
  /** Packets added since the last `clear`; once flushed, the outcomes below have so many entries. */
  count = 0;
  /** What was added, still the caller's. */
  readonly sources: Frame[] = [];
  readonly associations: InboundSa[] = [];
  /** After `flush`: FORWARD, or why the packet is to be dropped. */
  readonly verdicts: Verdict[] = [];
  /**
   * After `flush`, with FORWARD: the packet that was inside, from its IP header to its last octet. This is the frame that was
   * added, unless the packet was decompressed: then it is one of the pool, and the source is to be consumed.
   */
  readonly opened: Frame[] = [];

  /** `compressor`: undefined where no SA compresses. */
  constructor(_pool: FramePool, _crypto: CryptoBatch, _compressor?: Compressor) {}

  /** No more can be added before `flush` and `clear`. */
  get isFull(): boolean {
    return this.count === MAX_JOBS;
  }

  /**
   * Queues a packet: `frame.start` is at its IP header, which has been checked, `headerAt` the arena offset of its ESP or AH
   * header, with a checked UDP header right in front of it where the SA is encapsulated in UDP. It is no fragment. With another
   * verdict than FORWARD nothing was queued and the octets are as before: ipsecExpired, ipsecTooShort, ipsecReplayed, ipsecTooOld,
   * ipsecUnsupported, noHeadroom.
   */
  add(_frame: Frame, _sa: InboundSa, _headerAt: number): Verdict {
    throw new Error('not written yet');
  }

  /** Opens what was added; how many that are. Outcomes stand in the arrays until `clear`. */
  flush(): number {
    throw new Error('not written yet');
  }

  /** Forgets the outcomes. */
  clear(): void {
    this.count = 0;
  }
}
