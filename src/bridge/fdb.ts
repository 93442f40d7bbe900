// The forwarding database: (bridge domain, MAC) → where that station lives.
//
// One open-addressing table for all domains, on shared memory, an entry to half a cache line, so that a look-up of a
// random address costs one miss. One thread writes; others may read rows for `show` and take what they see: an entry that
// moves at that instant may be missed or seen twice, never half.

import { hashPair, nextPowerOfTwo } from '../core/pair-map.ts';

/** Words of an entry: `table[index + FdbField.memberPlusOne]` and so on. */
export const FdbField = {
  /** The low four octets of the MAC. */
  macLow: 0,
  /** Domain << 16 | the high two octets of the MAC. */
  domainMacHigh: 1,
  /** 1 + the member that the station lives behind; 0: the place is free. Fresh memory, all zeros, is an empty table. */
  memberPlusOne: 2,
  /** Index of the tunnel endpoint (see tunnel/endpoint.ts); -1: none, or the tunnel's own remote. */
  endpoint: 3,
  /** FDB_STATIC or 0. */
  flags: 4,
  /** Second (of the data plane's own clock) in which the station was last heard. */
  lastHeard: 5,
} as const;

export const FDB_STRIDE = 8;
/** Entries that a data plane has room for, over all domains: three quarters of 64 MB. */
export const FDB_ENTRIES = 1_572_864;
/** Static ones among them. */
export const MAX_STATIC_ENTRIES = 1_048_576;
export const FDB_STATIC = 1;
const FREE = 0;

/** Outcome of `learn`: what the caller may want to count. */
export const Learned = { known: 0, added: 1, moved: 2, refused: 3 } as const;

export class ForwardingDatabase {
  readonly buffer: SharedArrayBuffer;
  readonly table: Int32Array;
  /** Learned entries that the table holds at most, up to the capacity it was made with; static ones come on top. */
  #learnedLimit: number;
  readonly #capacity: number;
  readonly #mask: number;
  readonly #staticLimit: number;
  readonly #entries: number;
  #learned = 0;
  #static = 0;
  /** The member that a station was behind before, after `learn` said that it moved. */
  movedFrom = -1;
  /** Learned entries by member. */
  readonly #learnedBy: number[] = [];
  /** Word index at which the next slice of ageing starts. */
  #sweep = 0;
  /** Word index at which the next slice of forgetting a member starts. */
  #forgetting = 0;

  /** `capacity`: the largest limit of learning that may be set; `entries`: how many there may be together with static ones. */
  constructor(capacity: number, staticLimit: number, entries = capacity + staticLimit) {
    // Three quarters full at most: a look-up then takes two or three steps, and rarely a second cache line.
    const slots = nextPowerOfTwo(Math.ceil((entries * 4) / 3));
    this.#entries = entries;
    this.buffer = new SharedArrayBuffer(slots * FDB_STRIDE * 4);
    this.table = new Int32Array(this.buffer);
    this.#capacity = capacity;
    this.#learnedLimit = capacity;
    this.#staticLimit = staticLimit;
    this.#mask = slots - 1;
  }

  /** Stations that are learned at most from now on; those that are there stay until they age. */
  limitLearning(limit: number): void {
    this.#learnedLimit = Math.min(limit, this.#capacity);
  }

  /** The member of an entry that was found. */
  memberAt(index: number): number {
    return this.table[index + FdbField.memberPlusOne]! - 1;
  }

  get #isFull(): boolean {
    return this.#learned + this.#static >= this.#entries;
  }

  get learned(): number {
    return this.#learned;
  }

  get static(): number {
    return this.#static;
  }

  /** Word index of the entry, or -1. */
  find(domain: number, macHigh: number, macLow: number): number {
    const table = this.table;
    const key = (domain << 16) | macHigh;
    let at = hashPair(macLow, key) & this.#mask;
    for (;;) {
      const index = at * FDB_STRIDE;
      if (table[index] === macLow && table[index + 1] === key && table[index + 2] !== FREE) return index;
      if (table[index + 2] === FREE) return -1;
      at = (at + 1) & this.#mask;
    }
  }

  /** Notes that the station was heard through `member`; static entries stay as they are. Returns a value of Learned. */
  learn(domain: number, macHigh: number, macLow: number, member: number, endpoint: number, second: number): number {
    const table = this.table;
    const index = this.find(domain, macHigh, macLow);
    if (index === -1) {
      if (this.#learned >= this.#learnedLimit || this.#isFull) return Learned.refused;
      this.#countLearned(member, 1);
      this.#insert(domain, macHigh, macLow, member, endpoint, 0, second);
      return Learned.added;
    }
    if (table[index + FdbField.flags] === FDB_STATIC) return Learned.known;
    table[index + FdbField.lastHeard] = second;
    if (table[index + FdbField.memberPlusOne] === member + 1 && table[index + FdbField.endpoint] === endpoint)
      return Learned.known;
    const moved = table[index + FdbField.memberPlusOne] !== member + 1;
    if (moved) {
      this.movedFrom = this.memberAt(index);
      this.#countLearned(this.memberAt(index), -1);
      this.#countLearned(member, 1);
    }
    table[index + FdbField.memberPlusOne] = member + 1;
    table[index + FdbField.endpoint] = endpoint;
    return moved ? Learned.moved : Learned.known;
  }

  /** Adds or replaces a static entry; false when the table is full. */
  setStatic(domain: number, macHigh: number, macLow: number, member: number, endpoint: number): boolean {
    const index = this.find(domain, macHigh, macLow);
    if (index === -1) {
      if (this.#static >= this.#staticLimit || this.#isFull) return false;
      this.#static += 1;
      this.#insert(domain, macHigh, macLow, member, endpoint, FDB_STATIC, 0);
      return true;
    }
    const table = this.table;
    if (table[index + FdbField.flags] !== FDB_STATIC) {
      if (this.#static >= this.#staticLimit) return false;
      this.#countLearned(this.memberAt(index), -1);
      this.#static += 1;
    }
    table[index + FdbField.memberPlusOne] = member + 1;
    table[index + FdbField.endpoint] = endpoint;
    table[index + FdbField.flags] = FDB_STATIC;
    return true;
  }

  removeStatic(domain: number, macHigh: number, macLow: number): void {
    const index = this.find(domain, macHigh, macLow);
    if (index !== -1 && this.table[index + FdbField.flags] === FDB_STATIC) this.#removeAt(index);
  }

  /** Learned entries that point at `member`. */
  learnedOf(member: number): number {
    return this.#learnedBy[member] ?? 0;
  }

  /**
   * Forgets learned entries that point at `member`, looking at up to `slots` places from where the last call ended; true
   * when there is none left.
   */
  forgetMember(member: number, slots = Infinity): boolean {
    const table = this.table;
    for (let step = 0; step < slots && this.learnedOf(member) > 0;) {
      const index = this.#forgetting;
      const matches =
        table[index + FdbField.memberPlusOne] === member + 1 && table[index + FdbField.flags] !== FDB_STATIC;
      if (matches) {
        // It may move another entry here, so the same place is looked at again.
        this.#removeAt(index);
      } else {
        this.#forgetting = (index + FDB_STRIDE) % table.length;
        step += 1;
      }
    }
    return this.learnedOf(member) === 0;
  }

  /**
   * Forgets learned entries not heard since `second - timeoutSeconds`, looking at `slots` places from where the last call
   * ended: a full sweep is spread over many calls, so that none of them holds the frames up.
   */
  age(second: number, timeoutSeconds: number, slots: number): number {
    const table = this.table;
    let removed = 0;
    for (let step = 0; step < slots; step++) {
      const index = this.#sweep;
      if (
        table[index + FdbField.memberPlusOne] !== FREE &&
        table[index + FdbField.flags] !== FDB_STATIC &&
        second - table[index + FdbField.lastHeard]! > timeoutSeconds
      ) {
        this.#removeAt(index);
        removed += 1;
      } else {
        this.#sweep = (index + FDB_STRIDE) % table.length;
      }
    }
    return removed;
  }

  #insert(
    domain: number,
    macHigh: number,
    macLow: number,
    member: number,
    endpoint: number,
    flags: number,
    second: number,
  ): void {
    const table = this.table;
    const key = (domain << 16) | macHigh;
    let at = hashPair(macLow, key) & this.#mask;
    while (table[at * FDB_STRIDE + FdbField.memberPlusOne] !== FREE) at = (at + 1) & this.#mask;
    const index = at * FDB_STRIDE;
    table[index] = macLow;
    table[index + 1] = key;
    table[index + FdbField.endpoint] = endpoint;
    table[index + FdbField.flags] = flags;
    table[index + FdbField.lastHeard] = second;
    table[index + FdbField.memberPlusOne] = member + 1;
  }

  #countLearned(member: number, by: 1 | -1): void {
    this.#learned += by;
    this.#learnedBy[member] = this.learnedOf(member) + by;
  }

  #removeAt(index: number): void {
    const table = this.table;
    if (table[index + FdbField.flags] === FDB_STATIC) this.#static -= 1;
    else this.#countLearned(this.memberAt(index), -1);
    let hole = index / FDB_STRIDE;
    for (
      let at = (hole + 1) & this.#mask;
      table[at * FDB_STRIDE + FdbField.memberPlusOne] !== FREE;
      at = (at + 1) & this.#mask
    ) {
      const home = hashPair(table[at * FDB_STRIDE]!, table[at * FDB_STRIDE + 1]!) & this.#mask;
      if (((at - home) & this.#mask) >= ((at - hole) & this.#mask)) {
        table.copyWithin(hole * FDB_STRIDE, at * FDB_STRIDE, (at + 1) * FDB_STRIDE);
        hole = at;
      }
    }
    table[hole * FDB_STRIDE + FdbField.memberPlusOne] = FREE;
  }
}
