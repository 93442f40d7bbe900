// The names of a zone and what they have, for questions such as "what does this name lead to": the names between owners and the
// origin are there as well (empty non-terminals, RFC 4592, section 2.2.2).

import { GrowingWords, HashIndex } from './hash-index.ts';
import { MAX_LABELS, MAX_NAME_OCTETS, isSubdomain, sameName, suffixOffsets } from './name.ts';
import { hashName } from './name-hash.ts';
import type { PackedSets } from './packed-sets.ts';
import { TYPE, recordType } from './record-types.ts';
import type { DomainName } from './record.ts';

/** What an owner has, as bits. */
export const HAS = { cname: 1, other: 2, address: 4, servers: 8, dname: 16, anything: 32 } as const;

/** What a name of the zone leads to. */
export type Lookup = 'address' | 'cname' | 'dname' | 'delegation' | 'nothing';

const WILDCARD_LABEL = [1, 0x2a];

export class OwnerTree {
  readonly #origin: DomainName;
  readonly #octets: Uint8Array;
  readonly #index: HashIndex;
  /** Of each node: where its name stands, and HAS. */
  readonly #names: GrowingWords;
  readonly #has: GrowingWords;
  readonly #offsets = new Uint8Array(MAX_LABELS + 1);
  readonly #wildcard = new Uint8Array(MAX_NAME_OCTETS + 2);
  #asked: Uint8Array = new Uint8Array(0);
  #askedAt = 0;
  readonly #isNode = (node: number) => sameName(this.#octets, this.#asked, this.#names.words[node], this.#askedAt);

  constructor(origin: DomainName, sets: PackedSets) {
    this.#origin = origin;
    this.#octets = sets.octets;
    this.#index = new HashIndex(sets.length);
    this.#names = new GrowingWords(sets.length);
    this.#has = new GrowingWords(sets.length);
    for (let set = 0; set < sets.length; set++) {
      const node = this.#addWithAncestors(sets.starts[set]!);
      this.#has.words[node]! |= bitsOf(sets.typeAt(sets.headerOf(set)));
    }
  }

  /** HAS of the name that stands at `at`: 0 for an empty non-terminal, and where there is no such name. */
  has(octets: Uint8Array, at = 0): number {
    const node = this.#find(octets, at);
    return node < 0 ? 0 : this.#has.words[node]!;
  }

  /** Where asking for addresses of a name, which is in the zone, ends. */
  lookup(name: DomainName): Lookup {
    const cut = this.cutAbove(name, true);
    if (cut !== undefined) return cut;
    const has = this.#find(name, 0) >= 0 ? this.has(name) : this.has(this.#wildcardFor(name));
    if ((has & HAS.cname) !== 0) return 'cname';
    return (has & HAS.address) !== 0 ? 'address' : 'nothing';
  }

  /** The wildcard that speaks for a name that is not there: the one below its closest encloser (RFC 4592, section 3.3.1). */
  #wildcardFor(name: DomainName): DomainName {
    let at = 1 + name[0]!;
    while (this.#find(name, at) < 0) at += 1 + name[at]!;
    this.#wildcard.set(WILDCARD_LABEL);
    this.#wildcard.set(name.subarray(at), WILDCARD_LABEL.length);
    return this.#wildcard;
  }

  /** The topmost delegation or DNAME over a name of the zone; with `orAt` a delegation of the name itself counts as well. */
  cutAbove(name: DomainName, orAt = false): 'delegation' | 'dname' | undefined {
    const labels = suffixOffsets(name, 0, this.#offsets) - 1;
    const apex = labels - (suffixOffsets(this.#origin, 0, new Uint8Array(MAX_LABELS + 1)) - 1);
    const offsets = this.#offsets.slice(0, labels + 1);
    for (let label = apex; label >= 0; label--) {
      const node = this.#find(name, offsets[label]!);
      if (node < 0) return undefined;
      const has = this.#has.words[node]!;
      if (label < apex && (label > 0 || orAt) && (has & HAS.servers) !== 0) return 'delegation';
      if (label > 0 && (has & HAS.dname) !== 0) return 'dname';
    }
    return undefined;
  }

  #find(octets: Uint8Array, at: number): number {
    this.#asked = octets;
    this.#askedAt = at;
    return this.#index.find(hashName(octets, at), this.#isNode);
  }

  /** The node of the name at `at` in the octets of the sets. */
  #addWithAncestors(at: number): number {
    let node = this.#find(this.#octets, at);
    if (node >= 0) return node;
    const own = this.#add(at);
    const octets = this.#octets;
    const labels = suffixOffsets(octets, at, this.#offsets) - 1;
    for (let label = 1; label <= labels; label++) {
      const parent = at + this.#offsets[label]!;
      node = this.#find(octets, parent);
      if (node >= 0) break;
      const end = at + this.#offsets[labels]! + 1;
      if (!isSubdomain(octets.subarray(parent, end), this.#origin)) break;
      this.#add(parent);
    }
    return own;
  }

  #add(at: number): number {
    const node = this.#index.add(hashName(this.#octets, at));
    this.#names.set(node, at);
    this.#has.set(node, 0);
    return node;
  }
}

function bitsOf(type: number): number {
  if (type === TYPE.CNAME) return HAS.anything | HAS.cname;
  if (recordType(type)?.besideCname === true) return HAS.anything;
  const other = HAS.anything | HAS.other;
  if (type === TYPE.A || type === TYPE.AAAA) return other | HAS.address;
  if (type === TYPE.NS) return other | HAS.servers;
  return type === TYPE.DNAME ? other | HAS.dname : other;
}
