// A thread that sets a state to one of two and to the other, again and again, until it is told to end: `workerData` has the memory, the
// numbers of either state, and a word that is 1 once it is to end and counts the flips above.

import { workerData } from 'node:worker_threads';
import { type StateMemory, StateWriter } from '../../src/gtm/state-journal.ts';

export type FlipperData = {
  readonly memory: StateMemory;
  /** Index and number of each word that differs, one behind the other. */
  readonly states: readonly [readonly number[], readonly number[]];
  /** Whether to end, and how often the state was flipped. */
  readonly control: Int32Array;
};

const { memory, states, control } = workerData as FlipperData;
const writer = new StateWriter(memory);
for (let flip = 0; Atomics.load(control, 0) === 0; flip++) {
  const state = states[flip % 2]!;
  for (let at = 0; at < state.length; at += 2) writer.set(state[at]!, state[at + 1]!);
  writer.commit();
  Atomics.add(control, 1, 1);
}
