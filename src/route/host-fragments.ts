// Which fragments from the network may go to this host: those whose first one port lockdown let in.
//
// A later fragment has no ports. It follows the first of its packet, which a sender sends first; where it overtakes it, it is
// refused here, and the packet is put together in the data plane. A table of fixed size, in which a packet takes the place of
// another.

import { hashPair } from '../core/pair-map.ts';

const PLACES = 1024;
const STRIDE = 4;
const Field = { hash: 0, check: 1, identification: 2, until: 3 } as const;

/** How long the kernel waits for the rest of a packet (net.ipv4.ipfrag_time). */
const SECONDS = 30;

export class HostFragments {
  readonly #cells = new Int32Array(PLACES * STRIDE);

  /** Lets later fragments of this packet in; `source` and `destination`: hashes of the addresses. */
  admit(source: number, destination: number, identification: number, second: number): void {
    const hash = hashPair(source, identification);
    const at = (hash & (PLACES - 1)) * STRIDE;
    const cells = this.#cells;
    cells[at + Field.hash] = hash;
    cells[at + Field.check] = hashPair(destination, source);
    cells[at + Field.identification] = identification;
    cells[at + Field.until] = second + SECONDS;
  }

  isAdmitted(source: number, destination: number, identification: number, second: number): boolean {
    const hash = hashPair(source, identification);
    const at = (hash & (PLACES - 1)) * STRIDE;
    const cells = this.#cells;
    return (
      cells[at + Field.hash] === hash &&
      cells[at + Field.check] === hashPair(destination, source) &&
      cells[at + Field.identification] === identification &&
      cells[at + Field.until]! >= second &&
      cells[at + Field.until] !== 0
    );
  }
}
