// Which member the clients of a network were sent to by a wide IP that has persistence: one table in shared memory for all threads
// that answer, so that a client finds its member whichever of them it meets.
//
// The table has a fixed size and needs no sweeping: an entry may be in one of a few places from where its hash says on, an old one
// is as good as none, and where no place is free the one whose time is over first gives way. Nobody waits for anybody. A word
// of each entry counts its changes and is odd during one: who writes claims the entry by it, and lets it be when another has; who
// reads looks at it before and behind, and looks again a few times when it has changed. All words are read and written atomically,
// because otherwise some processors see them in another order than that. A thread that ends within a change, which lasts for
// a tenth of a microsecond, takes the entry with it until the table is made anew.

/** Memory that threads share. */
export type PersistMemory = {
  /** A seed of hashes, and the entries. */
  readonly words: Int32Array;
};

/** What is remembered of a client. */
export type PersistEntry = {
  /** Of the wide IP (WideIpField.key and keyMore). */
  readonly key: number;
  readonly keyMore: number;
  /** 4 or 6. */
  readonly family: number;
  /** Of the client's network: four words, those of IPv4 in the first. */
  readonly address: Int32Array;
  /** Of the member (MemberField.key and keyMore). */
  readonly memberKey: number;
  readonly memberKeyMore: number;
  /** Seconds for which it is still good: above 0. */
  readonly secondsLeft: number;
};

const Word = {
  /** Odd while the entry is written. */
  changes: 0,
  /** 4 or 6; 0: there is no entry. */
  family: 1,
  key: 2,
  keyMore: 3,
  address: 4,
  memberKey: 8,
  memberKeyMore: 9,
  /** Seconds since 1970 at which it is over. */
  expires: 10,
} as const;
const ENTRY_WORDS = 12;
/** In front of the entries; of them one is used. */
const HEAD_WORDS = 4;
/** Places that an entry may be in, one behind the other. */
const NEIGHBOURS = 8;

/** How often an entry is looked at again when it is written just then: for about as long as that takes. */
const LOOKS = 64;

/** `entries`: a power of two, 8 at least. */
export function newPersistMemory(entries: number): PersistMemory {
  const words = new Int32Array(new SharedArrayBuffer(4 * (HEAD_WORDS + entries * ENTRY_WORDS)));
  // So that nobody can choose addresses that drive out those of others.
  words[0] = (Math.random() * 2 ** 32) | 0;
  return { words };
}

export class PersistTable {
  /** What `find` found. */
  memberKey = 0;
  memberKeyMore = 0;
  readonly #words: Int32Array;
  readonly #seed: number;
  readonly #mask: number;

  constructor(memory: PersistMemory) {
    this.#words = memory.words;
    this.#seed = memory.words[0]!;
    this.#mask = (memory.words.length - HEAD_WORDS) / ENTRY_WORDS - 1;
  }

  /**
   * Whether a client is remembered; its member is then in `memberKey` and `memberKeyMore`. `address`: four words, masked
   * (`maskAddress`). `now`: seconds since 1970.
   */
  find(key: number, keyMore: number, address: Int32Array, family: number, now: number): boolean {
    const first = this.#hash(key, keyMore, address, family);
    for (let step = 0; step < NEIGHBOURS; step++) {
      const at = this.#place(first + step);
      if (this.#isOf(at, key, keyMore, address, family) && this.#read(at, key, keyMore, address, family, now))
        return true;
    }
    return false;
  }

  /**
   * Remembers a client for `ttl` seconds from `now` on, in the place of what was remembered of it before; false when it could
   * not, because another thread was just there.
   */
  put(
    key: number,
    keyMore: number,
    address: Int32Array,
    family: number,
    memberKey: number,
    memberKeyMore: number,
    ttl: number,
    now: number,
  ): boolean {
    const words = this.#words;
    const at = this.#placeFor(key, keyMore, address, family, now);
    if (at < 0) return false;
    const changes = Atomics.load(words, at);
    if ((changes & 1) !== 0 || Atomics.compareExchange(words, at, changes, changes | 1) !== changes) return false;
    Atomics.store(words, at + Word.family, family);
    Atomics.store(words, at + Word.key, key);
    Atomics.store(words, at + Word.keyMore, keyMore);
    for (let word = 0; word < 4; word++) Atomics.store(words, at + Word.address + word, address[word]!);
    Atomics.store(words, at + Word.memberKey, memberKey);
    Atomics.store(words, at + Word.memberKeyMore, memberKeyMore);
    Atomics.store(words, at + Word.expires, now + ttl);
    Atomics.store(words, at, changes + 2);
    return true;
  }

  /** All that is remembered. */
  list(now: number): PersistEntry[] {
    const entries: PersistEntry[] = [];
    for (let number = 0; number <= this.#mask; number++) {
      const entry = this.#entry(this.#place(number), now);
      if (entry !== undefined) entries.push(entry);
    }
    return entries;
  }

  /** Forgets all entries that are chosen; returns how many those were. */
  forget(isChosen: (entry: PersistEntry) => boolean, now: number): number {
    let forgotten = 0;
    for (let number = 0; number <= this.#mask; number++) {
      const at = this.#place(number);
      const changes = Atomics.load(this.#words, at);
      const entry = this.#entry(at, now);
      if (entry !== undefined && isChosen(entry) && this.#clear(at, changes)) forgotten++;
    }
    return forgotten;
  }

  /** Reads the client's member at a place where it seems to be; false when it is not, is over, or is written all the time. */
  #read(at: number, key: number, keyMore: number, address: Int32Array, family: number, now: number): boolean {
    const words = this.#words;
    for (let look = 0; look < LOOKS; look++) {
      const changes = Atomics.load(words, at);
      if ((changes & 1) !== 0) continue;
      if (!this.#isOf(at, key, keyMore, address, family)) return false;
      const memberKey = Atomics.load(words, at + Word.memberKey);
      const memberKeyMore = Atomics.load(words, at + Word.memberKeyMore);
      const expires = Atomics.load(words, at + Word.expires) >>> 0;
      if (Atomics.load(words, at) !== changes) continue;
      if (expires <= now) return false;
      this.memberKey = memberKey;
      this.memberKeyMore = memberKeyMore;
      return true;
    }
    return false;
  }

  /** The entry at a place; undefined when there is none that is good, or it is being changed. */
  #entry(at: number, now: number): PersistEntry | undefined {
    const words = this.#words;
    const changes = Atomics.load(words, at);
    const copy = Int32Array.from({ length: ENTRY_WORDS }, (_, word) => Atomics.load(words, at + word));
    if ((changes & 1) !== 0 || Atomics.load(words, at) !== changes) return undefined;
    const secondsLeft = (copy[Word.expires]! >>> 0) - now;
    if (copy[Word.family] === 0 || secondsLeft <= 0) return undefined;
    return {
      key: copy[Word.key]!,
      keyMore: copy[Word.keyMore]!,
      family: copy[Word.family]!,
      address: copy.slice(Word.address, Word.address + 4),
      memberKey: copy[Word.memberKey]!,
      memberKeyMore: copy[Word.memberKeyMore]!,
      secondsLeft,
    };
  }

  /** Makes a place free, if it has not changed since `changes` was read. */
  #clear(at: number, changes: number): boolean {
    const words = this.#words;
    if ((changes & 1) !== 0 || Atomics.compareExchange(words, at, changes, changes | 1) !== changes) return false;
    Atomics.store(words, at + Word.family, 0);
    Atomics.store(words, at, changes + 2);
    return true;
  }

  /**
   * Where a client's entry is to be written: where it is, or where the first free place is, or the one that is over first; -1
   * when others are writing all of them.
   */
  #placeFor(key: number, keyMore: number, address: Int32Array, family: number, now: number): number {
    const words = this.#words;
    const first = this.#hash(key, keyMore, address, family);
    let own = -1;
    let other = -1;
    let soonest = Infinity;
    for (let step = 0; step < NEIGHBOURS; step++) {
      const at = this.#place(first + step);
      const changes = Atomics.load(words, at);
      if ((changes & 1) !== 0) continue;
      if (this.#isOf(at, key, keyMore, address, family)) {
        // Two threads may have written it in two places at once; one of them is enough.
        if (own < 0) own = at;
        else this.#clear(at, changes);
        continue;
      }
      const expires = Atomics.load(words, at + Word.expires) >>> 0;
      const isFree = Atomics.load(words, at + Word.family) === 0 || expires <= now;
      const time = isFree ? 0 : expires;
      if (time >= soonest) continue;
      soonest = time;
      other = at;
    }
    return own < 0 ? other : own;
  }

  #isOf(at: number, key: number, keyMore: number, address: Int32Array, family: number): boolean {
    const words = this.#words;
    return (
      Atomics.load(words, at + Word.address) === address[0] &&
      Atomics.load(words, at + Word.key) === key &&
      Atomics.load(words, at + Word.keyMore) === keyMore &&
      Atomics.load(words, at + Word.family) === family &&
      Atomics.load(words, at + Word.address + 1) === address[1] &&
      Atomics.load(words, at + Word.address + 2) === address[2] &&
      Atomics.load(words, at + Word.address + 3) === address[3]
    );
  }

  #place(number: number): number {
    return HEAD_WORDS + (number & this.#mask) * ENTRY_WORDS;
  }

  #hash(key: number, keyMore: number, address: Int32Array, family: number): number {
    let hash = Math.imul(this.#seed ^ key, 0x9e3779b1) ^ family;
    hash = Math.imul(hash ^ (hash >>> 15) ^ keyMore, 0x85ebca6b);
    for (let word = 0; word < 4; word++) {
      hash ^= hash >>> 15;
      hash = Math.imul(hash ^ address[word]!, 0xc2b2ae35);
    }
    return hash ^ (hash >>> 16);
  }
}
