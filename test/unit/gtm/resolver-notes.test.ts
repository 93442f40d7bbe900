import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { newResolverMemory, ResolverNotes } from '../../../src/gtm/resolver-notes.ts';

const address = (word: number): Int32Array => Int32Array.of(word, 0, 0, 0);

describe('notes of resolvers', () => {
  it('one is noted once in an interval, whichever thread notes it', () => {
    const memory = newResolverMemory(64, 20);
    const [one, other] = [new ResolverNotes(memory), new ResolverNotes(memory)];
    one.note(address(7), 4, 100);
    other.note(address(7), 4, 119);
    assert.equal(one.notes, 1);
    other.note(address(7), 4, 120);
    other.note(address(7), 6, 120);
    assert.equal(one.notes, 3);
    const noted = one.since(0).map(({ family, address: [word], noted: at }) => ({ family, word, at }));
    noted.sort((a, b) => a.family - b.family);
    assert.deepEqual(noted, [
      { family: 4, word: 7, at: 120 },
      { family: 6, word: 7, at: 120 },
    ]);
    assert.deepEqual(one.since(121), []);
  });

  it('the table is bounded, and the one that was noted longest ago gives way', () => {
    const notes = new ResolverNotes(newResolverMemory(8, 20));
    for (let number = 0; number < 100; number++) notes.note(address(number + 1), 4, 1000 + number);
    const words = notes.since(0).map(({ address: [word] }) => word!);
    assert.deepEqual(
      words.sort((a, b) => a - b),
      [93, 94, 95, 96, 97, 98, 99, 100],
    );
  });
});
