import assert from 'node:assert/strict';
import * as packet from 'dns-packet';
import { describe, it } from 'node:test';
import { parsePrefix } from '../../../src/core/address.ts';
import { answerSources } from '../../../src/dns/answer-sources.ts';
import { packPrefixes } from '../../../src/dns/client-list.ts';
import { Outcome } from '../../../src/dns/outcome.ts';
import { FORWARD, Responder } from '../../../src/dns/responder.ts';
import type { ResponderOptions } from '../../../src/dns/responder-options.ts';
import type { Sender } from '../../../src/dns/sender.ts';
import { buildZoneTable } from '../../../src/dns/zone-builder.ts';
import { newZoneCounts } from '../../../src/dns/zone-counts.ts';
import { ZoneSet } from '../../../src/dns/zone-set.ts';
import { linesOf, queryOf, type TestRecord, zoneOf } from '../../support/dns.ts';
import { fromHex } from '../../support/octets.ts';

const soa = (name: string): TestRecord => ({
  type: 'SOA',
  name,
  ttl: 60,
  data: { mname: `ns.${name}`, rname: `host.${name}`, serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 60 },
});
const zone = (origin: string, ...records: TestRecord[]) =>
  buildZoneTable(
    zoneOf(origin, [soa(origin), { type: 'NS', name: origin, ttl: 60, data: `ns.${origin}` }, ...records]),
  );
const address = (name: string, data: string): TestRecord => ({ type: 'A', name, ttl: 60, data });
const ds = (name: string): TestRecord => ({
  type: 'DS',
  name,
  ttl: 60,
  data: { keyTag: 1, algorithm: 8, digestType: 2, digest: Buffer.alloc(32) },
});

const ZONES = new ZoneSet([
  zone('example.com', address('www.example.com', '192.0.2.1'), ds('sub.example.com'), {
    type: 'NS',
    name: 'sub.example.com',
    ttl: 60,
    data: 'ns.sub.example.com',
  }),
  zone('sub.example.com', address('www.sub.example.com', '192.0.2.2')),
  zone('example.org', address('example.org', '192.0.2.3')),
]);
const DEFAULTS: ResponderOptions = { unhandled: 'reject', udpOctets: 1232 };
const CLIENT = Uint8Array.from([192, 0, 2, 99]);
const SENDER: Sender = { addresses: CLIENT, addressAt: 0, addressOctets: 4, isStream: false, now: 1_600_000_000 };

/** The reply to a message, in place; undefined when there is none. */
function respond(
  message: Uint8Array,
  options: Partial<ResponderOptions> = {},
  more: { zones?: ZoneSet; isStream?: boolean } = {},
): { reply: Uint8Array | undefined; responder: Responder; end: number; octets: Uint8Array } {
  const { zones = ZONES, isStream = false } = more;
  const responder = new Responder(answerSources(zones), { ...DEFAULTS, ...options });
  const octets = new Uint8Array(70_000).fill(0xa5);
  octets.set(message, 100);
  const end = responder.respond(octets, 100, 100 + message.length, { ...SENDER, isStream });
  assert.ok(octets.subarray(0, 100).every((octet) => octet === 0xa5));
  const reply = end === 100 || end === FORWARD ? undefined : octets.slice(100, end);
  return { reply, responder, end, octets: octets.slice(100, 100 + message.length) };
}

const lines = (message: Uint8Array, options: Partial<ResponderOptions> = {}): string[] =>
  linesOf(respond(message, options).reply!);

describe('a responder', () => {
  it('keeps id, question, RD and CD', () => {
    const message = packet.encode({
      type: 'query',
      id: 0xbeef,
      flags: packet.RECURSION_DESIRED | packet.CHECKING_DISABLED,
      questions: [{ type: 'A', name: 'wWw.ExAmPlE.cOm' }],
    });
    const reply = packet.decode(Buffer.from(respond(message).reply!));
    assert.equal(reply.id, 0xbeef);
    assert.deepEqual([reply.flag_qr, reply.flag_rd, reply.flag_cd, reply.flag_ra], [true, true, true, false]);
    assert.equal(reply.questions![0]!.name, 'wWw.ExAmPlE.cOm');
  });

  it('asks the zone of the longest origin, and for a DS the one above it', () => {
    assert.deepEqual(lines(queryOf({ name: 'www.sub.example.com', type: 'A' })), [
      'NOERROR aa',
      'an www.sub.example.com 60 A 192.0.2.2',
    ]);
    assert.match(lines(queryOf({ name: 'sub.example.com', type: 'DS' }))[1]!, /^an sub\.example\.com 60 DS/);
    assert.match(lines(queryOf({ name: 'example.org', type: 'DS' }))[1]!, /^ns example\.org 60 SOA/);
    assert.deepEqual(lines(queryOf({ name: 'notexample.org', type: 'A' })), ['REFUSED']);
    assert.deepEqual(lines(queryOf({ name: 'org', type: 'A' })), ['REFUSED']);
  });

  it('does what it is told with what nobody answers', () => {
    const unknown = queryOf({ name: 'www.elsewhere.net', type: 'A' });
    assert.deepEqual(lines(unknown, { unhandled: 'reject' }), ['REFUSED']);
    assert.deepEqual(lines(unknown, { unhandled: 'noerror' }), ['NOERROR']);
    assert.deepEqual(lines(unknown, { unhandled: 'allow' }), ['NXDOMAIN']);
    const hint = lines(unknown, { unhandled: 'hint' });
    assert.equal(hint.length, 14);
    assert.match(hint[1]!, /^ns \.? ?518400 NS a\.root-servers\.net$/);
    const { reply, responder } = respond(unknown, { unhandled: 'drop' });
    assert.equal(reply, undefined);
    assert.equal(responder.counts[Outcome.unhandledDropped], 1);
  });

  it('leaves to the server behind what no zone has, as it came', () => {
    const unknown = queryOf({ name: 'www.elsewhere.net', type: 'A' });
    for (const unhandled of ['allow', 'reject', 'drop'] as const) {
      const { end, octets, responder } = respond(unknown, { unhandled, hasBackend: true });
      assert.equal(end, FORWARD);
      assert.deepEqual(octets, Uint8Array.from(unknown));
      assert.equal(responder.counts[Outcome.forwarded], 1);
    }
    assert.deepEqual(lines(queryOf({ name: 'none.example.com', type: 'A' }), { hasBackend: true })[0], 'NXDOMAIN aa');
    assert.deepEqual(lines(queryOf({ name: 'elsewhere.net', type: 'AXFR' }), { hasBackend: true }), ['REFUSED']);
    assert.deepEqual(lines(queryOf({ name: 'a', type: 'TXT', class: 'CH' }), { hasBackend: true }), ['REFUSED']);
  });

  it('asks no source for a query that wants recursion when that is not processed', () => {
    const wants = queryOf({ name: 'www.example.com', type: 'A' });
    const plain = Uint8Array.from(wants, (octet, at) => (at === 2 ? octet & ~1 : octet));
    for (const hasBackend of [false, true]) {
      const options = { processRd: false, hasBackend };
      assert.deepEqual(lines(wants, { ...options, unhandled: 'reject' }), ['REFUSED']);
      assert.equal(lines(plain, { ...options, unhandled: 'reject' }).length, 2);
      assert.equal(respond(wants, { ...options, unhandled: 'drop' }).reply, undefined);
    }
    assert.deepEqual(lines(wants, { processRd: false, unhandled: 'allow' }), ['NXDOMAIN']);
    assert.equal(respond(wants, { processRd: false, unhandled: 'allow', hasBackend: true }).end, FORWARD);
  });

  it('refuses who is not on the access list, whatever is asked', () => {
    const lists = (...prefixes: string[]) => packPrefixes(prefixes.map((text) => parsePrefix(text)!));
    const known = queryOf({ name: 'www.example.com', type: 'A' });
    const others = lists('192.0.2.98/32', '192.0.3.0/24', '::/0');
    for (const name of ['www.example.com', 'www.elsewhere.net']) {
      const { reply, responder } = respond(queryOf({ name, type: 'A' }), { allowedClients: others, hasBackend: true });
      assert.deepEqual(linesOf(reply!), ['REFUSED']);
      assert.equal(responder.counts[Outcome.accessRefused], 1);
      assert.equal(
        responder.counts.reduce((sum, count) => sum + count),
        1,
      );
    }
    assert.deepEqual(lines(known, { allowedClients: new Uint8Array(0) }), ['REFUSED']);
    assert.equal(lines(known, { allowedClients: lists('192.0.2.0/24') }).length, 2);
  });

  it('counts for each zone what it was asked', () => {
    const responder = new Responder(answerSources(ZONES), DEFAULTS);
    const counts = newZoneCounts(ZONES.tables.length);
    responder.setSources({ zones: ZONES, zoneCounts: counts, wideIps: undefined });
    const questions = [
      ...['www.example.com A', 'www.example.com AAAA', 'none.example.com A', 'x.sub.example.com A', 'example.com MX'],
      ...['example.org A', 'elsewhere.net A', 'sub.example.com DS', 'x.www.example.com A'],
    ];
    for (const question of questions) {
      const [name, type] = question.split(' ') as [string, string];
      const octets = new Uint8Array(4096);
      const message = queryOf({ name, type });
      octets.set(message);
      responder.respond(octets, 0, message.length, SENDER);
    }
    // Queries, no data, no such name, referrals.
    assert.deepEqual([...counts], [...[6, 2, 2, 0], ...[1, 0, 1, 0], ...[1, 0, 0, 0]]);
    const above = new ZoneSet([ZONES.tables[0]!]);
    const aboveCounts = newZoneCounts(1);
    responder.setSources({ zones: above, zoneCounts: aboveCounts, wideIps: undefined });
    const message = queryOf({ name: 'x.sub.example.com', type: 'A' });
    const octets = new Uint8Array(4096);
    octets.set(message);
    responder.respond(octets, 0, message.length, SENDER);
    assert.deepEqual([...aboveCounts], [1, 0, 0, 1]);
  });

  it('refuses what is no query by a code, or not at all', () => {
    const question = queryOf({ name: 'www.example.com', type: 'A' });
    const flags = (high: number): Uint8Array => Uint8Array.from(question, (octet, at) => (at === 2 ? high : octet));
    assert.deepEqual(lines(flags(0x20)), ['NOTIMP']);
    assert.equal(respond(flags(0x80)).reply, undefined);
    assert.equal(respond(question.subarray(0, 11)).reply, undefined);
    assert.deepEqual(lines(question.subarray(0, -1)), ['FORMERR']);
    assert.deepEqual(lines(queryOf({ name: 'example.com', type: 'AXFR' })), ['REFUSED']);
  });

  it('says which version of EDNS it knows', () => {
    const message = Uint8Array.from(queryOf({ name: 'www.example.com', type: 'A', edns: {} }));
    // The version: behind owner, type, size and upper code.
    message[message.length - 5] = 1;
    const reply = packet.decode(Buffer.from(respond(message).reply!));
    const [opt] = reply.additionals as unknown as {
      ednsVersion: number;
      extendedRcode: number;
      udpPayloadSize: number;
    }[];
    assert.deepEqual([opt!.ednsVersion, opt!.extendedRcode, opt!.udpPayloadSize], [0, 1, 1232]);
  });

  it('gives a cookie for a cookie, and says which server it is', () => {
    const cookieKey = fromHex('000102030405060708090a0b0c0d0e0f');
    const message = packet.encode({
      type: 'query',
      questions: [{ type: 'A', name: 'www.example.com' }],
      additionals: [
        {
          type: 'OPT',
          name: '.',
          udpPayloadSize: 1232,
          extendedRcode: 0,
          ednsVersion: 0,
          flags: 0,
          flag_do: false,
          options: [
            { code: 10, data: Buffer.from('0102030405060708', 'hex') },
            { code: 3, data: Buffer.alloc(0) },
            { code: 8, family: 1, sourcePrefixLength: 24, scopePrefixLength: 0, ip: '198.51.100.0' },
          ] as never,
        },
      ],
    });
    const optionsOf = (options: Partial<ResponderOptions>): { code: number; data: Buffer }[] => {
      const reply = packet.decode(Buffer.from(respond(message, options).reply!));
      return (reply.additionals![0] as unknown as { options: { code: number; data: Buffer }[] }).options;
    };
    const all = optionsOf({ cookieKey, nsid: Buffer.from('lab-1') });
    assert.deepEqual(all.map(({ code }) => code).sort(), [10, 3, 8]);
    const cookie = all.find(({ code }) => code === 10)!.data;
    assert.equal(cookie.length, 24);
    assert.equal(cookie.toString('hex', 0, 16), '010203040506070801000000' + (1_600_000_000).toString(16));
    assert.equal(all.find(({ code }) => code === 3)!.data.toString(), 'lab-1');
    assert.deepEqual(
      optionsOf({}).map(({ code }) => code),
      [8],
    );
  });

  it('limits answers that are alike, but not to who comes by TCP or has our cookie', () => {
    const cookieKey = fromHex('000102030405060708090a0b0c0d0e0f');
    const rateLimit = { perSecond: 2, slip: 2, ipv4Prefix: 24, ipv6Prefix: 56 };
    const octets = new Uint8Array(4096);
    const replies = (responder: Responder, messages: Uint8Array[], sender: Partial<Sender> = {}): string[] =>
      messages.map((message) => {
        octets.set(message);
        const end = responder.respond(octets, 0, message.length, { ...SENDER, ...sender });
        return end === FORWARD ? 'forward' : end === 0 ? '-' : linesOf(octets.slice(0, end))[0]!;
      });
    const five = (name: string): Uint8Array[] => [1, 2, 3, 4, 5].map(() => queryOf({ name, type: 'A' }));
    const limited = new Responder(answerSources(ZONES), { ...DEFAULTS, rateLimit, cookieKey });
    const yes = 'NOERROR aa';
    assert.deepEqual(replies(limited, five('www.example.com')), [yes, yes, '-', `${yes} tc`, '-']);
    assert.deepEqual(replies(limited, five('www.example.com'), { isStream: true }), Array(5).fill(yes));
    assert.deepEqual(replies(limited, five('example.org')), [yes, yes, '-', `${yes} tc`, '-']);
    // Names that a zone does not have are all one, and so is everything that is refused, which cannot slip.
    const none = ['a', 'b', 'c', 'd'].map((label) => queryOf({ name: `${label}.example.com`, type: 'A' }));
    const no = 'NXDOMAIN aa';
    assert.deepEqual(replies(limited, none), [no, no, '-', `${no} tc`]);
    const elsewhere = ['a', 'b', 'c', 'd'].map((label) => queryOf({ name: `${label}.net`, type: 'A' }));
    assert.deepEqual(replies(limited, elsewhere), ['REFUSED', 'REFUSED', '-', '-']);
    assert.equal(limited.counts[Outcome.slipped], 3);
    assert.equal(limited.counts[Outcome.rateLimited], 7);
    // Next second, and with what our cookie looks like from there.
    const withCookie = (cookie: Uint8Array): Uint8Array => {
      const head = queryOf({ name: 'www.example.com', type: 'A' }).with(11, 1);
      const opt = Uint8Array.of(0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 4 + cookie.length, 0, 10, 0, cookie.length);
      return Uint8Array.from([...head, ...opt, ...cookie]);
    };
    const asked = withCookie(fromHex('0102030405060708'));
    octets.set(asked);
    const end = limited.respond(octets, 0, asked.length, { ...SENDER, now: SENDER.now + 1 });
    const cookie = octets.slice(end - 24, end);
    const proven = [1, 2, 3, 4, 5].map(() => withCookie(cookie));
    assert.deepEqual(replies(limited, proven, { now: SENDER.now + 1 }), Array(5).fill(yes));
    const forged = [1, 2, 3].map(() => withCookie(cookie.with(20, cookie[20]! ^ 1)));
    assert.deepEqual(replies(limited, forged, { now: SENDER.now + 1 }), [yes, '-', `${yes} tc`]);
    assert.equal(limited.counts[Outcome.cookieValid], 5);
    assert.equal(limited.counts[Outcome.cookieInvalid], 3);
    const before = new Responder(answerSources(ZONES), { ...DEFAULTS, rateLimit, hasBackend: true });
    assert.deepEqual(replies(before, five('a.net')), ['forward', 'forward', '-', 'NOERROR tc', '-']);
    assert.deepEqual(replies(before, five('b.net')).slice(0, 3), ['forward', 'forward', '-']);
  });

  it('names itself in class CHAOS when it is told to', () => {
    const message = packet.encode({ type: 'query', questions: [{ type: 'TXT', class: 'CH', name: 'VERSION.bind' }] });
    assert.deepEqual(lines(message), ['REFUSED']);
    assert.match(lines(message, { chaos: { version: 'wideplane 1' } })[1]!, /TXT wideplane 1$/);
    assert.deepEqual(lines(message, { chaos: { hostname: 'lab' } }), ['REFUSED']);
  });

  it('leaves room for OPT and its options', () => {
    const records = Array.from({ length: 29 }, (_, index) => address('many.test', `192.0.2.${index}`));
    const zones = new ZoneSet([zone('test', ...records)]);
    // 12 + 10 + 4 octets, and 16 for each address: 490 of 512.
    const plain = respond(queryOf({ name: 'many.test', type: 'A' }), {}, { zones });
    assert.equal(plain.reply!.length, 12 + 15 + 29 * 16);
    const small = queryOf({ name: 'many.test', type: 'A', edns: { udpPayloadSize: 512 } });
    const whole = respond(small, {}, { zones }).reply!;
    assert.equal(whole.length, 12 + 15 + 29 * 16 + 11);
    const more = new ZoneSet([zone('test', ...records, address('many.test', '198.51.100.1'))]);
    const cut = respond(small, {}, { zones: more });
    assert.deepEqual(linesOf(cut.reply!), ['NOERROR aa tc', 'ar OPT']);
    assert.equal(cut.responder.counts[Outcome.truncated], 1);
    const stream = respond(small, {}, { zones: more, isStream: true });
    assert.equal(linesOf(stream.reply!).length, 32);
  });
});
