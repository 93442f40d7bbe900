import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Query, QueryVerdict, readQuery } from '../../../src/dns/query.ts';
import { hashName } from '../../../src/dns/name-hash.ts';
import { nameOf, queryOf } from '../../support/dns.ts';
import { guard } from '../../support/octets.ts';

/** Reads a message in memory that throws when something outside of it is read. */
function read(message: Uint8Array): { verdict: QueryVerdict; query: Query } {
  const { bytes, start, end } = guard(message);
  const query = new Query();
  return { verdict: readQuery(bytes, start, end, query), query };
}

const header = (flags: number, counts: readonly [number, number, number, number]): number[] => [
  ...[0x12, 0x34, flags >>> 8, flags & 255],
  ...counts.flatMap((count) => [count >>> 8, count & 255]),
];
const ONE_QUESTION = [1, 0, 0, 0] as const;
const question = (name: readonly number[], type = 1, kind = 1): number[] => [...name, 0, type, 0, kind];
const EXAMPLE = [...nameOf('www.example.com')];
const opt = (options: readonly number[], more: { version?: number; octets?: number } = {}): number[] => {
  const { version = 0, octets = 1232 } = more;
  return [
    0,
    0,
    41,
    octets >>> 8,
    octets & 255,
    0,
    version,
    0x80,
    0,
    options.length >>> 8,
    options.length & 255,
    ...options,
  ];
};
const withOpt = (...records: number[][]): number[] => [
  ...header(0x0100, [1, 0, 0, records.length]),
  ...question(EXAMPLE),
  ...records.flat(),
];
const option = (code: number, ...data: number[]): number[] => [code >>> 8, code & 255, 0, data.length, ...data];

describe('a query', () => {
  it('has a name, a type and a class, and hashes of all the domains that the name is in', () => {
    const { verdict, query } = read(queryOf({ name: 'WWW.example.com', type: 'AAAA' }));
    assert.equal(verdict, QueryVerdict.question);
    assert.deepEqual([query.type, query.class, query.labels, query.nameOctets], [28, 1, 3, 17]);
    assert.equal(query.questionEnd - query.start, 12 + 17 + 4);
    for (const [label, name] of ['www.example.com', 'example.com', 'com', '.'].entries()) {
      assert.equal(query.hashes[label], hashName(nameOf(name), 0), name);
    }
    assert.equal(query.hasEdns, false);
    assert.equal(query.udpOctets, 512);
  });

  it('may be about the root', () => {
    const { verdict, query } = read(Uint8Array.from([...header(0, ONE_QUESTION), ...question([0], 2)]));
    assert.deepEqual([verdict, query.labels, query.nameOctets], [QueryVerdict.question, 0, 1]);
  });

  it('says with EDNS what it takes and wants', () => {
    const subnet = option(8, 0, 1, 24, 0, 192, 0, 2);
    const cookie = option(10, 1, 2, 3, 4, 5, 6, 7, 8);
    const { verdict, query } = read(
      Uint8Array.from(withOpt(opt([...option(3), ...subnet, ...cookie, ...option(99, 1)]))),
    );
    assert.equal(verdict, QueryVerdict.question);
    assert.deepEqual([query.hasEdns, query.udpOctets, query.wantsDnssec, query.wantsNsid], [true, 1232, true, true]);
    assert.deepEqual([query.subnetOctets, query.cookieOctets], [7, 8]);
    assert.equal(query.octets[query.subnetStart + 4], 192);
    assert.equal(query.octets[query.cookieStart], 1);
  });

  it('of which the sender takes less than 512 octets over UDP is taken at 512', () => {
    assert.equal(read(Uint8Array.from(withOpt(opt([], { octets: 100 })))).query.udpOctets, 512);
  });

  it('may be signed', () => {
    const tsig = [...nameOf('key'), 0, 250, 0, 255, 0, 0, 0, 0, 0, 3, 1, 2, 3];
    const { verdict, query } = read(Uint8Array.from(withOpt(opt([]), tsig)));
    assert.equal(verdict, QueryVerdict.question);
    assert.equal(query.tsigStart - query.start, 12 + EXAMPLE.length + 4 + 11);
  });
});

const label = (octets: number): number[] => [octets, ...new Array<number>(octets).fill(0x61)];
/** A name of so many octets, with labels of up to 63. */
function longName(octets: number): number[] {
  const name: number[] = [];
  for (let left = octets - 1; left > 0;) {
    const length = Math.min(63, left - 1);
    // One octet cannot be left: it would be a label's length and nothing else.
    const taken = left - length - 1 === 1 ? length - 1 : length;
    name.push(...label(taken));
    left -= taken + 1;
  }
  return [...name, 0];
}

const { malformed, opcode, response, tooShort, ednsVersion } = QueryVerdict;
const VERDICTS: readonly (readonly [what: string, message: readonly number[], verdict: QueryVerdict])[] = [
  ['nothing', [], tooShort],
  ['less than a header', header(0, ONE_QUESTION).slice(0, 11), tooShort],
  ['a response', [...header(0x8180, ONE_QUESTION), ...question(EXAMPLE)], response],
  ['another opcode', [...header(0x2000, ONE_QUESTION), ...question(EXAMPLE)], opcode],
  ['no question', header(0, [0, 0, 0, 0]), malformed],
  ['two questions', [...header(0, [2, 0, 0, 0]), ...question(EXAMPLE), ...question(EXAMPLE)], malformed],
  ['an answer in a query', [...header(0, [1, 1, 0, 0]), ...question(EXAMPLE)], malformed],
  ['an authority in a query', [...header(0, [1, 0, 1, 0]), ...question(EXAMPLE)], malformed],
  ['a question that is cut off', [...header(0, ONE_QUESTION), ...question(EXAMPLE).slice(0, -1)], malformed],
  ['a name that is cut off', [...header(0, ONE_QUESTION), 3, 0x77], malformed],
  ['a pointer to itself', [...header(0, ONE_QUESTION), 0xc0, 12, 0, 1, 0, 1], malformed],
  ['a pointer forward', [...header(0, ONE_QUESTION), 0xc0, 14, 0, 1, 0, 1], malformed],
  ['a label of a kind that was never defined', [...header(0, ONE_QUESTION), 0x41, 0, 0, 1, 0, 1], malformed],
  ['a label of 63 octets', [...header(0, ONE_QUESTION), ...question([...label(63), 0])], QueryVerdict.question],
  ['a label of 64 octets', [...header(0, ONE_QUESTION), ...question([64, ...label(64).slice(1), 0])], malformed],
  ['a name of 255 octets', [...header(0, ONE_QUESTION), ...question(longName(255))], QueryVerdict.question],
  ['a name of 256 octets', [...header(0, ONE_QUESTION), ...question(longName(256))], malformed],
  ['more records announced than there are', [...header(0, [1, 0, 0, 1]), ...question(EXAMPLE)], malformed],
  ['two OPT', withOpt(opt([]), opt([])), malformed],
  ['OPT of a name', withOpt([1, 0x61, ...opt([])]), malformed],
  ['OPT that is cut off', withOpt(opt([]).slice(0, -1)), malformed],
  ['OPT that claims more than there is', withOpt([...opt([]).slice(0, -1), 4]), malformed],
  ['an option that is cut off', withOpt(opt([0, 3, 0])), malformed],
  ['an option that claims more than there is', withOpt(opt([0, 3, 0, 1])), malformed],
  ['a version of EDNS to come', withOpt(opt([], { version: 1 })), ednsVersion],
  ['a cookie of 7 octets', withOpt(opt(option(10, 1, 2, 3, 4, 5, 6, 7))), malformed],
  ['a cookie of 15 octets', withOpt(opt(option(10, ...new Array<number>(15).fill(1)))), malformed],
  ['a cookie of 41 octets', withOpt(opt(option(10, ...new Array<number>(41).fill(1)))), malformed],
  ['a client subnet with a scope', withOpt(opt(option(8, 0, 1, 24, 24, 192, 0, 2))), malformed],
  ['a client subnet of 33 bits', withOpt(opt(option(8, 0, 1, 33, 0, 192, 0, 2, 1, 1))), malformed],
  ['a client subnet with too few octets', withOpt(opt(option(8, 0, 1, 24, 0, 192, 0))), malformed],
  ['a client subnet with bits behind its prefix', withOpt(opt(option(8, 0, 1, 20, 0, 192, 0, 1))), malformed],
  ['TSIG that is not last', withOpt([...nameOf('key'), 0, 250, 0, 255, 0, 0, 0, 0, 0, 0], opt([])), malformed],
];

describe('what comes in', () => {
  for (const [what, message, verdict] of VERDICTS) {
    it(what, () => assert.equal(read(Uint8Array.from(message)).verdict, verdict));
  }

  it('of any length and content is read within its octets', () => {
    const whole = Uint8Array.from(withOpt(opt([...option(3), ...option(8, 0, 1, 24, 0, 192, 0, 2)])));
    for (let end = 0; end <= whole.length; end++) {
      const { verdict } = read(whole.subarray(0, end));
      assert.equal(verdict === QueryVerdict.question, end === whole.length, String(end));
    }
  });
});
