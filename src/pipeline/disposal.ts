// Where frames end: one place that keeps the books, the drop counters and the capture of what was dropped.

import { Column, ROW_STRIDE, type CounterTable } from '../core/counters.ts';
import type { Verdict } from '../core/drop-reason.ts';
import type { Frame } from '../packet/frame.ts';
import type { FramePool } from '../packet/pool.ts';
import { Book, type Books } from './books.ts';
import type { Tap } from './tap.ts';

export class Disposal {
  readonly books: Books;
  readonly counters: CounterTable;
  readonly pool: FramePool;
  readonly #cells: Float64Array;
  readonly tap: Tap;

  constructor(books: Books, counters: CounterTable, pool: FramePool, tap: Tap) {
    this.books = books;
    this.counters = counters;
    this.#cells = counters.cells;
    this.pool = pool;
    this.tap = tap;
  }

  /** Ends a frame with a reason, charged to the object of `row` (0: to none). */
  drop(frame: Frame, why: Verdict, row: number): void {
    this.noteDrop(frame, why, row);
    this.pool.release(frame);
  }

  /** The same for a frame that its holder will release itself. */
  noteDrop(frame: Frame, why: Verdict, row: number): void {
    this.books[Book.dropped]! += 1;
    this.#cells[row * ROW_STRIDE + Column.drops + why]! += 1;
    if (this.tap.dropped) this.tap.recordDrop(frame, why, row);
  }

  /** A copy that was due but never made, because it would have been dropped at once: enters both sides of the books. */
  dropInstead(frame: Frame, why: Verdict, row: number): void {
    this.books[Book.copies]! += 1;
    this.noteDrop(frame, why, row);
  }

  /** Ends a frame that has done its work here. */
  consume(frame: Frame): void {
    this.books[Book.consumed]! += 1;
    this.pool.release(frame);
  }
}
