// What this machine publishes: the last record of each key, and a log of which changed when, that every subscriber reads at its own pace.
//
// The log names each key once, where it changed last; the places of earlier changes are stale, and passed over. So who reads slowly gets
// the last of each key, and however many read, and however slowly, the log is no longer than what there is and what has gone lately.

import { CHANNELS, type Channel, type Message, RECORD_MESSAGES, recordKey, type RecordMessage } from './messages.ts';

/** Of one channel, so that nobody who takes all of it needs more memory than that. */
export const MOST_RECORDS = 200_000;
/** That went, and that somebody has not been told of; a reader that is further behind is told all there is again. */
export const MOST_FORGOTTEN = 10_000;
/** Stale places in the log that are not worth the work of removing them. */
const STALE_PLACES = 1024;

type Entry = {
  readonly channel: Channel;
  readonly key: string;
  /** Undefined: it has gone. */
  record: RecordMessage | undefined;
  /** Number of its last change, and of the one with which it came. */
  changed: number;
  born: number;
};

type Store = {
  readonly entries: Map<string, Entry>;
  /** How many have a record. */
  size: number;
  /** Whether anything was ever published in it: until then it is not known what there is, rather than that there is nothing. */
  isKnown: boolean;
};

const FIELDS = Object.fromEntries(
  CHANNELS.map((channel) => [channel, Object.keys(RECORD_MESSAGES[channel].fields)]),
) as unknown as Readonly<Record<Channel, readonly string[]>>;

export class Publication {
  readonly #changed: () => void;
  readonly #stores: Readonly<Record<Channel, Store>>;
  /** The log: an entry, and the number of the change at which it was put there; stale if that is not its last one. */
  #log: Entry[] = [];
  #numbers: number[] = [];
  #number = 0;
  #forgotten = 0;
  #live = 0;
  readonly #readers = new Set<PublicationReader>();
  #refused = 0;

  /** `changed` is called at every change. */
  constructor(changed: () => void) {
    this.#changed = changed;
    this.#stores = Object.fromEntries(
      CHANNELS.map((channel) => [channel, { entries: new Map<string, Entry>(), size: 0, isKnown: false }]),
    ) as unknown as Record<Channel, Store>;
  }

  /** Records in all channels. */
  get size(): number {
    return this.#live;
  }

  /** Records that were more than MOST_RECORDS of a channel, and were not taken. */
  get refused(): number {
    return this.#refused;
  }

  /** Places of the log, stale ones too: for tests of its bound. */
  get places(): number {
    return this.#log.length;
  }

  publish(record: RecordMessage): void {
    this.#know(record.message);
    this.#put(record);
  }

  forget(channel: Channel, key: string): void {
    const entry = this.#stores[channel].entries.get(key);
    if (entry?.record === undefined) return;
    this.#bury(entry);
    this.#changed();
  }

  publishAll(channel: Channel, records: readonly RecordMessage[]): void {
    this.#know(channel);
    const kept = new Set<string>();
    for (const record of records) kept.add(this.#put(record));
    for (const entry of this.#stores[channel].entries.values()) {
      if (entry.record !== undefined && !kept.has(entry.key)) this.#bury(entry);
    }
    this.#changed();
  }

  /** From the beginning: each channel that is allowed, whole, and then what changes. */
  read(isAllowed: (channel: Channel) => boolean): PublicationReader {
    const reader = new PublicationReader(this.#source, isAllowed);
    reader.restart();
    this.#readers.add(reader);
    return reader;
  }

  readonly #source: Source = {
    isKnown: (channel) => this.#stores[channel].isKnown,
    entries: (channel) => this.#stores[channel].entries.values(),
    end: () => this.#log.length,
    number: () => this.#number,
    at: (place) => {
      const entry = this.#log[place];
      return entry !== undefined && entry.changed === this.#numbers[place] ? entry : undefined;
    },
    leave: (reader) => this.#readers.delete(reader),
  };

  #know(channel: Channel): void {
    const store = this.#stores[channel];
    if (store.isKnown) return;
    store.isKnown = true;
    for (const reader of this.#readers) reader.startWhole(channel);
    this.#changed();
  }

  #put(record: RecordMessage): string {
    const channel = record.message;
    const store = this.#stores[channel];
    const key = recordKey(record);
    let entry = store.entries.get(key);
    if (entry?.record !== undefined) {
      if (isSame(entry.record, record)) return key;
      entry.record = record;
    } else {
      if (store.size >= MOST_RECORDS) {
        this.#refused++;
        return key;
      }
      if (entry === undefined) {
        entry = { channel, key, record, changed: 0, born: 0 };
        store.entries.set(key, entry);
      } else {
        entry.record = record;
        this.#forgotten--;
      }
      entry.born = this.#number;
      store.size++;
      this.#live++;
    }
    this.#append(entry);
    this.#changed();
    return key;
  }

  #bury(entry: Entry): void {
    entry.record = undefined;
    this.#stores[entry.channel].size--;
    this.#live--;
    this.#forgotten++;
    this.#append(entry);
    if (this.#forgotten > MOST_FORGOTTEN) this.#compact(MOST_FORGOTTEN >> 1);
  }

  #append(entry: Entry): void {
    entry.changed = this.#number++;
    this.#log.push(entry);
    this.#numbers.push(entry.changed);
    if (this.#log.length > 2 * (this.#live + this.#forgotten) + STALE_PLACES) this.#compact(MOST_FORGOTTEN);
  }

  /**
   * Takes out of the log what is stale, and what has gone if everybody has been told, or if it is not among the last `most` that went:
   * who has not been told of one of those begins anew.
   */
  #compact(most: number): void {
    const [log, numbers, readers] = [this.#log, this.#numbers, this.#sortedReaders()];
    const told = readers[0]?.place ?? log.length;
    let [surplus, kept, next] = [this.#forgotten - most, 0, 0];
    const lost: PublicationReader[] = [];
    for (let place = 0; place < log.length; place++) {
      for (; next < readers.length && readers[next]!.place <= place; next++) readers[next]!.place = kept;
      const entry = log[place]!;
      if (entry.changed !== numbers[place]) continue;
      if (entry.record === undefined && (place < told || surplus > 0)) {
        surplus--;
        this.#forgotten--;
        this.#stores[entry.channel].entries.delete(entry.key);
        if (place >= told) lost.push(...readers.slice(lost.length, next));
        continue;
      }
      log[kept] = entry;
      numbers[kept++] = entry.changed;
    }
    for (; next < readers.length; next++) readers[next]!.place = kept;
    log.length = kept;
    numbers.length = kept;
    for (const reader of lost) reader.restart();
  }

  /** Who is furthest behind first. */
  #sortedReaders(): PublicationReader[] {
    return [...this.#readers].sort((one, other) => one.place - other.place);
  }
}

/** What a reader sees of the publication. */
type Source = {
  isKnown(channel: Channel): boolean;
  entries(channel: Channel): Iterator<Entry>;
  /** One place behind the last of the log, and the number of the next change. */
  end(): number;
  number(): number;
  at(place: number): Entry | undefined;
  leave(reader: PublicationReader): void;
};

/** How far a subscriber has been told. */
export class PublicationReader {
  readonly #source: Source;
  #isAllowed: (channel: Channel) => boolean;
  /** Channels that are to be told whole; the first of them is being told if there is an iterator. */
  #whole: Channel[] = [];
  #iterator: Iterator<Entry> | undefined;
  /** By channel: what changed before that is in what was told as a whole. */
  readonly #since = new Map<Channel, number>();
  /** Where in the log it goes on; the publication moves it when it shortens the log. */
  place = 0;

  constructor(source: Source, isAllowed: (channel: Channel) => boolean) {
    this.#source = source;
    this.#isAllowed = isAllowed;
  }

  get isDone(): boolean {
    return this.#whole.length === 0 && this.place >= this.#source.end();
  }

  /** Tells all there is once more; what is not allowed is told to be empty, because it may have been allowed before. */
  restart(): void {
    this.#iterator = undefined;
    this.#whole = CHANNELS.filter((channel) => this.#source.isKnown(channel));
    this.place = this.#source.end();
  }

  startWhole(channel: Channel): void {
    if (!this.#whole.includes(channel)) this.#whole.push(channel);
  }

  /** What was not allowed before is told whole, and what is not any more is told to be empty. */
  allow(isAllowed: (channel: Channel) => boolean): void {
    const before = this.#isAllowed;
    this.#isAllowed = isAllowed;
    for (const channel of CHANNELS) {
      if (!this.#source.isKnown(channel) || before(channel) === isAllowed(channel)) continue;
      const at = this.#whole.indexOf(channel);
      if (at === 0) this.#iterator = undefined;
      if (at >= 0) this.#whole.splice(at, 1);
      this.#whole.push(channel);
    }
  }

  /** Adds at most `most` messages, and two for a channel that ends within them; none: it has been told everything. */
  read(into: Message[], most: number): void {
    while (this.#whole.length > 0 && into.length < most) this.#readWhole(this.#whole[0]!, into, most);
    const end = this.#source.end();
    while (this.place < end && into.length < most) {
      const entry = this.#source.at(this.place++);
      if (entry === undefined || !this.#isAllowed(entry.channel)) continue;
      if (entry.changed < (this.#since.get(entry.channel) ?? 0)) continue;
      into.push(entry.record ?? { message: 'forget', channel: entry.channel, key: entry.key });
    }
  }

  close(): void {
    this.#source.leave(this);
  }

  #readWhole(channel: Channel, into: Message[], most: number): void {
    if (this.#iterator === undefined) {
      into.push({ message: 'begin', channel });
      this.#iterator = this.#source.entries(channel);
      this.#since.set(channel, this.#source.number());
    }
    const since = this.#since.get(channel)!;
    const isAllowed = this.#isAllowed(channel);
    while (isAllowed && into.length < most) {
      const next = this.#iterator.next();
      if (next.done === true) break;
      const { record, born } = next.value;
      // What came since then follows by the log; it would be told twice if it had been told before, and had gone.
      if (record !== undefined && born < since) into.push(record);
    }
    if (isAllowed && into.length >= most) return;
    into.push({ message: 'end', channel });
    this.#iterator = undefined;
    this.#whole.shift();
  }
}

function isSame(one: RecordMessage, other: RecordMessage): boolean {
  if (one === other) return true;
  const [a, b] = [one, other] as unknown as Readonly<Record<string, unknown>>[];
  for (const field of FIELDS[one.message]) {
    const [was, is] = [a![field], b![field]];
    if (was !== is && !(Array.isArray(was) && Array.isArray(is) && isSameList(was, is))) return false;
  }
  return true;
}

function isSameList(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((value, index) => value === other[index]);
}
