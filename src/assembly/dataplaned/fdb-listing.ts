// The stations of many tunnels or VLANs in order, page by page, from a table that is in order of hashes.
//
// One pass over the table finds the places of its entries, which are then sorted by owner. One, because the data plane goes on
// learning: whoever counts first and looks a second time finds others. The pages that follow read from these places, also when a
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
    const found = this.#find();
    const starts = new Uint32Array(names.length + 1);
    for (let at = 0; at < found.length; at += 2) starts[found[at]! + 1]! += 1;
    for (let owner = 0; owner < names.length; owner++) starts[owner + 1]! += starts[owner]!;
    this.#starts = starts;
    this.#places = new Uint32Array(found.length / 2);
    const next = starts.slice();
    for (let at = 0; at < found.length; at += 2) this.#places[next[found[at]!]!++] = found[at + 1]!;
  }

  /** Pairs of an owner and a place, in order of places. */
  #find(): Uint32Array {
    const table = this.#table;
    let found = new Uint32Array(1024);
    let length = 0;
    for (let index = 0; index < table.length; index += FDB_STRIDE) {
      const member = table[index + FdbField.memberPlusOne]! - 1;
      const owner = member === -1 ? -1 : (this.#ownerOf[member] ?? -1);
      if (owner === -1) continue;
      if (length === found.length) {
        const larger = new Uint32Array(2 * length);
        larger.set(found);
        found = larger;
      }
      found[length] = owner;
      found[length + 1] = index / FDB_STRIDE;
      length += 2;
    }
    return found.subarray(0, length);
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
