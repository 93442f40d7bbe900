// What a source answers: codes and counts for the header, and where the octets behind the question are. Whoever sends it writes
// the header over that of the query, whose question stays as it is, in the case that its sender wrote.

import { Rcode } from './query.ts';

/** What a zone says to a question. */
export const ZoneFinding = { records: 0, noData: 1, noName: 2, referral: 3 } as const;
export type ZoneFinding = (typeof ZoneFinding)[keyof typeof ZoneFinding];

export class Reply {
  rcode: number = Rcode.noError;
  /** AA: from a zone of ours. */
  isAuthoritative = false;
  answers = 0;
  authorities = 0;
  additionals = 0;
  /** The octets behind the question: records of these three sections, in this memory. */
  tail: Uint8Array = new Uint8Array(0);
  tailAt = 0;
  tailOctets = 0;
  /** TC: something that had to be there had no room. */
  isTruncated = false;
  /** Of a reply by a zone or a wide IP: what it says, and the hash of the name that says so: of the wildcard, the cut, or the origin for "none". */
  finding: ZoneFinding = ZoneFinding.records;
  foundHash = 0;
  /** Whether the name servers of the zone that the name is in, if it is one of ours, shall go with the answer. */
  wantsAuthority = false;
  /** Bits of the client's subnet that the answer holds for (RFC 7871, section 7.2.1); 0: for everybody. */
  scopeBits = 0;

  /** No records yet. */
  clear(rcode: number = Rcode.noError): void {
    this.rcode = rcode;
    this.isAuthoritative = false;
    this.answers = this.authorities = this.additionals = 0;
    this.tailAt = this.tailOctets = 0;
    this.isTruncated = false;
    this.finding = ZoneFinding.records;
    this.foundHash = 0;
    this.wantsAuthority = false;
    this.scopeBits = 0;
  }
  /** No records, and TC: the sender is to ask by TCP. */
  truncate(): void {
    this.answers = this.authorities = this.additionals = this.tailOctets = 0;
    this.isTruncated = true;
  }
}
