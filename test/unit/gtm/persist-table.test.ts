import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { maskAddress } from '../../../src/gtm/address-mask.ts';
import { newPersistMemory, type PersistEntry, PersistTable } from '../../../src/gtm/persist-table.ts';

const NOW = 1_800_000_000;
const [WIDE_IP, WIDE_IP_MORE] = [77, -5];

const address = (...words: number[]): Int32Array => Int32Array.from([0, 1, 2, 3], (word) => words[word] ?? 0);
const client = (number: number): Int32Array => address(0x0a00_0000 + number);

function put(table: PersistTable, number: number, member: number, ttl = 100, now = NOW): boolean {
  return table.put(WIDE_IP, WIDE_IP_MORE, client(number), 4, member, ~member, ttl, now);
}

/** The member that a client has; its second word is the first one turned round. */
function memberOf(table: PersistTable, number: number, now = NOW): number | undefined {
  if (!table.find(WIDE_IP, WIDE_IP_MORE, client(number), 4, now)) return undefined;
  assert.equal(table.memberKeyMore, ~table.memberKey);
  return table.memberKey;
}

describe('the table of persistence', () => {
  it('has what was put into it last, for all who share its memory', () => {
    const memory = newPersistMemory(1024);
    const [table, other] = [new PersistTable(memory), new PersistTable(memory)];
    assert.equal(memberOf(table, 1), undefined);
    assert.equal(put(table, 1, 10), true);
    put(other, 2, 20);
    assert.deepEqual(
      [memberOf(table, 1), memberOf(other, 1), memberOf(table, 2), memberOf(table, 3)],
      [10, 10, 20, undefined],
    );
    put(other, 1, 30);
    assert.equal(memberOf(table, 1), 30);
    assert.equal(table.list(NOW).length, 2);
  });

  it('tells wide IPs, families, and all words of an address apart', () => {
    const table = new PersistTable(newPersistMemory(1024));
    table.put(1, 2, address(3, 4, 5, 6), 6, 9, 8, 100, NOW);
    assert.equal(table.find(1, 2, address(3, 4, 5, 6), 6, NOW), true);
    assert.deepEqual([table.memberKey, table.memberKeyMore], [9, 8]);
    for (const [key, more, words, family] of [
      [0, 2, address(3, 4, 5, 6), 6],
      [1, 0, address(3, 4, 5, 6), 6],
      [1, 2, address(0, 4, 5, 6), 6],
      [1, 2, address(3, 0, 5, 6), 6],
      [1, 2, address(3, 4, 0, 6), 6],
      [1, 2, address(3, 4, 5, 0), 6],
      [1, 2, address(3, 4, 5, 6), 4],
    ] as const) {
      assert.equal(table.find(key, more, words, family, NOW), false);
    }
  });

  it('forgets a client when its time is over, which begins anew whenever it is put', () => {
    const table = new PersistTable(newPersistMemory(64));
    put(table, 1, 10, 60);
    assert.equal(memberOf(table, 1, NOW + 59), 10);
    assert.equal(memberOf(table, 1, NOW + 60), undefined);
    assert.deepEqual(table.list(NOW + 60), []);
    put(table, 1, 11, 60, NOW + 59);
    assert.equal(memberOf(table, 1, NOW + 118), 11);
    assert.equal(memberOf(table, 1, NOW + 119), undefined);
  });

  it('goes on when seconds need 32 bits', () => {
    const table = new PersistTable(newPersistMemory(64));
    const late = 2 ** 31 - 10;
    put(table, 1, 10, 60, late);
    assert.equal(memberOf(table, 1, late + 59), 10);
    assert.equal(memberOf(table, 1, late + 60), undefined);
  });

  it('lists what it has', () => {
    const table = new PersistTable(newPersistMemory(64));
    table.put(1, 2, address(3, 4, 5, 6), 6, 9, 8, 100, NOW);
    const entry: PersistEntry = {
      key: 1,
      keyMore: 2,
      family: 6,
      address: address(3, 4, 5, 6),
      memberKey: 9,
      memberKeyMore: 8,
      secondsLeft: 93,
    };
    assert.deepEqual(table.list(NOW + 7), [entry]);
  });

  it('forgets what is chosen', () => {
    const table = new PersistTable(newPersistMemory(256));
    for (let number = 0; number < 20; number++) put(table, number, number % 3);
    const left = table.list(NOW).filter(({ memberKey }) => memberKey !== 1).length;
    const forgotten = table.forget(({ memberKey }) => memberKey === 1, NOW);
    assert.equal(forgotten, 7);
    assert.equal(table.list(NOW).length, left);
    assert.deepEqual([memberOf(table, 1), memberOf(table, 2)], [undefined, 2]);
    assert.equal(
      table.forget(() => true, NOW),
      left,
    );
    assert.deepEqual(table.list(NOW), []);
    put(table, 1, 5);
    assert.equal(memberOf(table, 1), 5);
  });

  it('holds many clients, and of more than there are places the ones that last longest', () => {
    const entries = 1024;
    const table = new PersistTable(newPersistMemory(entries));
    // Half full, hardly one has lost its place.
    for (let number = 0; number < entries / 2; number++) put(table, number, number);
    let kept = 0;
    for (let number = 0; number < entries / 2; number++) {
      const member = memberOf(table, number);
      if (member === undefined) continue;
      assert.equal(member, number);
      kept++;
    }
    assert.ok(kept > entries / 2 - 10, `${kept}`);
    // Each of these is later than those before: it finds a place, and takes it from who is over first among 8.
    for (let number = 0; number < 10 * entries; number++) {
      put(table, 10_000 + number, number, 200 + number);
      assert.equal(memberOf(table, 10_000 + number), number);
    }
    const listed = table.list(NOW);
    assert.ok(listed.length <= entries && listed.length > entries - 20, `${listed.length}`);
    const firstHalf = listed.filter(({ memberKey }) => memberKey < 5 * entries).length;
    assert.ok(firstHalf < entries / 50, `${firstHalf} of the first half are still there`);
  });

  it('takes the place of who is over rather than of who is not', () => {
    const table = new PersistTable(newPersistMemory(8));
    for (let number = 0; number < 8; number++) put(table, number, number, number === 5 ? 10 : 1000);
    put(table, 100, 1, 1, NOW + 20);
    for (let number = 0; number < 8; number++) {
      assert.equal(memberOf(table, number, NOW + 20), number === 5 ? undefined : number);
    }
    // All are good: who has the least time left.
    put(table, 101, 2, 5, NOW + 20);
    assert.equal(memberOf(table, 100, NOW + 20), undefined);
    assert.equal(table.list(NOW + 20).length, 8);
  });

  it('makes one entry of two that threads have written for a client at once', () => {
    const memory = newPersistMemory(8);
    const table = new PersistTable(memory);
    put(table, 1, 10);
    const [head, entry] = [4, 12];
    const own = [0, 1, 2, 3, 4, 5, 6, 7].find((place) => memory.words[head + place * entry + 1] !== 0)!;
    const twin = (own + 3) % 8;
    memory.words.copyWithin(head + twin * entry, head + own * entry, head + (own + 1) * entry);
    assert.equal(table.list(NOW).length, 2);
    put(table, 1, 20);
    assert.deepEqual(
      table.list(NOW).map(({ memberKey }) => memberKey),
      [20],
    );
    assert.equal(memberOf(table, 1), 20);
  });

  it('leaves alone an entry that another thread is writing', () => {
    const memory = newPersistMemory(8);
    const table = new PersistTable(memory);
    for (let number = 0; number < 8; number++) put(table, number, number);
    // As if all writers stood still in the middle.
    for (let at = 4; at < memory.words.length; at += 12) memory.words[at]! |= 1;
    assert.equal(put(table, 3, 4), false);
    assert.equal(memberOf(table, 3), undefined);
    assert.deepEqual(table.list(NOW), []);
    assert.equal(
      table.forget(() => true, NOW),
      0,
    );
    for (let at = 4; at < memory.words.length; at += 12) memory.words[at]! &= ~1;
    assert.equal(memberOf(table, 3), 3);
  });

  it('shows all or nothing of a change, at whichever moment of a look that comes', () => {
    const { load } = Atomics;
    const writeAt = (moment: number, write: () => void): void => {
      let loads = 0;
      Atomics.load = ((words: Int32Array, at: number) => {
        if (++loads === moment) {
          Atomics.load = load;
          write();
        }
        return load(words, at);
      }) as typeof load;
    };
    const places = 8;
    // A look at 8 places takes at most a hundred loads, and one at all of them some more.
    for (let moment = 1; moment <= 130; moment++) {
      for (const [number, member] of [
        [1, 21],
        [2, 30],
      ] as const) {
        const memory = newPersistMemory(places);
        const [table, other] = [new PersistTable(memory), new PersistTable(memory)];
        // All places are taken, and client 1 is the one that gives way.
        put(table, 1, 20, 50);
        for (let more = 0; more < places - 1; more++) put(table, 100 + more, more);
        try {
          writeAt(moment, () => put(other, number, member));
          const found = memberOf(table, 1);
          assert.ok(found === 20 || found === (number === 1 ? member : undefined), `${found}`);
          writeAt(moment, () => put(other, number, member + 1));
          for (const {
            address: [word],
            memberKey,
            memberKeyMore,
          } of table.list(NOW)) {
            const client = word! - 0x0a00_0000;
            const ours: readonly number[] = client === 1 ? [20, 21, 22] : [30, 31];
            assert.ok(client >= 100 ? memberKey === client - 100 : ours.includes(memberKey), `${client}: ${memberKey}`);
            assert.equal(memberKeyMore, ~memberKey);
          }
        } finally {
          Atomics.load = load;
        }
      }
    }
  });

  it('is never seen half written, whatever two threads do to few places at once', async () => {
    const memory = newPersistMemory(8);
    const module = new URL('../../../src/gtm/persist-table.js', import.meta.url).href;
    // Everything of an entry follows from the client's number and the round; who puts, finds and forgets does it at random.
    const code = `(async () => {
      const { PersistTable } = await import(${JSON.stringify(module)});
      const { parentPort, workerData } = require('node:worker_threads');
      const { memory, seed, start } = workerData;
      const table = new PersistTable(memory);
      let state = seed;
      const random = () => (state = Math.imul(state, 1103515245) + 12345 | 0) >>> 8;
      const words = new Int32Array(4);
      const counts = { puts: 0, finds: 0, torn: 0, forgotten: 0, listed: 0 };
      const isWhole = (number, member, more) => (member & 63) === number && more === ~member;
      Atomics.add(start, 0, 1);
      while (Atomics.load(start, 0) < 2);
      for (let round = 0; round < 400000; round++) {
        const number = random() % 12;
        words[0] = number; words[1] = number * 3; words[2] = number * 5; words[3] = number * 7;
        if ((random() & 3) === 0) {
          const member = (round << 6) | number;
          if (table.put(number, -number, words, 6, member, ~member, 100, ${NOW})) counts.puts++;
        } else if (table.find(number, -number, words, 6, ${NOW})) {
          counts.finds++;
          if (!isWhole(number, table.memberKey, table.memberKeyMore)) counts.torn++;
        }
        if (round % 5000 === 0) {
          for (const { key, keyMore, address, memberKey, memberKeyMore } of table.list(${NOW})) {
            counts.listed++;
            const isRight = keyMore === -key && address[1] === key * 3 && address[2] === key * 5 && address[3] === key * 7;
            if (!isRight || !isWhole(key, memberKey, memberKeyMore)) counts.torn++;
          }
          counts.forgotten += table.forget((entry) => entry.key % 4 === 0, ${NOW});
        }
      }
      parentPort.postMessage(counts);
    })()`;
    const start = new Int32Array(new SharedArrayBuffer(4));
    type Counts = { puts: number; finds: number; torn: number; forgotten: number; listed: number };
    const all = await Promise.all(
      [1, 2].map(
        (seed) =>
          new Promise<Counts>((resolve, reject) => {
            const worker = new Worker(code, { eval: true, workerData: { memory, seed, start } });
            worker.once('message', resolve);
            worker.once('error', reject);
          }),
      ),
    );
    for (const { puts, finds, torn, forgotten, listed } of all) {
      assert.equal(torn, 0);
      assert.ok(puts > 10_000 && finds > 10_000, `${puts} puts, ${finds} finds`);
      // How many there are to be forgotten depends on when the other thread runs.
      assert.ok(forgotten > 10 && listed > 10, `${forgotten} forgotten, ${listed} listed`);
    }
    const entries = new PersistTable(memory).list(NOW);
    assert.ok(entries.length > 0 && entries.length <= 8);
    // Nothing was left claimed.
    for (let at = 4; at < memory.words.length; at += 12) assert.equal(memory.words[at]! & 1, 0);
  });
});

describe('the mask of an address', () => {
  const masked = (bits: number, ...words: number[]): number[] => {
    const result = new Int32Array(4);
    maskAddress(address(...words), bits, result);
    return [...result];
  };

  it('keeps so many bits from the front', () => {
    assert.deepEqual(masked(32, 0x0a01_0203), [0x0a01_0203, 0, 0, 0]);
    assert.deepEqual(masked(24, 0x0a01_0203), [0x0a01_0200, 0, 0, 0]);
    assert.deepEqual(masked(1, -1), [-(2 ** 31), 0, 0, 0]);
    assert.deepEqual(masked(0, -1, -1, -1, -1), [0, 0, 0, 0]);
    assert.deepEqual(masked(128, 1, 2, 3, 4), [1, 2, 3, 4]);
    assert.deepEqual(masked(127, 1, 2, 3, 5), [1, 2, 3, 4]);
    assert.deepEqual(masked(56, -1, -1, -1, -1), [-1, -256, 0, 0]);
    assert.deepEqual(masked(64, -1, -1, -1, -1), [-1, -1, 0, 0]);
  });
});
