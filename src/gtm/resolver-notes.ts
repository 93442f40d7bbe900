// Resolvers that ask for what is balanced by paths: a table in shared memory, which threads that answer write and the main thread reads.
//
// Who notes looks at a few places from where the address's hash says on: a resolver that was noted a moment ago costs these looks and
// nothing else. A new one takes a free place, or that of the one that was noted longest ago; a word of each entry is odd while it is
// written, and where another thread is just there nothing is noted, for the resolver will ask again.

/** Memory that threads share: a seed, a count of notes, the seconds between two notes of one resolver, and entries. */
export type ResolverMemory = { readonly words: Int32Array };

const Head = { seed: 0, notes: 1, interval: 2 } as const;
const HEAD_WORDS = 4;
const Word = {
  /** Odd while the entry is written. */
  changes: 0,
  /** 4 or 6; 0: there is no entry. */
  family: 1,
  address: 2,
  /** Seconds since 1970. */
  noted: 6,
} as const;
const ENTRY_WORDS = 8;
const NEIGHBOURS = 8;

/** `entries`: a power of two, 8 at least. `interval`: seconds. */
export function newResolverMemory(entries: number, interval: number): ResolverMemory {
  const words = new Int32Array(new SharedArrayBuffer(4 * (HEAD_WORDS + entries * ENTRY_WORDS)));
  // So that nobody can choose addresses that drive out those of others.
  words[Head.seed] = (Math.random() * 2 ** 32) | 0;
  words[Head.interval] = interval;
  return { words };
}

export type NotedResolver = {
  readonly family: 4 | 6;
  /** Of IPv4 in the first, as `Client` has it. */
  readonly address: Int32Array;
  readonly noted: number;
};

export class ResolverNotes {
  readonly #words: Int32Array;
  readonly #seed: number;
  readonly #mask: number;

  constructor({ words }: ResolverMemory) {
    this.#words = words;
    this.#seed = words[Head.seed]!;
    this.#mask = (words.length - HEAD_WORDS) / ENTRY_WORDS - 1;
  }

  /** How often somebody was noted. */
  get notes(): number {
    return Atomics.load(this.#words, Head.notes);
  }

  set interval(seconds: number) {
    Atomics.store(this.#words, Head.interval, Math.min(0x7fff_ffff, seconds));
  }

  /** `address`: four words. `now`: seconds since 1970. Allocates nothing. */
  note(address: Int32Array, family: number, now: number): void {
    const words = this.#words;
    const first = this.#hash(address, family);
    let oldest = -1;
    let oldestNoted = Infinity;
    for (let step = 0; step < NEIGHBOURS; step++) {
      const at = HEAD_WORDS + ((first + step) & this.#mask) * ENTRY_WORDS;
      const noted = Atomics.load(words, at + Word.family) === 0 ? -1 : Atomics.load(words, at + Word.noted);
      if (noted >= 0 && this.#isOf(at, address, family)) {
        if (now - noted < Atomics.load(words, Head.interval) && noted <= now) return;
        Atomics.store(words, at + Word.noted, now);
        Atomics.add(words, Head.notes, 1);
        return;
      }
      if (noted >= oldestNoted) continue;
      oldest = at;
      oldestNoted = noted;
    }
    this.#write(oldest, address, family, now);
  }

  /** Those that were noted at this second or later. */
  since(second: number): NotedResolver[] {
    const words = this.#words;
    const found: NotedResolver[] = [];
    for (let at = HEAD_WORDS; at < words.length; at += ENTRY_WORDS) {
      const changes = Atomics.load(words, at);
      const family = Atomics.load(words, at + Word.family);
      const noted = Atomics.load(words, at + Word.noted);
      if ((changes & 1) !== 0 || family === 0 || noted < second) continue;
      const address = Int32Array.from({ length: 4 }, (_, word) => Atomics.load(words, at + Word.address + word));
      if (Atomics.load(words, at) === changes) found.push({ family: family === 4 ? 4 : 6, address, noted });
    }
    return found;
  }

  #write(at: number, address: Int32Array, family: number, now: number): void {
    const words = this.#words;
    const changes = Atomics.load(words, at);
    if ((changes & 1) !== 0 || Atomics.compareExchange(words, at, changes, changes | 1) !== changes) return;
    Atomics.store(words, at + Word.family, family);
    for (let word = 0; word < 4; word++) Atomics.store(words, at + Word.address + word, address[word]!);
    Atomics.store(words, at + Word.noted, now);
    Atomics.store(words, at, changes + 2);
    Atomics.add(words, Head.notes, 1);
  }

  #isOf(at: number, address: Int32Array, family: number): boolean {
    const words = this.#words;
    return (
      Atomics.load(words, at + Word.address) === address[0] &&
      Atomics.load(words, at + Word.family) === family &&
      Atomics.load(words, at + Word.address + 1) === address[1] &&
      Atomics.load(words, at + Word.address + 2) === address[2] &&
      Atomics.load(words, at + Word.address + 3) === address[3]
    );
  }

  #hash(address: Int32Array, family: number): number {
    let hash = Math.imul(this.#seed ^ family, 0x9e3779b1);
    for (let word = 0; word < 4; word++) {
      hash ^= hash >>> 15;
      hash = Math.imul(hash ^ address[word]!, 0xc2b2ae35);
    }
    return hash ^ (hash >>> 16);
  }
}
