// Packets on their way out into security associations: ESP (RFC 4303), AH (RFC 4302), IPComp before either (RFC 3173), UDP around
// ESP (RFC 3948).
//
//   1. `add` makes a pool frame with everything but the ciphertext and the ICV
//   2. `flush` has the batch of ciphers do all of them at once, and finishes checksums
//
// A frame's own octets are only read: they may lie in the ring of a port, where nothing may be written behind their end.

import type { Verdict } from '../core/drop-reason.ts';
import type { Frame } from '../packet/frame.ts';
import type { FramePool } from '../packet/pool.ts';
import type { Compressor } from './compressor.ts';
import { type CryptoBatch, MAX_JOBS } from './crypto.ts';
import type { OutboundSa } from './outbound-sa.ts';

export class Sealer {
  /** Packets added since the last `clear`; once flushed, the outcomes below have so many entries. */
  count = 0;
  /** What was added, still the caller's. */
  readonly sources: Frame[] = [];
  readonly associations: OutboundSa[] = [];
  /** After `flush`: FORWARD, or why there is no sealed packet. */
  readonly verdicts: Verdict[] = [];
  /**
   * After `flush`, with FORWARD: a frame of the pool that starts at its outer IP header and ends behind its last octet, with the metadata of its
   * source and all checksums right. With another verdict it is back in the pool.
   */
  readonly sealed: Frame[] = [];

  /** `compressor`: undefined where no SA compresses. */
  constructor(_pool: FramePool, _crypto: CryptoBatch, _compressor?: Compressor) {}

  /** No more can be added before `flush` and `clear`. */
  get isFull(): boolean {
    return this.count === MAX_JOBS;
  }

  /**
   * Queues a packet. `frame.start` is at its IP header, which has been checked; the packet is whole for transport mode, no
   * super-frame, and its checksums are finished. Octets behind its total length are left out. With another verdict than FORWARD
   * nothing was queued: ipsecExpired, ipsecSequenceUnreserved, ipsecSequenceExhausted, ipsecUnsupported (a fragment in transport mode, headers
   * that AH cannot authenticate, larger than an IP packet once sealed), noBuffer.
   */
  add(_frame: Frame, _sa: OutboundSa): Verdict {
    throw new Error('not written yet');
  }

  /** Seals what was added; how many that are. Outcomes stand in the arrays until `clear`. */
  flush(): number {
    throw new Error('not written yet');
  }

  /** Forgets the outcomes. */
  clear(): void {
    this.count = 0;
  }
}
