// Those that a mode chooses among, each with a number that the mode gives it; one object serves choice after choice.

/** What is chosen is told apart by rows of a table: members of pools, or references to pools. */
export class Candidates {
  /** Rows, in no order. */
  readonly rows: Int32Array;
  readonly values: Float64Array;
  count = 0;

  /** `most`: as many as there ever are. */
  constructor(most: number) {
    this.rows = new Int32Array(most);
    this.values = new Float64Array(most);
  }

  add(row: number, value: number): void {
    this.rows[this.count] = row;
    this.values[this.count] = value;
    this.count++;
  }

  /** Takes out the one at `index`, into whose place the last one goes; returns its row. */
  take(index: number): number {
    const { rows, values } = this;
    const row = rows[index]!;
    const last = --this.count;
    rows[index] = rows[last]!;
    values[index] = values[last]!;
    return row;
  }
}
