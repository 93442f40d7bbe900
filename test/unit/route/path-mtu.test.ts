import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type PathEnd, PathMtuTable, plausibleMtuV4, plausibleMtuV6 } from '../../../src/route/path-mtu.ts';

const END: PathEnd = { routeDomain: 0, words: [0, 0, 0, 0x0a090102] };
const TEN_MINUTES = 600_000;

describe('the path MTU', () => {
  it('is unknown until an error names one, and then is only lowered', () => {
    const table = new PathMtuTable();
    assert.equal(table.of(END), Infinity);
    assert.ok(table.lower(END, 1400, 0));
    assert.ok(!table.lower(END, 1450, 0), 'a larger one is not believed');
    assert.ok(!table.lower(END, 1400, 0));
    assert.ok(table.lower(END, 1300, 0));
    assert.equal(table.of(END), 1300);
  });

  it('is forgotten after ten minutes, which the same error begins anew', () => {
    const table = new PathMtuTable();
    table.lower(END, 1400, 0);
    table.lower(END, 1400, 60_000);
    assert.deepEqual(table.expire(TEN_MINUTES + 59_999), []);
    assert.deepEqual(table.expire(TEN_MINUTES + 60_000), [END]);
    assert.deepEqual([table.of(END), table.size], [Infinity, 0]);
    assert.ok(table.lower(END, 1450, TEN_MINUTES + 60_000));
  });

  it('is that of one end in one route domain', () => {
    const table = new PathMtuTable();
    table.lower(END, 1400, 0);
    assert.equal(table.of({ ...END, routeDomain: 1 }), Infinity);
    assert.equal(table.of({ ...END, words: [0x20010db8, 0, 0, 0x0a090102] }), Infinity);
  });

  it('is remembered of so many ends and no more', () => {
    const table = new PathMtuTable();
    const end = (last: number): PathEnd => ({ routeDomain: 0, words: [0, 0, 0, last] });
    for (let last = 0; last < 5000; last++) table.lower(end(last), 1400, last);
    assert.equal(table.size, 4096);
    assert.equal(table.of(end(4999)), Infinity);
    table.expire(TEN_MINUTES + 99);
    assert.equal(table.size, 3996);
    assert.ok(table.lower(end(4999), 1400, TEN_MINUTES));
  });
});

describe('the MTU that an error names', () => {
  it('makes sense when the packet was larger, and no link may be smaller', () => {
    assert.equal(plausibleMtuV4(1400, 1500), 1400);
    assert.equal(plausibleMtuV4(1500, 1500), 0, 'a packet of this size fits');
    assert.equal(plausibleMtuV4(67, 1500), 0);
    assert.equal(plausibleMtuV4(68, 1500), 68);
    assert.equal(plausibleMtuV6(1280, 1500), 1280);
    assert.equal(plausibleMtuV6(1279, 1500), 0);
    assert.equal(plausibleMtuV6(1500, 1400), 0);
  });

  it('is the next plateau where a router names none', () => {
    assert.equal(plausibleMtuV4(0, 1550), 1492);
    assert.equal(plausibleMtuV4(0, 1492), 1006);
    assert.equal(plausibleMtuV4(0, 68), 0);
    assert.equal(plausibleMtuV6(0, 1500), 0, 'there are no such routers of IPv6');
  });
});
