import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { FdbListing } from '../../../src/assembly/dataplaned/fdb-listing.ts';
import { FDB_STRIDE, FdbField, ForwardingDatabase } from '../../../src/bridge/fdb.ts';

const MEMBER = 3;
const members = new Map([[MEMBER, '/Common/vx1']]);

describe('a listing of stations', () => {
  it('has them by owner, and pages of them', () => {
    const fdb = new ForwardingDatabase(1000, 10);
    for (let mac = 1; mac <= 40; mac++) fdb.learn(1, 0x0200, mac, mac % 2 === 0 ? 4 : 5, -1, 7);
    const listing = new FdbListing(fdb.buffer, new Map([...members, [4, '/Common/v 1.1'], [5, '/Common/vx2']]), [
      '/Common/vx1',
      '/Common/vx2',
      '/Common/v',
    ]);
    assert.deepEqual(
      [0, 1, 2].map((owner) => listing.count(owner)),
      [0, 20, 20],
    );
    const lows = [...listing.entries(2, 0, 15, 9), ...listing.entries(2, 15, 100, 9)].map(({ mac }) => mac);
    assert.equal(new Set(lows).size, 20);
    assert.ok(lows.every((mac) => Number.parseInt(mac.slice(-2), 16) % 2 === 0));
  });

  it('has every station that was there, while others are learned and forgotten', async () => {
    const fdb = new ForwardingDatabase(100_000, 10);
    const last = fdb.table.length - FDB_STRIDE;
    // Behind all that comes and goes, as the places go.
    fdb.table.set([1, (1 << 16) | 0x0200, MEMBER + 1, -1, 0, 0], last);
    // What the data plane does when it learns a station and forgets it again, as fast as it goes.
    const text = `
      const { parentPort, workerData } = require('node:worker_threads');
      const { table, at, member } = workerData;
      parentPort.postMessage('running');
      for (;;) {
        Atomics.store(table, at, member);
        Atomics.store(table, at, 0);
      }`;
    const workerData = { table: fdb.table, at: FdbField.memberPlusOne, member: MEMBER + 1 };
    const worker = new Worker(text, { eval: true, workerData });
    try {
      await once(worker, 'message');
      const seen = new Set<number>();
      const deadline = performance.now() + 20_000;
      for (let round = 0; round < 200 || (seen.size < 2 && performance.now() < deadline); round++) {
        const listing = new FdbListing(fdb.buffer, members, ['/Common/vx1']);
        const entries = listing.entries(0, 0, 10, 0);
        assert.ok(
          entries.some(({ mac }) => mac === '02:00:00:00:00:01'),
          `round ${round}: ${JSON.stringify(entries)}`,
        );
        seen.add(listing.count(0));
      }
      assert.deepEqual([...seen].sort(), [1, 2], 'the other one came and went');
    } finally {
      await worker.terminate();
    }
  });
});
