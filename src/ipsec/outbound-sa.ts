// A security association that sends: the numbers that it may use next (RFC 4303, section 3.3.3).
//
// Numbers come in blocks, which the owner has made sure of (on disk) before it hands them in: with a key that survives a restart
// no number, and so no IV of a combined cipher, is used twice. Numbers are integers; an extended SA ends at 2^53 - 1, which is
// 28 years of ten million packets a second.

import type { AddressWords } from '../core/address.ts';
import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { CompressionPolicy } from './compression-policy.ts';
import { SaState } from './sa-state.ts';
import type { SecurityAssociationSpec } from './security-association.ts';

const HALF = 0x1_0000_0000;

export class OutboundSa extends SaState {
  /** The last number there is. */
  readonly lastSequence: number;
  /** Both halves of the number that the last successful `takeSequence` took, unsigned. */
  sequenceHigh = 0;
  sequenceLow = 0;
  /**
   * Added to the upper half of the numbers in the IVs of combined ciphers. The second in which the process began to use the key: so no
   * IV comes twice even where the record of numbers was lost, as long as the clock goes on. Numbers grow by 2^32 no faster than that.
   */
  ivOffset = 0;
  readonly compression = new CompressionPolicy();
  /** Where the other end is: behind address translation that may be found out, and may change (RFC 3948, section 2). */
  peer: AddressWords;
  peerPort: number;
  #next = 1;
  #reservedEnd = 1;

  constructor(spec: SecurityAssociationSpec, key: number, madeAtMs: number) {
    super(spec, key, madeAtMs);
    this.peer = spec.destination;
    this.peerPort = spec.udpDestinationPort;
    this.lastSequence = spec.extended ? Number.MAX_SAFE_INTEGER : HALF - 1;
  }

  /** Sends to where the other end was heard from, in a packet whose ICV was right; true: that is another place than before. */
  follow(word0: number, word1: number, word2: number, word3: number, port: number): boolean {
    const { peer } = this;
    const isSame =
      this.peerPort === port && peer[3] === word3 && peer[2] === word2 && peer[1] === word1 && peer[0] === word0;
    if (isSame || !this.isUdp) return false;
    this.peerPort = port;
    // In transport mode packets are sent to the address that they are for.
    if (this.isTunnel) this.peer = [word0, word1, word2, word3];
    return true;
  }

  /** The number that the next packet would have. */
  get nextSequence(): number {
    return this.#next;
  }

  /** Numbers from here on have not been handed in yet. */
  get reservedEnd(): number {
    return this.#reservedEnd;
  }

  /** How many packets can be sent before `reserve` has to be called again. */
  get reservedLeft(): number {
    return Math.min(this.#reservedEnd, this.lastSequence + 1) - this.#next;
  }

  /**
   * Lets the numbers from `first` to `end` - 1 be used; what is left of the block before is used first where `first` follows it,
   * and otherwise skipped. RangeError: numbers below those that were handed in before.
   */
  reserve(first: number, end: number): void {
    if (!Number.isSafeInteger(first) || !Number.isSafeInteger(end) || first < this.#reservedEnd || end < first)
      throw new RangeError(`sequence numbers ${first} to ${end}, after those below ${this.#reservedEnd}`);
    if (first > this.#reservedEnd) this.#next = first;
    this.#reservedEnd = end;
  }

  /** Takes the next number; ipsecSequenceExhausted behind the last one for good, ipsecSequenceUnreserved until `reserve`. */
  takeSequence(): Verdict {
    const next = this.#next;
    if (next > this.lastSequence) return Drop.ipsecSequenceExhausted;
    if (next >= this.#reservedEnd) return Drop.ipsecSequenceUnreserved;
    this.sequenceHigh = Math.floor(next / HALF);
    this.sequenceLow = next % HALF;
    this.#next = next + 1;
    return FORWARD;
  }
}
