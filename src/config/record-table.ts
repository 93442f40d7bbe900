// Records by MAC address, packed: a forwarding database may hold a million of them.
//
// A record costs ten octets instead of two hundred: its address in two columns, and the number of what it says. Most
// records say the same as thousands of others (which end of the tunnel), so each such text is kept, checked and printed
// once. A table never changes after it was built, and tables may share columns.

import { formatMacNumbers, macHigh16, macLow32, parseMac } from '../core/mac.ts';
import { PairMap } from '../core/pair-map.ts';

export type RecordColumns = {
  /** The first 16 bits of each MAC. */
  readonly high: Uint16Array;
  /** Its last 32 bits. */
  readonly low: Int32Array;
  /** Position in `contents` of what the record says. */
  readonly content: Uint32Array;
};

export class RecordTable<P extends object> implements Iterable<[string, P]> {
  readonly columns: RecordColumns;
  /** What records say, each thing once. */
  readonly contents: readonly P[];

  /** The columns, of one length, belong to the table from now on. */
  constructor(columns: RecordColumns, contents: readonly P[]) {
    this.columns = columns;
    this.contents = contents;
  }

  get size(): number {
    return this.columns.low.length;
  }

  macAt(row: number): string {
    return formatMacNumbers(this.columns.high[row]!, this.columns.low[row]!);
  }

  at(row: number): P {
    return this.contents[this.columns.content[row]!]!;
  }

  /** The record of a MAC address in canonical text. Looks at every row: for the one record that a caller knows by name. */
  get(mac: string): P | undefined {
    const octets = parseMac(mac);
    if (octets === undefined) return undefined;
    const high = macHigh16(octets);
    const low = macLow32(octets);
    const { columns } = this;
    for (let row = columns.low.indexOf(low); row !== -1; row = columns.low.indexOf(low, row + 1)) {
      if (columns.high[row] === high) return this.at(row);
    }
    return undefined;
  }

  /** MAC address and record, in the order in which they were written. */
  *[Symbol.iterator](): Iterator<[string, P]> {
    for (let row = 0; row < this.size; row++) yield [this.macAt(row), this.at(row)];
  }

  /** The same addresses with other contents. */
  mapContents<Q extends object>(change: (content: P) => Q): RecordTable<Q> {
    return new RecordTable(this.columns, this.contents.map(change));
  }

  /** Whether both hold the same records, in any order; `same` compares two contents. */
  equals(other: RecordTable<P>, same: (a: P, b: P) => boolean): boolean {
    if (this.size !== other.size) return false;
    const judged = new Map<number, boolean>();
    const sameContent = (a: number, b: number): boolean => {
      const pair = a * other.contents.length + b;
      const known = judged.get(pair) ?? same(this.contents[a]!, other.contents[b]!);
      judged.set(pair, known);
      return known;
    };
    const mine = this.columns;
    const theirs = other.columns;
    let index: PairMap | undefined;
    for (let row = 0; row < this.size; row++) {
      const high = mine.high[row]!;
      const low = mine.low[row]!;
      let at = row;
      if (theirs.high[row] !== high || theirs.low[row] !== low) {
        index ??= indexOf(theirs);
        at = index.get(high, low);
        if (at === -1) return false;
      }
      if (!sameContent(mine.content[row]!, theirs.content[at]!)) return false;
    }
    return true;
  }
}

/** (high, low) of a MAC → row. */
export function indexOf({ high, low }: RecordColumns): PairMap {
  const index = new PairMap(low.length);
  for (let row = 0; row < low.length; row++) index.set(high[row]!, low[row]!, row);
  return index;
}

export function emptyTable<P extends object>(): RecordTable<P> {
  return new RecordTable({ high: new Uint16Array(0), low: new Int32Array(0), content: new Uint32Array(0) }, []);
}

/** The content of a row that was deleted. */
const GONE = 0xffffffff;

/** A table under construction, empty at first or with the records of another. */
export class RecordTableBuilder<P extends object> {
  #high: Uint16Array;
  #low: Int32Array;
  #content: Uint32Array;
  #rows = 0;
  readonly #index: PairMap;
  readonly #contents: P[];
  readonly #contentByText = new Map<string, number>();

  constructor(from?: RecordTable<P>) {
    const rows = Math.max(16, from?.size ?? 0);
    this.#high = new Uint16Array(rows);
    this.#low = new Int32Array(rows);
    this.#content = new Uint32Array(rows);
    this.#contents = [...(from?.contents ?? [])];
    this.#contents.forEach((content, number) => this.#contentByText.set(JSON.stringify(content), number));
    if (from === undefined) {
      this.#index = new PairMap();
      return;
    }
    this.#high.set(from.columns.high);
    this.#low.set(from.columns.low);
    this.#content.set(from.columns.content);
    this.#rows = from.size;
    this.#index = indexOf(from.columns);
  }

  /** The number of a content, for `add`. */
  contentOf(content: P): number {
    const text = JSON.stringify(content);
    const known = this.#contentByText.get(text);
    if (known !== undefined) return known;
    const number = this.#contents.push(content) - 1;
    this.#contentByText.set(text, number);
    return number;
  }

  /** Appends a record; false when there is one of this address already. */
  add(high: number, low: number, content: number): boolean {
    if (this.#index.get(high, low) !== -1) return false;
    if (this.#rows === this.#low.length) this.#grow();
    this.#high[this.#rows] = high;
    this.#low[this.#rows] = low;
    this.#content[this.#rows] = content;
    this.#index.set(high, low, this.#rows);
    this.#rows += 1;
    return true;
  }

  /** `mac` is canonical text, here and below. */
  get(mac: string): P | undefined {
    const row = this.#find(mac);
    return row === -1 ? undefined : this.#contents[this.#content[row]!];
  }

  set(mac: string, record: P): void {
    const octets = parseMac(mac)!;
    const row = this.#find(mac);
    const content = this.contentOf(record);
    if (row === -1) this.add(macHigh16(octets), macLow32(octets), content);
    else this.#content[row] = content;
  }

  /** False when there is no such record. */
  delete(mac: string): boolean {
    const row = this.#find(mac);
    if (row === -1) return false;
    this.#index.delete(this.#high[row]!, this.#low[row]!);
    this.#content[row] = GONE;
    return true;
  }

  /** The table; contents that no record has any more are left out. */
  build(): RecordTable<P> {
    const high = new Uint16Array(this.#index.size);
    const low = new Int32Array(this.#index.size);
    const content = new Uint32Array(this.#index.size);
    const contents: P[] = [];
    const renumbered = new Map<number, number>();
    let rows = 0;
    for (let row = 0; row < this.#rows; row++) {
      const before = this.#content[row]!;
      if (before === GONE) continue;
      let number = renumbered.get(before);
      if (number === undefined) {
        number = contents.push(this.#contents[before]!) - 1;
        renumbered.set(before, number);
      }
      high[rows] = this.#high[row]!;
      low[rows] = this.#low[row]!;
      content[rows] = number;
      rows += 1;
    }
    return new RecordTable({ high, low, content }, contents);
  }

  #find(mac: string): number {
    const octets = parseMac(mac);
    return octets === undefined ? -1 : this.#index.get(macHigh16(octets), macLow32(octets));
  }

  #grow(): void {
    const rows = this.#rows * 2;
    const [high, low, content] = [this.#high, this.#low, this.#content];
    this.#high = new Uint16Array(rows);
    this.#low = new Int32Array(rows);
    this.#content = new Uint32Array(rows);
    this.#high.set(high);
    this.#low.set(low);
    this.#content.set(content);
  }
}
