// A thread that follows a state (test/unit/gtm/state-journal.test.ts): the writer keeps all numbers of a group equal, and what the
// thread sees otherwise is half a change.

import { parentPort, workerData } from 'node:worker_threads';
import { type StateMemory, StateReader } from '../../src/gtm/state-journal.ts';

const { memory, stop } = workerData as { memory: StateMemory; stop: Int32Array };
const reader = new StateReader(memory);
let [looks, changes, halves, backwards, last] = [0, 0, 0, 0, 0];

parentPort!.postMessage('ready');
for (let isLast = false; !isLast;) {
  // What was committed before the end is seen by this look at the latest.
  isLast = Atomics.load(stop, 0) === 1;
  reader.catchUp();
  const first = reader.words[0]!;
  if (reader.words.some((word) => word !== first)) halves++;
  if (first < last) backwards++;
  if (first !== last) changes++;
  last = first;
  looks++;
}
parentPort!.postMessage({ looks, changes, halves, backwards, last });
