// Counters since they were last set to 0.
//
// Only the worker writes the table of counters, which goes on counting; what is shown is the difference to what it held when
// somebody asked for a reset.

import { type CounterTable, ROW_STRIDE } from '../../core/counters.ts';

/** What can be read of counters. */
export type ReadableCounters = Pick<CounterTable, 'read'>;

export class RelativeCounters implements ReadableCounters {
  readonly #counters: () => CounterTable;
  /** What a row held at its last reset, by row. */
  readonly #bases = new Map<number, Float64Array>();

  constructor(counters: () => CounterTable) {
    this.#counters = counters;
  }

  read(row: number, column: number): number {
    const value = this.#counters().read(row, column);
    const base = this.#bases.get(row)?.[column] ?? 0;
    // A row that has been given to another object has started anew.
    return value >= base ? value - base : value;
  }

  reset(row: number): void {
    const counters = this.#counters();
    const start = counters.base(row);
    this.#bases.set(row, counters.cells.slice(start, start + ROW_STRIDE));
  }
}
