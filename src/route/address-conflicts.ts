// Our own addresses that other stations were heard to have (RFC 5227, section 2.4): on shared memory, written by the worker.

import type { AddressWords } from '../core/address.ts';

const Field = { domain: 0, address: 1, macHigh: 5, macLow: 6, second: 7 } as const;
const STRIDE = 8;
/** Addresses of which a conflict is remembered; one that is found when all are taken replaces the first. */
const PLACES = 64;

export type AddressConflict = {
  domain: number;
  address: AddressWords;
  macHigh: number;
  macLow: number;
  /** Second of the data plane's clock in which it was heard last. */
  second: number;
};

export class AddressConflicts {
  readonly table = new Int32Array(new SharedArrayBuffer(PLACES * STRIDE * 4));

  /** Notes that a station has an address that is ours on a domain. */
  heard(
    domain: number,
    word0: number,
    word1: number,
    word2: number,
    word3: number,
    macHigh: number,
    macLow: number,
    second: number,
  ): void {
    const { table } = this;
    let at = 0;
    for (let place = PLACES - 1; place >= 0; place--) {
      const start = place * STRIDE;
      if (table[start] === 0) at = start;
      const isSame =
        table[start] === domain &&
        table[start + Field.address] === word0 &&
        table[start + Field.address + 1] === word1 &&
        table[start + Field.address + 2] === word2 &&
        table[start + Field.address + 3] === word3;
      if (!isSame) continue;
      at = start;
      break;
    }
    table[at + Field.address] = word0;
    table[at + Field.address + 1] = word1;
    table[at + Field.address + 2] = word2;
    table[at + Field.address + 3] = word3;
    table[at + Field.macHigh] = macHigh;
    table[at + Field.macLow] = macLow;
    table[at + Field.second] = second;
    table[at] = domain;
  }
}

export function readConflicts(buffer: SharedArrayBuffer): AddressConflict[] {
  const table = new Int32Array(buffer);
  const conflicts: AddressConflict[] = [];
  for (let at = 0; at < table.length; at += STRIDE) {
    const domain = table[at]!;
    if (domain === 0) continue;
    const address = [1, 2, 3, 4].map((word) => table[at + word]!) as unknown as AddressWords;
    const [macHigh, macLow] = [table[at + Field.macHigh]!, table[at + Field.macLow]!];
    conflicts.push({ domain, address, macHigh, macLow, second: table[at + Field.second]! });
  }
  return conflicts;
}
