// A packet of which some fragments have arrived: which ones, and what they say of the whole.
//
// Places are octets of the fragmentable part, from the first octet behind the headers that each fragment repeats.

import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import type { Frame } from '../packet/frame.ts';

/** The longest packet in pieces for an MTU of 576 octets (RFC 791). */
const MAX_PIECES = 120;

/** What `add` says of a fragment that is there already. */
export const DUPLICATE = -1;

export class PartialPacket {
  isInUse = false;
  /** What tells it from others; IPv4 addresses stand in the last word, and IPv6 packets have protocol -1. */
  hash = 0;
  domain = 0;
  protocol = 0;
  identification = 0;
  readonly source = new Int32Array(4);
  readonly destination = new Int32Array(4);
  /** In the order in which they were begun. */
  number = 0;
  deadlineMs = 0;
  /** Row of counters that it is charged to. */
  row = 0;
  /** Where it is put together; undefined once it is condemned. */
  frame: Frame | undefined = undefined;
  /** Why it never will be whole; FORWARD: it may. */
  why: Verdict = FORWARD;
  /** Arena offset at which the fragmentable part starts. */
  payloadAt = 0;
  /** Octets in front of it: of link headers, and of all headers that were copied from one fragment. */
  linkOctets = 0;
  headerOctets = 0;
  /** Octets between the fragmentable part and the octet that announces the fragment header (IPv6). */
  announcedAt = 0;
  /** The fragment from which the headers are. */
  headerPiece = 0;
  /** Bit by value of the ECN field that a fragment had. */
  marks = 0;
  /** Where the furthest fragment ends. */
  reached = 0;
  #pieces = 0;
  readonly #starts = new Int32Array(MAX_PIECES);
  readonly #ends = new Int32Array(MAX_PIECES);
  #received = 0;
  /** Octets of the whole; -1: the last fragment is still to come. */
  #total = -1;

  begin(number: number, deadlineMs: number, row: number): void {
    this.isInUse = true;
    this.number = number;
    this.deadlineMs = deadlineMs;
    this.row = row;
    this.why = FORWARD;
    this.headerPiece = 0;
    this.marks = 0;
    this.reached = 0;
    this.#pieces = 0;
    this.#received = 0;
    this.#total = -1;
  }

  get isWhole(): boolean {
    return this.#received === this.#total;
  }

  /** Number of the fragment that was added last. */
  get lastPiece(): number {
    return this.#pieces - 1;
  }

  startOf(piece: number): number {
    return this.#starts[piece]!;
  }

  endOf(piece: number): number {
    return this.#ends[piece]!;
  }

  /** Notes the fragment [start, end), which is not empty; FORWARD, DUPLICATE, or why the packet cannot be whole any more. */
  add(start: number, end: number, isLast: boolean): Verdict | typeof DUPLICATE {
    if (this.#total === -1 ? isLast && end < this.reached : isLast ? end !== this.#total : end > this.#total) {
      return Drop.fragmentInvalid;
    }
    for (let piece = 0; piece < this.#pieces; piece++) {
      const pieceStart = this.#starts[piece]!;
      const pieceEnd = this.#ends[piece]!;
      if (end <= pieceStart || pieceEnd <= start) continue;
      if (start !== pieceStart || end !== pieceEnd) return Drop.fragmentOverlap;
      return isLast === (end === this.#total) ? DUPLICATE : Drop.fragmentInvalid;
    }
    if (this.#pieces === MAX_PIECES) return Drop.fragmentInvalid;
    this.#starts[this.#pieces] = start;
    this.#ends[this.#pieces] = end;
    this.#pieces += 1;
    this.#received += end - start;
    if (end > this.reached) this.reached = end;
    if (isLast) this.#total = end;
    return FORWARD;
  }
}
