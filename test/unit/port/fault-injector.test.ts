import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Arena, ArenaAllocator } from '../../../src/packet/arena.ts';
import { Frame, FrameBatch } from '../../../src/packet/frame.ts';
import { FramePool, poolOctets } from '../../../src/packet/pool.ts';
import { FaultInjector, type Faults } from '../../../src/port/fault-injector.ts';
import { createMemoryPair } from '../../../src/port/memory.ts';

const ARENA_OCTETS = 64 << 20;
const POOL = { smallSlots: 600, largeSlots: 1 };
const FRAMES = 5000;
const OCTETS = 64;

/** mulberry32: small, seeded, good enough to draw faults. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function runThrough(faults: Faults, seed = 1) {
  const arena = new Arena(new ArrayBuffer(ARENA_OCTETS));
  const allocator = new ArenaAllocator(ARENA_OCTETS);
  const pool = new FramePool(arena, allocator.allocate(poolOctets(POOL))!, POOL);
  const ends = [
    { name: 'sender', index: 0 },
    { name: 'receiver', index: 1 },
  ] as const;
  const [sender, receiver] = createMemoryPair(arena, allocator, { ends, maxFrameOctets: OCTETS });
  const injector = new FaultInjector(receiver, pool, faults, randomOf(seed));
  const source = new Frame();
  source.start = allocator.allocate(OCTETS)!;
  source.end = source.start + OCTETS;
  const view = new DataView(arena.buffer);
  const outgoing = new FrameBatch();
  const incoming = new FrameBatch();
  const seen: { number: number; octets: number; flippedBits: number; slot: number }[] = [];
  for (let number = 0; number < FRAMES; number++) {
    view.setUint32(source.start, number);
    outgoing.clear();
    outgoing.push(source);
    sender.transmit(outgoing, () => assert.fail('refused'));
    if (number % 100 !== 99) continue;
    incoming.clear();
    assert.equal(injector.receive(incoming), incoming.length);
    for (const frame of incoming.frames.slice(0, incoming.length)) {
      let flippedBits = 0;
      for (let at = frame.start + 4; at < frame.end; at++) flippedBits += bits(arena.bytes[at]!);
      const octets = frame.end - frame.start;
      seen.push({ number: view.getUint32(frame.start), octets, flippedBits, slot: frame.slot });
    }
  }
  injector.close();
  sender.close();
  assert.equal(pool.free, POOL.smallSlots + POOL.largeSlots, 'every copy went back to the pool');
  return { seen, counts: injector.counts };
}

const bits = (octet: number): number => octet.toString(2).replaceAll('0', '').length;
const within = (count: number, expected: number): void =>
  assert.ok(Math.abs(count - expected) < 5 * Math.sqrt(expected), `${count} is not about ${expected}`);

test('without faults everything passes as it came', () => {
  const { seen, counts } = runThrough({});
  assert.deepEqual(
    seen.map(({ number }) => number),
    Array.from({ length: FRAMES }, (_, index) => index),
  );
  assert.ok(Object.values(counts).every((count) => count === 0));
});

test('loss, counted', () => {
  const { seen, counts } = runThrough({ loss: 0.1 });
  assert.equal(seen.length + counts.lost, FRAMES);
  within(counts.lost, 500);
});

test('duplicates follow their original and are memory of a port to whoever receives them', () => {
  const { seen, counts } = runThrough({ duplication: 0.1 });
  assert.equal(seen.length, FRAMES + counts.duplicated);
  within(counts.duplicated, 500);
  const repeated = seen.filter(({ number }, index) => index > 0 && seen[index - 1]!.number === number);
  assert.equal(repeated.length, counts.duplicated);
  assert.ok(seen.every(({ slot }) => slot === -1));
});

test('reordering swaps neighbours', () => {
  const { seen, counts } = runThrough({ reordering: 0.1 });
  assert.equal(seen.length, FRAMES);
  const swapped = seen.filter(({ number }, index) => index > 0 && seen[index - 1]!.number > number);
  assert.equal(swapped.length, counts.reordered);
  assert.ok(counts.reordered > 300);
});

test('truncation shortens', () => {
  const { seen, counts } = runThrough({ truncation: 0.1 });
  assert.equal(seen.filter(({ octets }) => octets < OCTETS).length, counts.truncated);
  within(counts.truncated, 500);
});

test('a bit flip changes one bit', () => {
  const { seen, counts } = runThrough({ bitFlip: 0.1 });
  within(counts.flipped, 500);
  const flipped = seen.filter(({ number, flippedBits }, index) => flippedBits === 1 || number !== index);
  assert.equal(flipped.length, counts.flipped);
  assert.ok(seen.every(({ flippedBits }) => flippedBits <= 1));
});

test('a seed repeats a run exactly, another does not', () => {
  const faults = { loss: 0.05, duplication: 0.05, reordering: 0.05, truncation: 0.05, bitFlip: 0.05 };
  assert.deepEqual(runThrough(faults, 7), runThrough(faults, 7));
  assert.notDeepEqual(runThrough(faults, 7).counts, runThrough(faults, 8).counts);
});
