// Copies of frames on their way to `wideplane tcpdump`: a ring in shared memory with one writer, the worker, and one
// reader, the main thread.
//
// A capture point is an object of the data plane, known by its row of counters. The reader says which points it wants; the
// writer tests one integer a batch while nobody captures. A ring that is full loses records, counted, and never holds up
// a frame.
//
// Memory: CONTROL_WORDS of control, one word of interest per point, then the records. A record is a header of
// RECORD_OCTETS and the octets of the frame, aligned to 8; it never wraps: where it does not fit before the end, a
// header word of WRAP sends the reader to the beginning.

import type { Verdict } from '../core/drop-reason.ts';
import type { Arena } from '../packet/arena.ts';
import type { Frame } from '../packet/frame.ts';
import type { Tap } from './tap.ts';

/** What a reader may want of a point: bits. */
export const INTEREST_FRAMES = 1;
export const INTEREST_DROPPED = 2;

export type CaptureSizes = {
  /** Rows of counters that there may be. */
  points: number;
  /** Octets of the ring of records; a multiple of 8. */
  ringOctets: number;
};

export const DEFAULT_CAPTURE: CaptureSizes = { points: 32_768, ringOctets: 8 << 20 };

/** One frame as it passed, or was dropped at, a point. */
export type CaptureRecord = {
  point: number;
  /** A value of Direction in tap.ts; 0 where it is not known. */
  direction: number;
  /** Whether the octets are the payload of a datagram or an IP packet that the kernel has taken the outer headers off. */
  isDatagram: boolean;
  /** Whether they start with what carried the frame: with the Ethernet header in front of a packet, where it came with one. */
  isCarrier: boolean;
  /** 0: it passed. */
  verdict: Verdict;
  /** Milliseconds since the epoch, with a fraction. */
  timeMs: number;
  /** Octets of the frame, of which `octets` holds the first. */
  originalOctets: number;
  octets: Uint8Array;
  /** The other end of a frame of medium `udp` or `raw-ip`, as in Frame. */
  outer: readonly [number, number, number, number];
  outerPort: number;
  outerTos: number;
};

// Control words.
const INTEREST_ANY = 0; // union of all interest: 0 while nobody captures
const INTEREST_ALL_POINTS = 1; // interest that holds for every point
const SNAPLEN = 2;
const HEAD = 3; // octet offset in the ring where the writer writes next
const TAIL = 4; // octet offset in the ring where the reader reads next
const LOST = 5;
const POINTS = 6;
const CONTROL_WORDS = 16;

// Words of a record's header.
const SIZE = 0;
const POINT = 1;
const DIRECTION_VERDICT = 2; // direction in bits 0 and 1, DATAGRAM, CARRIER, verdict from bit 8
const ORIGINAL = 3;
const CAPTURED = 4;
const OUTER_PORT_TOS = 5;
const TIME = 6; // and 7: float64
const OUTER = 8; // to 11
const RECORD_OCTETS = 48;
const WRAP = -1;
const DIRECTION_MASK = 3;
const DATAGRAM = 4;
const CARRIER = 8;

const TAG_AT = 12; // a tag belongs behind the two MACs
const TAG_OCTETS = 4;

const align8 = (octets: number): number => (octets + 7) & ~7;

/** The shared memory of a capture ring. */
export function createCaptureMemory(sizes: CaptureSizes = DEFAULT_CAPTURE): SharedArrayBuffer {
  const points = align8(sizes.points);
  const memory = new SharedArrayBuffer((CONTROL_WORDS + points) * 4 + sizes.ringOctets);
  new Int32Array(memory)[POINTS] = points;
  return memory;
}

/** The views that writer and reader have of the same memory. */
class CaptureViews {
  readonly control: Int32Array;
  readonly interest: Int32Array;
  readonly ring: Uint8Array;
  readonly words: Int32Array;
  readonly times: Float64Array;
  readonly ringOctets: number;

  constructor(memory: SharedArrayBuffer) {
    this.control = new Int32Array(memory, 0, CONTROL_WORDS);
    const points = this.control[POINTS]!;
    this.interest = new Int32Array(memory, CONTROL_WORDS * 4, points);
    const offset = (CONTROL_WORDS + points) * 4;
    this.ring = new Uint8Array(memory, offset);
    this.ringOctets = this.ring.byteLength;
    this.words = new Int32Array(memory, offset);
    this.times = new Float64Array(memory, offset);
  }
}

export class CaptureWriter implements Tap {
  readonly #views: CaptureViews;
  readonly #control: Int32Array;
  readonly #interest: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #clock: () => number;

  /** `clock`: milliseconds since the epoch, with a fraction; called once per record. */
  constructor(memory: SharedArrayBuffer, arena: Arena, clock: () => number) {
    this.#views = new CaptureViews(memory);
    this.#control = this.#views.control;
    this.#interest = this.#views.interest;
    this.#bytes = arena.bytes;
    this.#clock = clock;
  }

  get passing(): boolean {
    return (this.#control[INTEREST_ANY]! & INTEREST_FRAMES) !== 0;
  }

  get dropped(): boolean {
    return (this.#control[INTEREST_ANY]! & INTEREST_DROPPED) !== 0;
  }

  /**
   * Records the frame if somebody wants it. Its octets must start with what the point carries; a VLAN tag that travels
   * beside them is put back where it belongs.
   */
  recordPass(frame: Frame, row: number, direction: number): void {
    if ((this.#wanted(row) & INTEREST_FRAMES) !== 0) this.#record(frame, row, direction, 0);
  }

  /** The same for a frame that is dropped. */
  recordDrop(frame: Frame, why: Verdict, row: number): void {
    if ((this.#wanted(row) & INTEREST_DROPPED) !== 0) this.#record(frame, row, 0, why);
  }

  #wanted(row: number): number {
    return this.#interest[row]! | this.#control[INTEREST_ALL_POINTS]!;
  }

  #record(frame: Frame, row: number, direction: number, verdict: Verdict): void {
    const control = this.#control;
    const { end } = frame;
    // What is dropped while it is being decapsulated is shown as it arrived.
    const start = frame.outerStart === 0 ? frame.start : frame.outerStart;
    const tagOctets = frame.vlanTpid !== 0 && end - start >= TAG_AT ? TAG_OCTETS : 0;
    const presentOctets = end - start + tagOctets;
    const captured = Math.min(presentOctets, control[SNAPLEN]!);
    const at = this.#reserve(RECORD_OCTETS + align8(captured));
    if (at < 0) {
      control[LOST] = control[LOST]! + 1;
      return;
    }

    const isDatagram = frame.outerStart !== 0 && frame.member === -1;
    const { words, times } = this.#views;
    const header = at >> 2;
    words[header + SIZE] = RECORD_OCTETS + align8(captured);
    words[header + POINT] = row;
    words[header + DIRECTION_VERDICT] =
      direction | (isDatagram ? DATAGRAM : 0) | (frame.outerStart === 0 ? 0 : CARRIER) | (verdict << 8);
    words[header + ORIGINAL] = Math.max(presentOctets, frame.truncatedFrom + tagOctets);
    words[header + CAPTURED] = captured;
    words[header + OUTER_PORT_TOS] = frame.outerPort | (frame.outerTos << 16);
    times[(at >> 3) + (TIME >> 1)] = this.#clock();
    words[header + OUTER] = frame.outer0;
    words[header + OUTER + 1] = frame.outer1;
    words[header + OUTER + 2] = frame.outer2;
    words[header + OUTER + 3] = frame.outer3;
    this.#copy(frame, start, at + RECORD_OCTETS, captured, tagOctets);

    const next = at + RECORD_OCTETS + align8(captured);
    Atomics.store(control, HEAD, next === this.#views.ringOctets ? 0 : next);
  }

  /** Where the next `octets` may be written, or -1 when they do not fit; head never catches up with tail: that is empty. */
  #reserve(octets: number): number {
    const { ringOctets, words } = this.#views;
    const head = this.#control[HEAD]!;
    const tail = Atomics.load(this.#control, TAIL);
    if (head < tail) return head + octets < tail ? head : -1;
    if (head + octets < ringOctets || (head + octets === ringOctets && tail > 0)) return head;
    if (octets >= tail) return -1;
    words[head >> 2] = WRAP;
    return 0;
  }

  #copy(frame: Frame, start: number, to: number, captured: number, tagOctets: number): void {
    const { ring } = this.#views;
    const bytes = this.#bytes;
    if (tagOctets === 0) {
      ring.set(bytes.subarray(start, start + captured), to);
      return;
    }
    ring.set(bytes.subarray(start, start + Math.min(captured, TAG_AT)), to);
    const tag = [frame.vlanTpid >>> 8, frame.vlanTpid, frame.vlanTci >>> 8, frame.vlanTci];
    for (let index = 0; index < TAG_OCTETS && TAG_AT + index < captured; index++)
      ring[to + TAG_AT + index] = tag[index]!;
    if (captured <= TAG_AT + TAG_OCTETS) return;
    ring.set(bytes.subarray(start + TAG_AT, start + captured - TAG_OCTETS), to + TAG_AT + TAG_OCTETS);
  }
}

export class CaptureReader {
  readonly #views: CaptureViews;

  constructor(memory: SharedArrayBuffer) {
    this.#views = new CaptureViews(memory);
  }

  /** Records lost because the ring was full, since the ring was made. */
  get lost(): number {
    return this.#views.control[LOST]!;
  }

  /** Replaces what is wanted: INTEREST bits by point, bits for every point, and how many octets of each frame. */
  want(byPoint: ReadonlyMap<number, number>, everyPoint: number, snaplen: number): void {
    const { control, interest } = this.#views;
    control[SNAPLEN] = snaplen;
    let any = everyPoint;
    interest.fill(0);
    for (const [point, bits] of byPoint) {
      interest[point] = bits;
      any |= bits;
    }
    control[INTEREST_ALL_POINTS] = everyPoint;
    Atomics.store(control, INTEREST_ANY, any);
  }

  /** Hands over up to `max` records, in order; their octets are copies. Returns how many there were. */
  drain(visit: (record: CaptureRecord) => void, max = Infinity): number {
    const { control, words, ring, times, ringOctets } = this.#views;
    let count = 0;
    let tail = control[TAIL]!;
    const head = Atomics.load(control, HEAD);
    while (tail !== head && count < max) {
      const header = tail >> 2;
      const size = words[header + SIZE]!;
      if (size === WRAP) {
        tail = 0;
        continue;
      }
      const captured = words[header + CAPTURED]!;
      const outerPortTos = words[header + OUTER_PORT_TOS]!;
      visit({
        point: words[header + POINT]!,
        direction: words[header + DIRECTION_VERDICT]! & DIRECTION_MASK,
        isDatagram: (words[header + DIRECTION_VERDICT]! & DATAGRAM) !== 0,
        isCarrier: (words[header + DIRECTION_VERDICT]! & CARRIER) !== 0,
        verdict: (words[header + DIRECTION_VERDICT]! >>> 8) as Verdict,
        timeMs: times[(tail >> 3) + (TIME >> 1)]!,
        originalOctets: words[header + ORIGINAL]!,
        octets: new Uint8Array(ring.subarray(tail + RECORD_OCTETS, tail + RECORD_OCTETS + captured)),
        outer: [
          words[header + OUTER]!,
          words[header + OUTER + 1]!,
          words[header + OUTER + 2]!,
          words[header + OUTER + 3]!,
        ],
        outerPort: outerPortTos & 0xffff,
        outerTos: (outerPortTos >>> 16) & 0xff,
      });
      tail += size;
      if (tail === ringOctets) tail = 0;
      count++;
    }
    Atomics.store(control, TAIL, tail);
    return count;
  }
}
