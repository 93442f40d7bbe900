import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nameOf } from '../../../src/dns/name.ts';
import { PackedSets } from '../../../src/dns/packed-sets.ts';
import { RecordCollector, packSets } from '../../../src/dns/record-collector.ts';
import { typeOf } from '../../../src/dns/record-types.ts';
import type { Zone } from '../../../src/dns/record.ts';
import { checkZone } from '../../../src/dns/zone-check.ts';
import { ProblemList } from '../../../src/dns/zone-problem.ts';
import { readText, zoneOf } from '../../support/zones.ts';

const ORIGIN = 'example.test.';
const HEAD = '$TTL 60\n@ SOA ns admin 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n';

function verdictOf(text: string): string[] {
  return readText(HEAD + text, ORIGIN).problems.map(({ severity, text: of }) => `${severity}: ${of}`);
}

describe('a zone', () => {
  it('is sound or not', () => {
    const cases: readonly (readonly [string, readonly string[]])[] = [
      ['a CNAME b\nb CNAME a\n', []],
      ['a CNAME ns\na NSEC b A\n', []],
      ['a CNAME ns\na.x TXT x\n', []],
      ['sub SOA ns admin 1 2 3 4 5\n', ['error: sub.example.test. SOA: an SOA stands at the origin alone']],
      ['@ SOA ns admin 2 2 3 4 5\n', ['error: example.test. SOA: there can be one only']],
      ['a CNAME ns\na CNAME b\n', ['error: a.example.test. CNAME: there can be one only']],
      ['a DNAME ns\na DNAME b\n', ['error: a.example.test. DNAME: there can be one only']],
      ['* NS ns\n', ['error: *.example.test. NS: a wildcard cannot have servers']],
      ['@ DS 1 9 9 00\n', ['error: example.test. DS: a DS stands in the zone above']],
      ['@ NS x\n', ['error: example.test. NS: x.example.test. has no address']],
      ['@ NS x\nx CNAME ns\n', ['error: example.test. NS: x.example.test. is a CNAME']],
      ['@ NS y.x\nx DNAME a.\n', ['error: example.test. NS: y.x.example.test. is below a DNAME']],
      ['@ NS x\n* A 192.0.2.1\n', []],
      ['@ NS x.y\n* A 192.0.2.1\nz.y TXT x\n', ['error: example.test. NS: x.y.example.test. has no address']],
      ['@ NS x.y\n*.y A 192.0.2.1\n', []],
      ['@ NS y\nx.y A 192.0.2.1\n* A 192.0.2.1\n', ['error: example.test. NS: y.example.test. has no address']],
      [
        '@ NS ns.sub\nsub NS ns.sub\n',
        ['warning: sub.example.test. NS: ns.sub.example.test. needs an address (glue) and has none'],
      ],
      ['sub NS x\n', ['warning: sub.example.test. NS: x.example.test. has no address']],
      ['@ MX 1 x\n', ['warning: example.test. MX: x.example.test. has no address']],
      ['@ MX 0 .\n', []],
      ['a SRV 0 0 0 .\n', []],
      ['a SRV 1 1 1 x\nx CNAME ns\n', ['warning: a.example.test. SRV: x.example.test. is a CNAME']],
      ['sub NS ns\nx.sub MX 1 nowhere\n', []],
      ['a DNAME b.\nx.a TXT x\n', ['warning: x.a.example.test. is below a DNAME and never found']],
      ['a DNAME b.\na TXT x\n', []],
    ];
    for (const [text, expected] of cases) assert.deepEqual(verdictOf(text), expected, text);
  });

  it('is checked in whatever form its sets are', () => {
    const zone = zoneOf(HEAD, ORIGIN);
    assert.deepEqual([...checkZone({ ...zone, sets: [...zone.sets] })], []);
    const outside = { owner: nameOf('example.org.'), type: 43, ttl: 1, data: [Uint8Array.of(1)] };
    assert.deepEqual(
      [...checkZone({ ...zone, sets: [...zone.sets, outside] })].map(({ text }) => text),
      ['example.org. DS: not in the zone example.test.'],
    );
  });

  it('of many sets and of a set of many records is read in one go', () => {
    const lines = Array.from({ length: 3000 }, (_, i) => `h${i} A 192.0.2.1\nall A 10.0.${i >>> 8}.${i & 255}\n`);
    const { sets } = zoneOf(HEAD + lines.join('') + lines.join(''), ORIGIN);
    assert.equal(sets.length, 3 + 3000 + 1);
    assert.equal([...sets].find(({ data }) => data.length > 1)?.data.length, 3000);
  });
});

describe('packed sets', () => {
  const zone: Zone = zoneOf(`${HEAD}a 4294967 TXT x y\n`, ORIGIN);

  it('are read without objects', () => {
    const { sets } = zone;
    assert.ok(sets instanceof PackedSets);
    const header = sets.headerOf(3);
    assert.deepEqual([sets.typeAt(header), sets.ttlAt(header), sets.recordsAt(header)], [16, 4_294_967, 1]);
    assert.equal(sets.at(4), undefined);
    assert.equal(sets.at(-1), undefined);
  });

  it('join sets of one owner and type, without what is there twice', () => {
    const owner = nameOf('a.');
    const mx = typeOf('MX')!;
    const sets = packSets([
      { owner, type: mx, ttl: 1, data: [Uint8Array.from([0, 1, ...nameOf('b.')])] },
      {
        owner: nameOf('A.'),
        type: mx,
        ttl: 2,
        data: [Uint8Array.from([0, 1, ...nameOf('B.')]), Uint8Array.of(0, 2, 0)],
      },
    ]);
    assert.equal(sets.length, 1);
    assert.deepEqual(sets.at(0), {
      owner,
      type: mx,
      ttl: 1,
      data: [Uint8Array.from([0, 1, ...nameOf('b.')]), Uint8Array.of(0, 2, 0)],
    });
  });

  it('grow beyond what was expected', () => {
    const collector = new RecordCollector(1, 1);
    for (let i = 0; i < 5000; i++) {
      const set = collector.addSet(nameOf(`n${i}.`), 16, i);
      collector.add(set, new Uint8Array(100).fill(i), 100);
    }
    assert.equal(collector.sets, 5000);
    assert.equal(collector.records, 5000);
    assert.equal(collector.find(nameOf('N4999.'), 16), 4999);
    assert.equal(collector.find(nameOf('n4999.'), 1), -1);
    const sets = collector.pack();
    assert.deepEqual(sets.at(4711)?.data, [new Uint8Array(100).fill(4711)]);
  });
});

describe('problems', () => {
  it('are kept up to a number of each severity', () => {
    const list = new ProblemList(2);
    for (let i = 0; i < 3; i++) list.add({ severity: 'warning', text: `w${i}` });
    assert.ok(!list.hasErrors() && !list.isFull());
    for (let i = 0; i < 2; i++) list.add({ severity: 'error', text: `e${i}` });
    assert.ok(list.hasErrors() && list.isFull());
    assert.deepEqual(
      list.all().map(({ text }) => text),
      ['w0', 'w1', 'e0', 'e1', '1 more of them'],
    );
  });
});
