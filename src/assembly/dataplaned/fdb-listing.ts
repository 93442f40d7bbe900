// The stations of many tunnels or VLANs in order, page by page, from a table that is in order of hashes.
//
// One pass over the table sorts the places of its entries by owner. The pages that follow read from there, also when a
// minute goes by between two of them; what moves in the table meanwhile may be missed, as with any reader of it.

import { FDB_STRIDE, FdbField } from '../../bridge/fdb.ts';
import { type FdbEntry, readEntry } from './statistics.ts';

export class FdbListing {
  readonly names: readonly string[];
  readonly #table: Int32Array;
  /** By member: position of its owner among `names`; -1: none. */
  readonly #ownerOf: Int32Array;
  /** Places of entries, those of one owner together; the owner's first is at `#starts[owner]`. */
  readonly #places: Uint32Array;
  readonly #starts: Uint32Array;

  /** `members`: keys of members by number. The owner of a member is the tunnel that it is, or its VLAN. */
  constructor(buffer: SharedArrayBuffer, members: ReadonlyMap<number, string>, names: readonly string[]) {
    this.names = names;
    this.#table = new Int32Array(buffer);
    this.#ownerOf = ownersOfMembers(members, names);
    const counts = new Uint32Array(names.length + 1);
    this.#visit((owner) => (counts[owner + 1]! += 1));
    for (let owner = 0; owner < names.length; owner++) counts[owner + 1]! += counts[owner]!;
    this.#starts = counts;
    this.#places = new Uint32Array(counts[names.length]!);
    const next = counts.slice();
    this.#visit((owner, place) => {
      // What was learned since the count has no place; it is on the next listing.
      const at = next[owner]!;
      if (at === counts[owner + 1]) return;
      this.#places[at] = place;
      next[owner] = at + 1;
    });
  }

  #visit(take: (owner: number, place: number) => void): void {
    const table = this.#table;
    for (let index = 0; index < table.length; index += FDB_STRIDE) {
      const member = table[index + FdbField.memberPlusOne]! - 1;
      const owner = member === -1 ? -1 : (this.#ownerOf[member] ?? -1);
      if (owner !== -1) take(owner, index / FDB_STRIDE);
    }
  }

  /** Entries of an owner, in all. */
  count(owner: number): number {
    return this.#starts[owner + 1]! - this.#starts[owner]!;
  }

  /** Entries `from` to `to` of an owner, as they are now. */
  entries(owner: number, from: number, to: number, second: number): FdbEntry[] {
    const entries: FdbEntry[] = [];
    const start = this.#starts[owner]!;
    for (const place of this.#places.subarray(start + from, start + Math.min(to, this.count(owner)))) {
      const entry = readEntry(this.#table, place * FDB_STRIDE, second);
      if (this.#ownerOf[entry.member] === owner) entries.push(entry);
    }
    return entries;
  }
}

function ownersOfMembers(members: ReadonlyMap<number, string>, names: readonly string[]): Int32Array {
  const positions = new Map(names.map((name, position) => [name, position]));
  const owners = new Int32Array([...members.keys()].reduce((most, member) => Math.max(most, member + 1), 0)).fill(-1);
  for (const [member, key] of members) {
    owners[member] = positions.get(key) ?? positions.get(key.slice(0, Math.max(0, key.lastIndexOf(' ')))) ?? -1;
  }
  return owners;
}
