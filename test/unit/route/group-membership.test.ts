import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AddressWords, formatWords } from '../../../src/core/address.ts';
import { Dialect, GroupMembership, type Query, RecordType } from '../../../src/route/group-membership.ts';

const DOMAIN = 3;
const GROUP: AddressWords = [0, 0, 0, 0xef01_0101 | 0];
const OTHER: AddressWords = [0, 0, 0, 0xef01_0102 | 0];
const GROUP6: AddressWords = [0xff05_0000 | 0, 0, 0, 0x100];

const RECORDS = new Map<number, string>(Object.entries(RecordType).map(([name, type]) => [type, name]));

/** What is sent, as text; `at` advances the clock in the steps of a data plane. */
function makeMembership(random = 0.5) {
  const sent: string[] = [];
  const membership = new GroupMembership(
    {
      report: (domain, records) => {
        const texts = records.map(({ type, group }) => `${RECORDS.get(type)} ${formatWords(group)}`);
        sent.push(`${domain}: ${texts.join(', ')}`);
      },
      reportOld: (_, group, dialect) => sent.push(`report ${dialect} ${formatWords(group)}`),
      leaveOld: (_, group) => sent.push(`leave ${formatWords(group)}`),
    },
    () => random,
  );
  let nowMs = 0;
  const until = (endMs: number): string[] => {
    for (; nowMs <= endMs; nowMs += 250) membership.tick(nowMs);
    return sent.splice(0);
  };
  const query = (change: Partial<Query>, isIpv6 = false, atMs = nowMs): void => {
    const whole = { dialect: Dialect.current, group: undefined, maxResponseMs: 10_000, robustness: 0, ...change };
    membership.queried(DOMAIN, isIpv6, whole, atMs);
  };
  return { membership, sent, until, query };
}

describe('GroupMembership', () => {
  it('reports a join at once and once more, and a leave in the same way', () => {
    const { membership, until } = makeMembership();
    membership.join(DOMAIN, GROUP, 0);
    membership.join(DOMAIN, GROUP, 0);
    assert.deepEqual(until(60_000), ['3: toExclude 239.1.1.1', '3: toExclude 239.1.1.1']);
    membership.leave(DOMAIN, GROUP, 60_000);
    assert.deepEqual(until(120_000), ['3: toInclude 239.1.1.1', '3: toInclude 239.1.1.1']);
    assert.equal(membership.has(DOMAIN, GROUP), false);
  });

  it('joins again what it has just left', () => {
    const { membership, until } = makeMembership();
    membership.join(DOMAIN, GROUP6, 0);
    until(5000);
    membership.leave(DOMAIN, GROUP6, 5000);
    membership.join(DOMAIN, GROUP6, 5000);
    assert.deepEqual(until(60_000), ['3: toInclude ff05::100', '3: toExclude ff05::100', '3: toExclude ff05::100']);
  });

  it('answers a general query with all groups in one report, within the time that the query allows', () => {
    const { membership, until, query } = makeMembership();
    membership.join(DOMAIN, GROUP, 0);
    membership.join(DOMAIN, OTHER, 0);
    membership.join(DOMAIN, GROUP6, 0);
    until(5000);
    query({});
    assert.deepEqual(until(9000), []);
    assert.deepEqual(until(15_000), ['3: isExclude 239.1.1.1, isExclude 239.1.1.2']);
    query({}, true);
    assert.deepEqual(until(25_000), ['3: isExclude ff05::100']);
  });

  it('answers a query for a group, and none for a group that it is not in', () => {
    const { membership, until, query } = makeMembership();
    membership.join(DOMAIN, GROUP, 0);
    until(5000);
    query({ group: GROUP, maxResponseMs: 1000 });
    query({ group: OTHER, maxResponseMs: 1000 });
    assert.deepEqual(until(6500), ['3: isExclude 239.1.1.1']);
  });

  it('is never later than the query allows, whatever chance says', () => {
    for (const random of [0, 0.999]) {
      const { membership, until, query } = makeMembership(random);
      membership.join(DOMAIN, GROUP, 0);
      until(5000);
      query({ group: GROUP, maxResponseMs: 1000 }, false, 5001);
      assert.deepEqual(until(6001), ['3: isExclude 239.1.1.1'], `random ${random}`);
    }
  });

  it('speaks version 2 while a querier of version 2 is about, and version 3 again afterwards', () => {
    const { membership, until, query } = makeMembership();
    membership.join(DOMAIN, GROUP, 0);
    until(5000);
    query({ dialect: Dialect.old });
    assert.deepEqual(until(20_000), ['report 1 239.1.1.1']);
    membership.join(DOMAIN, OTHER, 20_000);
    assert.deepEqual(until(60_000), ['report 1 239.1.1.2', 'report 1 239.1.1.2']);
    membership.leave(DOMAIN, OTHER, 60_000);
    assert.deepEqual(until(70_000), ['leave 239.1.1.2']);
    // Robustness 2, times 125 s, and 10 s (RFC 3376, section 8.12).
    assert.deepEqual(until(5000 + 260_000), []);
    query({});
    assert.deepEqual(until(280_000), ['3: isExclude 239.1.1.1']);
  });

  it('speaks version 1 to a querier of version 1, which knows no leave', () => {
    const { membership, until, query } = makeMembership();
    membership.join(DOMAIN, GROUP, 0);
    until(5000);
    query({ dialect: Dialect.oldest });
    assert.deepEqual(until(20_000), ['report 2 239.1.1.1']);
    membership.leave(DOMAIN, GROUP, 20_000);
    assert.deepEqual(until(60_000), []);
  });

  it('in version 2 leaves the report to another member, and then the leave as well', () => {
    const { membership, until, query } = makeMembership();
    membership.join(DOMAIN, GROUP, 0);
    membership.join(DOMAIN, GROUP6, 0);
    until(5000);
    query({ dialect: Dialect.old });
    query({ dialect: Dialect.old }, true);
    membership.reported(DOMAIN, GROUP);
    assert.deepEqual(until(20_000), ['report 1 ff05::100']);
    membership.leave(DOMAIN, GROUP, 20_000);
    membership.leave(DOMAIN, GROUP6, 20_000);
    assert.deepEqual(until(40_000), ['leave ff05::100']);
  });

  it('keeps to itself what others report while it speaks version 3', () => {
    const { membership, until, query } = makeMembership();
    membership.join(DOMAIN, GROUP, 0);
    until(5000);
    query({});
    membership.reported(DOMAIN, GROUP);
    assert.deepEqual(until(20_000), ['3: isExclude 239.1.1.1']);
  });

  it('repeats as often as the querier says', () => {
    const { membership, until, query } = makeMembership();
    membership.join(DOMAIN, GROUP, 0);
    until(5000);
    query({ robustness: 4 });
    until(20_000);
    membership.join(DOMAIN, OTHER, 20_000);
    assert.equal(until(60_000).length, 4);
  });

  it('tells anew who comes to a link, and nobody of one that is gone', () => {
    const { membership, until } = makeMembership();
    membership.join(DOMAIN, GROUP, 0);
    until(5000);
    membership.announce(DOMAIN, 5000);
    assert.deepEqual(until(10_000), ['3: toExclude 239.1.1.1', '3: toExclude 239.1.1.1']);
    membership.forget(DOMAIN);
    membership.announce(DOMAIN, 10_000);
    assert.deepEqual(until(20_000), []);
  });
});
