// The open-addressing tables against plain models, under random operations.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FDB_STATIC, FdbField, ForwardingDatabase, Learned } from '../../src/bridge/fdb.ts';
import type { AddressWords } from '../../src/core/address.ts';
import { AddressMap } from '../../src/core/address-map.ts';
import { PairMap } from '../../src/core/pair-map.ts';
import { ArenaAllocator, EXTENT_ALIGNMENT } from '../../src/packet/arena.ts';

// Few keys, so that they meet; some that differ only in high bits.
const word = fc.constantFrom(0, 1, 2, 3, -1, 0x7fffffff, -0x80000000, 0x10000, 0x20000);

describe('PairMap', () => {
  it('behaves as a Map with a composed key', () => {
    const operation = fc.record({ set: fc.boolean(), a: word, b: word, value: fc.nat() });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const map = new PairMap();
        const model = new Map<string, number>();
        for (const { set, a, b, value } of operations) {
          const key = `${a} ${b}`;
          if (set) {
            map.set(a, b, value);
            model.set(key, value);
          } else {
            assert.equal(map.delete(a, b), model.delete(key));
          }
          assert.equal(map.get(a, b), model.get(key) ?? -1);
          assert.equal(map.size, model.size);
        }
        for (const [key, value] of model) {
          const [a, b] = key.split(' ').map(Number);
          assert.equal(map.get(a!, b!), value);
        }
      }),
    );
  });
});

describe('AddressMap', () => {
  it('behaves as a Map with a composed key', () => {
    const address = fc.tuple(fc.constantFrom(0, 0x20010db8), fc.constantFrom(0, 1), fc.constantFrom(0, 1), word);
    const operation = fc.record({ set: fc.boolean(), tag: word, address, value: fc.nat() });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const map = new AddressMap();
        const model = new Map<string, [tag: number, address: AddressWords, value: number]>();
        for (const { set, tag, address: words, value } of operations) {
          const key = `${tag} ${words.join(' ')}`;
          if (set) {
            map.set(tag, ...words, value);
            model.set(key, [tag, words, value]);
          } else {
            assert.equal(map.delete(tag, ...words), model.delete(key));
          }
          assert.equal(map.get(tag, ...words), model.get(key)?.[2] ?? -1);
          assert.equal(map.size, model.size);
        }
        for (const [tag, words, value] of model.values()) assert.equal(map.get(tag, ...words), value);
      }),
    );
  });
});

type Station = { domain: number; high: number; low: number };
type FdbModel = Map<string, { member: number; endpoint: number; isStatic: boolean; heard: number }>;

const station: fc.Arbitrary<Station> = fc.record({
  domain: fc.integer({ min: 1, max: 3 }),
  high: fc.constantFrom(0x0200, 0x0400),
  low: fc.integer({ min: 0, max: 6 }),
});
const member = fc.integer({ min: 0, max: 3 });

const operation = fc.oneof(
  fc.record({ kind: fc.constant('learn' as const), station, member, second: fc.nat(1000) }),
  fc.record({ kind: fc.constant('set' as const), station, member }),
  fc.record({ kind: fc.constant('remove' as const), station }),
  fc.record({ kind: fc.constant('forget' as const), member }),
  fc.record({ kind: fc.constant('age' as const), second: fc.nat(2000) }),
);

type Step = typeof operation extends fc.Arbitrary<infer T> ? T : never;

const TIMEOUT_SECONDS = 300;
const keyOf = ({ domain, high, low }: Station): string => `${domain} ${high} ${low}`;

describe('ForwardingDatabase', () => {
  it('behaves as a Map of stations', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
        const fdb = new ForwardingDatabase(8, 8);
        const model: FdbModel = new Map();
        for (const step of operations) apply(fdb, model, step);
        let statics = 0;
        for (const [key, entry] of model) {
          const [domain, high, low] = key.split(' ').map(Number);
          const index = fdb.find(domain!, high!, low!);
          assert.notEqual(index, -1, `${key} is lost`);
          assert.equal(fdb.memberAt(index), entry.member);
          assert.equal(fdb.table[index + FdbField.flags] === FDB_STATIC, entry.isStatic);
          if (entry.isStatic) statics += 1;
        }
        assert.equal(fdb.static, statics);
        assert.equal(fdb.learned, model.size - statics);
        for (let owner = 0; owner <= 3; owner++) {
          const count = [...model.values()].filter(({ isStatic, member: of }) => !isStatic && of === owner).length;
          assert.equal(fdb.learnedOf(owner), count);
        }
      }),
    );
  });
});

function apply(fdb: ForwardingDatabase, model: FdbModel, step: Step): void {
  const learned = (): number => [...model.values()].filter(({ isStatic }) => !isStatic).length;
  switch (step.kind) {
    case 'learn': {
      const { domain, high, low } = step.station;
      const outcome = fdb.learn(domain, high, low, step.member, -1, step.second);
      const known = model.get(keyOf(step.station));
      if (known === undefined) {
        assert.equal(outcome, learned() < 8 ? Learned.added : Learned.refused);
        if (outcome === Learned.added) {
          const entry = { member: step.member, endpoint: -1, isStatic: false, heard: step.second };
          model.set(keyOf(step.station), entry);
        }
      } else if (!known.isStatic) {
        assert.equal(outcome, known.member === step.member ? Learned.known : Learned.moved);
        known.member = step.member;
        known.heard = step.second;
      }
      return;
    }
    case 'set': {
      const { domain, high, low } = step.station;
      const known = model.get(keyOf(step.station));
      const statics = model.size - learned();
      const fits = known?.isStatic === true || statics < 8;
      assert.equal(fdb.setStatic(domain, high, low, step.member, -1), fits);
      if (fits) model.set(keyOf(step.station), { member: step.member, endpoint: -1, isStatic: true, heard: 0 });
      return;
    }
    case 'remove': {
      const { domain, high, low } = step.station;
      fdb.removeStatic(domain, high, low);
      if (model.get(keyOf(step.station))?.isStatic === true) model.delete(keyOf(step.station));
      return;
    }
    case 'forget':
      // A few places at a time, as the worker does it.
      while (!fdb.forgetMember(step.member, 3)) assert.ok(fdb.learnedOf(step.member) > 0);
      assert.equal(fdb.learnedOf(step.member), 0);
      for (const [key, entry] of model) if (entry.member === step.member && !entry.isStatic) model.delete(key);
      return;
    case 'age':
      fdb.age(step.second, TIMEOUT_SECONDS, fdb.table.length);
      for (const [key, entry] of model) {
        if (!entry.isStatic && step.second - entry.heard > TIMEOUT_SECONDS) model.delete(key);
      }
      return;
  }
}

describe('ArenaAllocator', () => {
  it('never hands out an octet twice, and gets everything back', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(20_000)), { maxLength: 100 }), (steps) => {
        const octets = 64 * EXTENT_ALIGNMENT;
        const allocator = new ArenaAllocator(octets);
        const held: { offset: number; octets: number }[] = [];
        for (const [take, size] of steps) {
          if (take) {
            const offset = allocator.allocate(size + 1);
            if (offset === undefined) continue;
            for (const other of held) {
              assert.ok(offset + size < other.offset || other.offset + other.octets <= offset, 'extents overlap');
            }
            held.push({ offset, octets: size + 1 });
          } else {
            const extent = held.splice(size % Math.max(1, held.length), 1)[0];
            if (extent !== undefined) allocator.release(extent.offset, extent.octets);
          }
        }
        for (const extent of held) allocator.release(extent.offset, extent.octets);
        assert.notEqual(allocator.allocate(octets - EXTENT_ALIGNMENT), undefined);
      }),
    );
  });
});
