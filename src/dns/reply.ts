// What a source answers: codes and counts for the header, and where the octets behind the question are. Whoever sends it writes
// the header over that of the query, whose question stays as it is, in the case that its sender wrote.

import { Rcode } from './query.ts';

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

  /** No records yet. */
  clear(rcode: number = Rcode.noError): void {
    this.rcode = rcode;
    this.isAuthoritative = false;
    this.answers = this.authorities = this.additionals = 0;
    this.tailAt = this.tailOctets = 0;
    this.isTruncated = false;
  }
}
