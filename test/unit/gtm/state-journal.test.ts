import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { newStateMemory, type StateMemory, StateReader, StateWriter } from '../../../src/gtm/state-journal.ts';
import { stateLayout } from '../../../src/gtm/state-layout.ts';

const WIDE_IPS = 300;
const layout = stateLayout({ virtualServers: 0, members: 0, pools: 0, wideIps: WIDE_IPS, pathSlots: 0 });

/** All counters at a number that is even, as the state is between two changes. */
function memoryAt(count: number, entries?: number): StateMemory {
  const memory = newStateMemory(layout, entries);
  memory.control.fill(count);
  return memory;
}

type Seen = { looks: number; changes: number; halves: number; backwards: number; last: number };

/** What two threads see while all numbers are set to 1, then to 2, and so on. */
async function follow(memory: StateMemory, commits: number): Promise<Seen[]> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const url = new URL('../../support/state-journal-reader.js', import.meta.url);
  const workers = [0, 1].map(() => new Worker(url, { workerData: { memory, stop } }));
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const writer = new StateWriter(memory);
  for (let value = 1; value <= commits; value++) {
    for (let index = 0; index < WIDE_IPS; index++) writer.set(index, value);
    writer.commit();
    // As changes come: with time between them.
    for (const until = performance.now() + 0.05; performance.now() < until;);
  }
  Atomics.store(stop, 0, 1);
  const seen = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0] as Seen));
  await Promise.all(workers.map((worker) => worker.terminate()));
  return seen;
}

describe('a state that threads follow', () => {
  for (const [what, entries, start] of [
    ['a journal that holds many changes', 1 << 16, 0],
    ['a journal that holds less than two changes', 512, 0],
    ['a journal that is shorter than a change', 128, 0],
    ['a journal whose count passes 2^31', 1 << 16, 0x7fff_f000],
    ['a journal whose count passes 2^32, and is short', 512, -40_000],
  ] as const) {
    it(`is never seen with half a change: ${what}`, async () => {
      const commits = 2000;
      const seen = await follow(memoryAt(start, entries), commits);
      for (const { looks, changes, halves, backwards, last } of seen) {
        assert.deepEqual({ halves, backwards, last }, { halves: 0, backwards: 0, last: commits });
        assert.ok(looks > commits / 10 && changes > 10, `${looks} looks, ${changes} changes`);
      }
    });
  }

  it('stays as it is until the reader catches up, and until the writer commits', () => {
    const memory = memoryAt(0);
    const [writer, reader] = [new StateWriter(memory), new StateReader(memory)];
    writer.set(3, 7);
    reader.catchUp();
    assert.equal(reader.words[3], 0);
    assert.equal(writer.get(3), 7);
    writer.commit();
    assert.equal(reader.words[3], 0);
    reader.catchUp();
    assert.equal(reader.words[3], 7);
    assert.equal(new StateReader(memory).words[3], 7);
  });

  it('takes the last of several numbers, and a number that is as it was costs nothing', () => {
    const memory = memoryAt(0);
    const [writer, reader] = [new StateWriter(memory), new StateReader(memory)];
    for (const value of [1, 2, 3]) writer.set(5, value);
    writer.set(6, 1);
    writer.set(6, 0);
    writer.commit();
    reader.catchUp();
    assert.deepEqual([reader.words[5], reader.words[6]], [3, 0]);
    const before = memory.control.slice();
    writer.set(5, 3);
    writer.commit();
    assert.deepEqual(memory.control, before);
  });

  for (const start of [0, 0x7fff_ff00, -256]) {
    it(`is copied by who has slept through more than the journal holds, from ${start} on`, () => {
      const memory = memoryAt(start, 16);
      const [writer, reader] = [new StateWriter(memory), new StateReader(memory)];
      for (let round = 1; round < 200; round++) {
        const changes = round % 40;
        for (let index = 0; index < changes; index++) {
          writer.set(index, round);
          if (round % 3 === 0) writer.commit();
        }
        writer.commit();
        if (round % 7 < 4) continue;
        reader.catchUp();
        assert.deepEqual(reader.words, memory.words);
      }
    });
  }

  it('is copied by who is overtaken while it follows', () => {
    const memory = memoryAt(0, 16);
    const writer = new StateWriter(memory);
    let isOvertaken = false;
    // The writer goes once round the journal just when the reader looks at its first change.
    const journal = new Proxy(memory.journal, {
      get(target, key) {
        if (key === '0' && !isOvertaken) {
          isOvertaken = true;
          for (let index = 100; index < 130; index++) writer.set(index, 5);
          writer.commit();
        }
        return Reflect.get(target, key) as unknown;
      },
    });
    const reader = new StateReader({ ...memory, journal });
    for (let index = 0; index < 10; index++) writer.set(index, 4);
    writer.commit();
    reader.catchUp();
    assert.equal(isOvertaken, true);
    assert.deepEqual(reader.words, memory.words);
  });
});
