// Values of the MaxMind DB format 2.0 ("MaxMind DB File Format Specification", sections on the data section and its types).
//
//    +------+-------+- - - - - - - -+- - - - - +-----------
//    | type | size  | type - 7 (8)  | size     | payload        3 and 5 bits; where type is 0; where size is 29, 30 or 31
//    +------+-------+- - - - - - - -+- - - - - +-----------
//
// Nothing that octets may say makes a reader throw, loop or take long: what is damaged is undefined, and so is what has more
// values in it than anybody writes.

export type GeoValue =
  string | number | bigint | boolean | Uint8Array | readonly GeoValue[] | ReadonlyMap<string, GeoValue>;

const Type = {
  extended: 0,
  pointer: 1,
  text: 2,
  double: 3,
  bytes: 4,
  uint16: 5,
  uint32: 6,
  map: 7,
  int32: 8,
  uint64: 9,
  uint128: 10,
  array: 11,
  boolean: 14,
  float: 15,
} as const;
const FIRST_EXTENDED = 7;

/** By type, the most octets of a whole number. */
const MAX_OCTETS: ReadonlyMap<number, number> = new Map([
  [Type.uint16, 2],
  [Type.uint32, 4],
  [Type.int32, 4],
  [Type.uint64, 8],
  [Type.uint128, 16],
]);
const DOUBLE_OCTETS = 8;
const FLOAT_OCTETS = 4;

/** Sizes from here on stand in 1, 2 or 3 more octets, and are more than those of fewer. */
const FIRST_LONG_SIZE = 29;
const SIZE_BASES = [29, 285, 65_821];
/** What is added to pointers of 1 to 4 octets behind the first. */
const POINTER_BASES = [0, 2048, 526_336, 0];

/** Values that are looked at for one answer, and how far they may be nested. */
const MAX_VALUES = 1 << 16;
const MAX_DEPTH = 512;

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export class GeoDecoder {
  readonly #octets: Uint8Array;
  readonly #view: DataView;
  /** What pointers count from, and where values end. */
  readonly #start: number;
  readonly #end: number;
  /** Of the value that was looked at last: its type, its size, where its payload starts. */
  #type = 0;
  #size = 0;
  #payload = 0;
  /** Values that may still be looked at, and where the last one ended. */
  #left = 0;
  #next = 0;

  constructor(octets: Uint8Array, start: number, end: number) {
    this.#octets = octets;
    this.#view = new DataView(octets.buffer, octets.byteOffset, octets.length);
    this.#start = start;
    this.#end = end;
  }

  /** The value at an offset from the start, with all that is in it; undefined when it is damaged. */
  value(offset: number): GeoValue | undefined {
    this.#left = MAX_VALUES;
    return this.#decode(this.#start + offset, MAX_DEPTH);
  }

  /** The text that stands behind keys of maps and indices of arrays; undefined when there is none. */
  text(offset: number, path: readonly (Uint8Array | number)[]): string | undefined {
    this.#left = MAX_VALUES;
    let at = this.#start + offset;
    for (const step of path) {
      if (!this.#readTarget(at)) return undefined;
      at = typeof step === 'number' ? this.#element(step) : this.#entry(step);
      if (at < 0) return undefined;
    }
    return this.#readTarget(at) && this.#type === Type.text ? this.#text() : undefined;
  }

  #decode(at: number, depth: number): GeoValue | undefined {
    if (depth === 0 || --this.#left < 0 || !this.#read(at)) return undefined;
    if (this.#type === Type.pointer) {
      const next = this.#payload;
      if (!this.#readTarget(at)) return undefined;
      const value = this.#content(depth);
      this.#next = next;
      return value;
    }
    return this.#content(depth);
  }

  /** Of the value that was looked at; `#next` is behind it then. */
  #content(depth: number): GeoValue | undefined {
    const at = this.#payload;
    const size = this.#size;
    const type = this.#type;
    if (type === Type.map) return this.#map(at, size, depth);
    if (type === Type.array) return this.#array(at, size, depth);
    if (type === Type.boolean) {
      this.#next = at;
      return size > 1 ? undefined : size === 1;
    }
    this.#next = at + size;
    if (type === Type.text) return this.#text();
    if (type === Type.bytes) return new Uint8Array(this.#octets.subarray(at, at + size));
    if (type === Type.double) return size === DOUBLE_OCTETS ? this.#view.getFloat64(at) : undefined;
    if (type === Type.float) return size === FLOAT_OCTETS ? this.#view.getFloat32(at) : undefined;
    const most = MAX_OCTETS.get(type);
    return most === undefined || size > most ? undefined : this.#integer(type, at, size);
  }

  #integer(type: number, at: number, size: number): number | bigint {
    if (type === Type.uint64 || type === Type.uint128) {
      let large = 0n;
      for (let index = 0; index < size; index++) large = (large << 8n) | BigInt(this.#octets[at + index]!);
      return large;
    }
    let number = 0;
    for (let index = 0; index < size; index++) number = (number << 8) | this.#octets[at + index]!;
    return type === Type.int32 ? number : number >>> 0;
  }

  #map(at: number, size: number, depth: number): GeoValue | undefined {
    const map = new Map<string, GeoValue>();
    this.#next = at;
    for (let entry = 0; entry < size; entry++) {
      const key = this.#decode(this.#next, depth - 1);
      const value = typeof key === 'string' ? this.#decode(this.#next, depth - 1) : undefined;
      if (typeof key !== 'string' || value === undefined) return undefined;
      map.set(key, value);
    }
    return map;
  }

  #array(at: number, size: number, depth: number): GeoValue | undefined {
    const array: GeoValue[] = [];
    this.#next = at;
    for (let index = 0; index < size; index++) {
      const value = this.#decode(this.#next, depth - 1);
      if (value === undefined) return undefined;
      array.push(value);
    }
    return array;
  }

  #text(): string {
    return utf8.decode(this.#octets.subarray(this.#payload, this.#payload + this.#size));
  }

  /** Where the value of a key stands in the map that was looked at; -1 when it is not there. */
  #entry(key: Uint8Array): number {
    if (!this.#is(Type.map)) return -1;
    let at = this.#payload;
    for (let left = this.#size; left > 0; left--) {
      if (--this.#left < 0 || !this.#read(at)) return -1;
      const value = this.#is(Type.text) ? this.#payload + this.#size : this.#payload;
      if (!this.#readTarget(at) || !this.#is(Type.text)) return -1;
      if (this.#isText(key)) return value;
      at = this.#behind(value);
      if (at < 0) return -1;
    }
    return -1;
  }

  #element(index: number): number {
    if (!this.#is(Type.array) || index >= this.#size) return -1;
    let at = this.#payload;
    for (let left = index; left > 0 && at >= 0; left--) at = this.#behind(at);
    return at;
  }

  #isText(text: Uint8Array): boolean {
    if (this.#size !== text.length) return false;
    for (let index = 0; index < text.length; index++) {
      if (this.#octets[this.#payload + index] !== text[index]) return false;
    }
    return true;
  }

  /** Where the value behind one starts; -1 when it cannot be said. */
  #behind(at: number): number {
    for (let values = 1; values > 0; values--) {
      if (--this.#left < 0 || !this.#read(at)) return -1;
      at = this.#payload;
      if (this.#type === Type.map) values += 2 * this.#size;
      else if (this.#type === Type.array) values += this.#size;
      else if (this.#type !== Type.pointer && this.#type !== Type.boolean) at += this.#size;
    }
    return at;
  }

  /** As `#read`, of what a pointer points to; a pointer to a pointer is none. */
  #readTarget(at: number): boolean {
    if (!this.#read(at)) return false;
    return this.#type !== Type.pointer || (this.#read(this.#start + this.#size) && !this.#is(Type.pointer));
  }

  #is(type: number): boolean {
    return this.#type === type;
  }

  /** Reads up to the payload, which is there; false when it is not. The size of a pointer is where it points to. */
  #read(at: number): boolean {
    if (at >= this.#end) return false;
    const octets = this.#octets;
    const control = octets[at++]!;
    let type = control >>> 5;
    if (type === Type.pointer) return this.#readPointer(control, at);
    if (type === Type.extended) {
      if (at >= this.#end) return false;
      type = FIRST_EXTENDED + octets[at++]!;
    }
    let size = control & 31;
    if (size >= FIRST_LONG_SIZE) {
      const more = size - FIRST_LONG_SIZE + 1;
      if (at + more > this.#end) return false;
      size = SIZE_BASES[more - 1]!;
      let above = 0;
      for (let index = 0; index < more; index++) above = (above << 8) | octets[at + index]!;
      size += above;
      at += more;
    }
    this.#type = type;
    this.#size = size;
    this.#payload = at;
    const hasOctets = type !== Type.map && type !== Type.array && type !== Type.boolean;
    return !hasOctets || at + size <= this.#end;
  }

  /** Bits of the first octet: 001SSVVV, S + 1 octets behind it; the three of the value count unless S is 3. */
  #readPointer(control: number, at: number): boolean {
    const octets = ((control >>> 3) & 3) + 1;
    if (at + octets > this.#end) return false;
    let target = octets === 4 ? 0 : control & 7;
    for (let index = 0; index < octets; index++) target = target * 256 + this.#octets[at + index]!;
    this.#type = Type.pointer;
    this.#size = target + POINTER_BASES[octets - 1]!;
    this.#payload = at + octets;
    return true;
  }
}
