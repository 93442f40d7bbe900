import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MessageWriter } from '../../../src/dns/message-writer.ts';
import { Query, QueryVerdict, readQuery } from '../../../src/dns/query.ts';
import { Reply } from '../../../src/dns/reply.ts';
import { ZoneAnswerer } from '../../../src/dns/zone-answer.ts';
import { buildZoneTable } from '../../../src/dns/zone-builder.ts';
import { linesOf, queryOf, type TestQuestion, type TestRecord, zoneOf, writeMessage } from '../../support/dns.ts';

const SOA = {
  mname: 'ns1.example.com',
  rname: 'host.example.com',
  serial: 7,
  refresh: 1,
  retry: 2,
  expire: 3,
  minimum: 60,
};
const address = (name: string, data: string): TestRecord => ({ type: 'A', name, ttl: 300, data });
const alias = (name: string, data: string): TestRecord => ({ type: 'CNAME', name, ttl: 300, data });
const server = (name: string, data: string): TestRecord => ({ type: 'NS', name, ttl: 300, data });

const ZONE = zoneOf('example.com', [
  { type: 'SOA', name: 'example.com', ttl: 3600, data: SOA },
  server('example.com', 'ns1.example.com'),
  server('example.com', 'ns.elsewhere.net'),
  { type: 'MX', name: 'example.com', ttl: 300, data: { preference: 10, exchange: 'mail.example.com' } },
  address('ns1.example.com', '192.0.2.1'),
  address('www.Example.com', '192.0.2.80'),
  address('www.example.com', '192.0.2.81'),
  { type: 'TXT', name: 'www.example.com', ttl: 60, data: ['hello', 'world'] },
  alias('web.example.com', 'www.example.com'),
  alias('out.example.com', 'www.elsewhere.net'),
  alias('loop1.example.com', 'loop2.example.com'),
  alias('loop2.example.com', 'loop1.example.com'),
  alias('dangling.example.com', 'nothing.example.com'),
  alias('*.aliases.example.com', 'www.example.com'),
  address('*.wild.example.com', '192.0.2.9'),
  { type: 'MX', name: '*.wild.example.com', ttl: 300, data: { preference: 1, exchange: 'mail.wild.example.com' } },
  address('real.wild.example.com', '192.0.2.10'),
  address('a.b.c.example.com', '192.0.2.11'),
  server('sub.example.com', 'ns.sub.example.com'),
  server('sub.example.com', 'ns1.example.com'),
  address('ns.sub.example.com', '192.0.2.53'),
  {
    type: 'DS',
    name: 'sub.example.com',
    ttl: 300,
    data: { keyTag: 1, algorithm: 8, digestType: 2, digest: Buffer.alloc(32) },
  },
  { type: 'DNAME', name: 'old.example.com', ttl: 300, data: 'wild.example.com' },
  address('old.example.com', '192.0.2.12'),
  ...Array.from({ length: 60 }, (_, index) => address('many.example.com', `198.51.100.${index}`)),
]);
const TABLE = buildZoneTable(ZONE);

function ask(question: TestQuestion, means: { limit?: number; isStream?: boolean } = {}): string[] {
  const octets = queryOf(question);
  const query = new Query();
  assert.equal(readQuery(octets, 0, octets.length, query), QueryVerdict.question);
  const reply = new Reply();
  const { limit = 512, isStream = false } = means;
  new ZoneAnswerer().answer(TABLE, query, reply, { writer: new MessageWriter(), limit, isStream });
  const message = new Uint8Array(65_535);
  return linesOf(message.subarray(0, writeMessage(query, reply, 1232, message)));
}

const NEGATIVE = 'ns example.com 60 SOA ns1.example.com host.example.com 7 1 2 3 60';

const TABLE_OF_ANSWERS: readonly (readonly [what: string, name: string, type: string, lines: readonly string[]])[] = [
  [
    'a name with two addresses',
    'www.example.com',
    'A',
    ['NOERROR aa', 'an www.example.com 300 A 192.0.2.80', 'an www.example.com 300 A 192.0.2.81'],
  ],
  ['another type of it', 'www.example.com', 'TXT', ['NOERROR aa', 'an www.example.com 60 TXT hello world']],
  ['a name in another case, kept', 'wWw.eXample.COM', 'TXT', ['NOERROR aa', 'an wWw.eXample.COM 60 TXT hello world']],
  ['data that ends as the name does', 'example.com', 'MX', ['NOERROR aa', 'an example.com 300 MX 10 mail.example.com']],
  ['a type that the name has not', 'www.example.com', 'AAAA', ['NOERROR aa', NEGATIVE]],
  ['a name that is not there', 'nothing.example.com', 'A', ['NXDOMAIN aa', NEGATIVE]],
  ['a name with nothing but names below it', 'b.c.example.com', 'A', ['NOERROR aa', NEGATIVE]],
  ['a name below such a one', 'x.b.c.example.com', 'A', ['NXDOMAIN aa', NEGATIVE]],
  [
    'an alias',
    'web.example.com',
    'A',
    [
      'NOERROR aa',
      'an web.example.com 300 CNAME www.example.com',
      'an www.example.com 300 A 192.0.2.80',
      'an www.example.com 300 A 192.0.2.81',
    ],
  ],
  ['the alias itself', 'web.example.com', 'CNAME', ['NOERROR aa', 'an web.example.com 300 CNAME www.example.com']],
  [
    'an alias out of the zone',
    'out.example.com',
    'A',
    ['NOERROR aa', 'an out.example.com 300 CNAME www.elsewhere.net'],
  ],
  [
    'an alias to a name that is not there',
    'dangling.example.com',
    'A',
    ['NXDOMAIN aa', 'an dangling.example.com 300 CNAME nothing.example.com', NEGATIVE],
  ],
  ['a wildcard', 'any.thing.wild.example.com', 'A', ['NOERROR aa', 'an any.thing.wild.example.com 300 A 192.0.2.9']],
  [
    'a name in the data of a wildcard',
    'x.wild.example.com',
    'MX',
    ['NOERROR aa', 'an x.wild.example.com 300 MX 1 mail.wild.example.com'],
  ],
  ['the wildcard itself', '*.wild.example.com', 'A', ['NOERROR aa', 'an *.wild.example.com 300 A 192.0.2.9']],
  ['a type that the wildcard has not', 'x.wild.example.com', 'TXT', ['NOERROR aa', NEGATIVE]],
  ['a name beside the wildcard', 'real.wild.example.com', 'MX', ['NOERROR aa', NEGATIVE]],
  ['a name below one that is beside it', 'x.real.wild.example.com', 'A', ['NXDOMAIN aa', NEGATIVE]],
  [
    'a wildcard that is an alias',
    'x.aliases.example.com',
    'TXT',
    ['NOERROR aa', 'an x.aliases.example.com 300 CNAME www.example.com', 'an www.example.com 60 TXT hello world'],
  ],
  [
    'a referral with glue',
    'x.sub.example.com',
    'A',
    [
      'NOERROR',
      'ns sub.example.com 300 NS ns.sub.example.com',
      'ns sub.example.com 300 NS ns1.example.com',
      'ar ns.sub.example.com 300 A 192.0.2.53',
      'ar ns1.example.com 300 A 192.0.2.1',
    ],
  ],
  [
    'the address of a name server below the cut',
    'ns.sub.example.com',
    'A',
    [
      'NOERROR',
      'ns sub.example.com 300 NS ns.sub.example.com',
      'ns sub.example.com 300 NS ns1.example.com',
      'ar ns.sub.example.com 300 A 192.0.2.53',
      'ar ns1.example.com 300 A 192.0.2.1',
    ],
  ],
  [
    'a name below a DNAME',
    'a.b.old.example.com',
    'A',
    [
      'NOERROR aa',
      'an old.example.com 300 DNAME wild.example.com',
      'an a.b.old.example.com 300 CNAME a.b.wild.example.com',
      'an a.b.wild.example.com 300 A 192.0.2.9',
    ],
  ],
  ['what stands beside a DNAME', 'old.example.com', 'A', ['NOERROR aa', 'an old.example.com 300 A 192.0.2.12']],
];

describe('the answers of a zone', () => {
  for (const [what, name, type, lines] of TABLE_OF_ANSWERS) {
    it(what, () => assert.deepEqual(ask({ name, type }).sort(), [...lines].sort()));
  }

  it('the DS of a delegation comes from above it', () => {
    const [head, ...records] = ask({ name: 'sub.example.com', type: 'DS' });
    assert.equal(head, 'NOERROR aa');
    assert.equal(records.length, 1);
    assert.match(records[0]!, /^an sub.example.com 300 DS /);
  });

  it('a loop of aliases ends', () => {
    const [head, ...records] = ask({ name: 'loop1.example.com', type: 'A' }, { limit: 4096 });
    assert.equal(head, 'NOERROR aa');
    assert.ok(records.length <= 17, String(records.length));
  });

  it('a DNAME that leads to a name of more than 255 octets is YXDOMAIN', () => {
    const label = 'x'.repeat(59);
    const name = `${label}.${label}.${label}.${label.slice(2)}.old.example.com`;
    assert.match(ask({ name, type: 'A' })[0]!, /^YXDOMAIN aa/);
  });

  it('ANY gives one set of records, and all of them over a stream', () => {
    const some = ask({ name: 'www.example.com', type: 'ANY' });
    const all = ask({ name: 'www.example.com', type: 'ANY' }, { isStream: true });
    assert.equal(new Set(some.slice(1).map((line) => line.split(' ')[3])).size, 1);
    assert.deepEqual(
      all
        .slice(1)
        .map((line) => line.split(' ')[3])
        .sort(),
      ['A', 'A', 'TXT'],
    );
  });

  it('what does not fit says so, and comes whole where there is room', () => {
    assert.deepEqual(ask({ name: 'many.example.com', type: 'A' }), ['NOERROR aa tc']);
    assert.equal(ask({ name: 'many.example.com', type: 'A' }, { limit: 1232 }).length, 61);
    assert.deepEqual(ask({ name: 'web.example.com', type: 'A' }, { limit: 60 }), ['NOERROR aa tc']);
  });

  it('glue that a referral cannot do without is not left out in silence', () => {
    // Room for the name servers and one address.
    const [head, ...records] = ask({ name: 'x.sub.example.com', type: 'A' }, { limit: 90 });
    assert.ok(
      head === 'NOERROR tc' ? records.length === 0 : records.some((line) => line.startsWith('ar ns.sub')),
      head,
    );
  });

  it('OPT comes back, and nothing of it where there was none', () => {
    assert.ok(ask({ name: 'www.example.com', type: 'A', edns: {} }).includes('ar OPT'));
    assert.ok(!ask({ name: 'www.example.com', type: 'A' }).includes('ar OPT'));
  });
});
