// The time limits of probes.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Deadline, Deadlines } from '../../../src/probe/deadlines.ts';

class Recorded extends Deadline {
  expiredAt: number | undefined = undefined;
  isCancelled = false;
  readonly #list: Deadlines;
  readonly #then: () => void;

  constructor(list: Deadlines, then: () => void = () => undefined) {
    super();
    this.#list = list;
    this.#then = then;
  }

  expire(): void {
    assert.equal(this.expiredAt, undefined, 'expired twice');
    this.expiredAt = performance.now();
    this.#then();
  }

  cancel(): void {
    this.isCancelled = true;
    this.#list.remove(this);
  }
}

const sleep = (milliseconds: number): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, milliseconds));

it('expires each once, not before its time, unless it is removed', async () => {
  const list = new Deadlines();
  const begun = performance.now();
  const all = Array.from({ length: 2000 }, (_, index) => ({ deadline: new Recorded(list), after: (index * 7) % 400 }));
  for (const { deadline, after } of all) list.add(deadline, after);
  for (const [index, { deadline }] of all.entries()) {
    if (index % 3 === 0) list.remove(deadline);
    if (index % 3 === 0) list.remove(deadline);
  }
  await sleep(1500);
  for (const [index, { deadline, after }] of all.entries()) {
    if (index % 3 === 0) assert.equal(deadline.expiredAt, undefined);
    else assert.ok(deadline.expiredAt! >= begun + after, `${after}`);
  }
});

it('goes on when one that expires adds, removes or moves others', async () => {
  const list = new Deadlines();
  const later = new Recorded(list);
  const victim = new Recorded(list);
  const moved = new Recorded(list);
  const first = new Recorded(list, () => {
    list.add(later, 50);
    list.remove(victim);
    list.add(moved, 300);
  });
  list.add(first, 40);
  list.add(victim, 200);
  list.add(moved, 100);
  await sleep(1000);
  assert.ok(first.expiredAt !== undefined && later.expiredAt !== undefined && victim.expiredAt === undefined);
  assert.ok(moved.expiredAt! >= first.expiredAt + 300);
});

it('cancels all, and is of use afterwards', async () => {
  const list = new Deadlines();
  const all = Array.from({ length: 100 }, () => new Recorded(list));
  for (const deadline of all) list.add(deadline, 10_000);
  list.cancelAll();
  assert.ok(all.every(({ isCancelled }) => isCancelled));
  const another = new Recorded(list);
  list.add(another, 20);
  await sleep(300);
  assert.ok(another.expiredAt !== undefined);
});
