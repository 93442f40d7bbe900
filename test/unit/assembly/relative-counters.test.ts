// Counters since they were last set to 0, while the worker goes on counting.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RelativeCounters } from '../../../src/assembly/dataplaned/relative-counters.ts';
import { Column, CounterTable } from '../../../src/core/counters.ts';

describe('counters that were reset', () => {
  it('are shown since then, and what the worker counts stays', () => {
    const table = new CounterTable(4);
    const shown = new RelativeCounters(() => table);
    const cell = table.base(2) + Column.inFrames;
    table.cells[cell] = 7;
    assert.equal(shown.read(2, Column.inFrames), 7);
    shown.reset(2);
    assert.equal(shown.read(2, Column.inFrames), 0);
    table.cells[cell] += 3;
    assert.equal(shown.read(2, Column.inFrames), 3);
    assert.equal(table.read(2, Column.inFrames), 10);
    assert.equal(shown.read(3, Column.inFrames), 0, 'the rows of others as they are');
  });

  it('start anew with the object that gets the row next', () => {
    const table = new CounterTable(2);
    const shown = new RelativeCounters(() => table);
    table.cells[table.base(1) + Column.outFrames] = 100;
    shown.reset(1);
    table.clear(1);
    table.cells[table.base(1) + Column.outFrames] = 5;
    assert.equal(shown.read(1, Column.outFrames), 5);
  });
});
