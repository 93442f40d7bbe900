// Counters that one thread writes and others read: rows of doubles on shared memory.
//
// A row belongs to one object (a port, a bridge member, a tunnel) for as long as the object lives. A double counts exactly
// up to 2^53 and is written in one store, so a reader on another thread never sees half a value.

import { VERDICT_COUNT } from './drop-reason.ts';

/** Columns of a row; the drops by verdict follow at `Column.drops`. */
export const Column = {
  inFrames: 0,
  inOctets: 1,
  outFrames: 2,
  outOctets: 3,
  /** Group-addressed frames among the above. */
  inGroupFrames: 4,
  outGroupFrames: 5,
  /** Frames that were copied to this object by flooding. */
  flooded: 6,
  /** MAC addresses that moved to this member from another. */
  macMoves: 7,
  /** Frames lost in front of a port: its ring or socket buffer was full. */
  overruns: 8,
  /** Stations that were heard but not learned, because the table is full. */
  notLearned: 9,
  drops: 10,
} as const;

/** What `show` calls the counters of an object, in the order in which it prints them, and what each of them counts. */
export const COUNTERS: readonly { readonly column: number; readonly label: string; readonly help: string }[] = [
  {
    column: Column.inFrames,
    label: 'Incoming Frames',
    help: 'frames that came in by the object; of a tunnel, those inside it',
  },
  { column: Column.inOctets, label: 'Incoming Octets', help: 'octets of these frames' },
  {
    column: Column.inGroupFrames,
    label: 'Incoming Group Frames',
    help: 'those of them that were sent to a multicast address or to all',
  },
  {
    column: Column.outFrames,
    label: 'Outgoing Frames',
    help: 'frames that left by the object; of a tunnel, those inside it',
  },
  { column: Column.outOctets, label: 'Outgoing Octets', help: 'octets of these frames' },
  { column: Column.flooded, label: 'Flooded Frames', help: 'copies that were made for the object by flooding' },
  { column: Column.macMoves, label: 'MAC Moves', help: 'stations that moved here from another member' },
  {
    column: Column.notLearned,
    label: 'MACs Not Learned',
    help: 'stations that were heard but not learned, because the table is full (l2-cache-limit)',
  },
  {
    column: Column.overruns,
    label: 'Receive Overruns',
    help: 'frames that were lost in front of the port: its ring or socket buffer was full',
  },
];

/** Columns of one row, rounded up so that rows start on a cache line. */
export const ROW_STRIDE = Math.ceil((Column.drops + VERDICT_COUNT) / 8) * 8;

export class CounterTable {
  readonly buffer: SharedArrayBuffer;
  readonly cells: Float64Array;
  readonly rows: number;

  /** A new table of `rows` rows, or a view of one that another thread made. */
  constructor(rowsOrBuffer: number | SharedArrayBuffer) {
    this.buffer =
      typeof rowsOrBuffer === 'number' ? new SharedArrayBuffer(rowsOrBuffer * ROW_STRIDE * 8) : rowsOrBuffer;
    this.cells = new Float64Array(this.buffer);
    this.rows = this.cells.length / ROW_STRIDE;
  }

  /** Index of the first cell of a row: add a Column to it. */
  base(row: number): number {
    return row * ROW_STRIDE;
  }

  read(row: number, column: number): number {
    return this.cells[row * ROW_STRIDE + column] ?? 0;
  }

  clear(row: number): void {
    this.cells.fill(0, row * ROW_STRIDE, (row + 1) * ROW_STRIDE);
  }
}

/** Gives out rows of a table; row 0 is never given out: it takes what belongs to no object. */
export class RowAllocator {
  readonly #free: number[] = [];

  constructor(rows: number) {
    for (let row = rows - 1; row > 0; row--) this.#free.push(row);
  }

  allocate(): number | undefined {
    return this.#free.pop();
  }

  release(row: number): void {
    this.#free.push(row);
  }
}
