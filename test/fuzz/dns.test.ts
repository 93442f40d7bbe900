// Mutated messages to the responder: each gets a reply that is whole and of its size, or none and a count; no octet outside of the
// slot is written. WIDEPLANE_FUZZ_MESSAGES says how many (a million otherwise, ten in the long form), WIDEPLANE_FUZZ_SEED with
// which seed.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parsePrefix } from '../../src/core/address.ts';
import { answerSources } from '../../src/dns/answer-sources.ts';
import { packPrefixes } from '../../src/dns/client-list.ts';
import { COOKIE_OCTETS, Cookies } from '../../src/dns/cookie.ts';
import { Query } from '../../src/dns/query.ts';
import { Outcome } from '../../src/dns/outcome.ts';
import { FORWARD, Responder } from '../../src/dns/responder.ts';
import type { ResponderOptions } from '../../src/dns/responder-options.ts';
import type { Sender } from '../../src/dns/sender.ts';
import { buildZoneTable } from '../../src/dns/zone-builder.ts';
import { ZoneSet } from '../../src/dns/zone-set.ts';
import { randomQuestion, randomZone } from '../support/dns-zones.ts';
import { describeGtm as describeWideIps, memberOf, poolOf, wideIpOf, WideIpRig } from '../support/wide-ips.ts';
import { queryOf, zoneOf } from '../support/dns.ts';
import { type Layout, Mutator } from './mutator.ts';

const { WIDEPLANE_FUZZ_MESSAGES, WIDEPLANE_FUZZ_SEED, WIDEPLANE_LONG } = process.env;
const MESSAGES = Number(WIDEPLANE_FUZZ_MESSAGES ?? (WIDEPLANE_LONG === undefined ? 1_000_000 : 10_000_000));
const SEED = Number(WIDEPLANE_FUZZ_SEED ?? 20_261_129);
const UDP_OCTETS = 1232;
const SLOT = 4096;
const GUARD = 64;
const FILLER = 0xa5;
/** Messages of each outcome at least. */
const HITS = 100;

const one = (...values: number[]): Uint8Array[] => values.map((value) => Uint8Array.of(value));
const two = (...values: number[]): Uint8Array[] => values.map((value) => Uint8Array.of(value >>> 8, value & 255));
const mutator = new Mutator(SEED, {
  // Label lengths and pointers; types, classes, option codes; flags.
  length: one(0, 1, 3, 63, 64, 0x80, 0xbf, 0xc0, 0xff),
  type: two(1, 2, 5, 6, 12, 15, 28, 33, 39, 41, 43, 250, 251, 252, 255, 257, 65_535),
  small: two(0, 1, 2, 3, 255, 8, 10, 4, 24),
  flags: two(0, 0x100, 0x8000, 0x2800, 0x2000, 0x7800, 0x110),
});
const { random } = mutator;
const zones = Array.from({ length: 20 }, (_, index) => randomZone(random, `zone${index}.test`));
// A name with more addresses than a plain datagram takes.
const many = zones[0]!;
for (let host = 0; host < 60; host++) {
  many.records.push({ type: 'A', name: `many.${many.origin}`, ttl: 60, data: `198.51.100.${host}` });
}
const QUESTIONS = [
  { name: `many.${many.origin}`, type: 'A' },
  { name: 'version.bind', type: 'TXT', class: 'CH' },
  { name: 'id.server', type: 'TXT', class: 'CH' },
  { name: `shop.${many.origin}`, type: 'A' },
  { name: `alias.${many.origin}`, type: 'AAAA' },
  { name: `silent.${many.origin}`, type: 'A' },
] as const;

/** By chance and the place of the client, an alias, and one that does not reply. */
const wideIps = new WideIpRig(
  describeWideIps(
    [
      wideIpOf('a', `shop.${many.origin}`, ['/Common/shop'], { poolMode: 'topology', prefersClientSubnet: true }),
      wideIpOf('aaaa', `alias.${many.origin}`, ['cname /Common/alias']),
      wideIpOf('a', `silent.${many.origin}`, ['/Common/silent']),
    ],
    [
      poolOf('a', '/Common/shop', ['192.0.2.1', '192.0.2.2', '192.0.2.3'], {
        preferred: 'ratio',
        maxAnswersReturned: 2,
      }),
      poolOf('cname', '/Common/alias', [memberOf('elsewhere.test', 0, { isStatic: true })]),
      poolOf('a', '/Common/silent', ['192.0.2.4'], { preferred: 'drop-packet' }),
    ],
  ),
);

const tables = new ZoneSet(zones.map(({ origin, records }) => buildZoneTable(zoneOf(origin, records))));

type Seed = { message: Uint8Array; layout: Layout };

const CLIENT = Uint8Array.of(192, 0, 2, 1);
const COOKIE_KEY = new Uint8Array(16).fill(1);
const NOW = 1_700_000_000;

/** OPT with a cookie, NSID and a client subnet. */
const OPT = Buffer.from('000029100000008000001b000a00080102030405060708000300000008000700011800c00002', 'hex');
/** OPT with a server's cookie. */
const OPT_PROVEN = Buffer.concat([Buffer.from('000029100000000000001c000a0018', 'hex'), provenCookie()]);

function provenCookie(): Uint8Array {
  const query = new Query();
  query.octets = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const cookie = new Uint8Array(COOKIE_OCTETS);
  new Cookies(COOKIE_KEY).write(query, CLIENT, 0, 4, NOW, cookie, 0);
  return cookie;
}

const seeds: Seed[] = Array.from({ length: 500 }, (_, index) => {
  const question = QUESTIONS[index % 20] ?? randomQuestion(random, random.pick(zones));
  const plain = queryOf(question);
  const opt = random.pick([OPT, OPT_PROVEN]);
  const message = random.chance(60) ? Uint8Array.from(Buffer.concat([plain, opt])) : plain;
  if (message !== plain) message[11] = 1;
  const layout: Layout = { fields: [{ at: 2, octets: 2, kind: 'flags' }], ipv4Headers: [] };
  for (let at = 4; at < 12; at += 2) layout.fields.push({ at, octets: 2, kind: 'small' });
  let at = 12;
  for (; message[at] !== 0; at += message[at]! + 1) layout.fields.push({ at, octets: 1, kind: 'length' });
  layout.fields.push({ at: at + 1, octets: 2, kind: 'type' }, { at: at + 3, octets: 2, kind: 'small' });
  for (let opt = at + 5; opt + 2 <= message.length; opt += 2) {
    layout.fields.push({ at: opt, octets: 2, kind: random.pick(['type', 'small', 'any']) });
  }
  return { message, layout };
});

/** Where a name of a message ends; throws when a pointer does not go backwards. */
function skipName(octets: Uint8Array, start: number): number {
  let at = start;
  let end = -1;
  let lowest = start;
  for (;;) {
    const length = octets[at]!;
    if (length >= 0xc0) {
      const target = ((length & 0x3f) << 8) | octets[at + 1]!;
      if (end < 0) end = at + 2;
      assert.ok(target < lowest && target >= 12, `a pointer from ${at} to ${target}`);
      lowest = at = target;
      continue;
    }
    assert.ok(length <= 63);
    at += length + 1;
    if (length === 0) return end < 0 ? at : end;
  }
}

/** That a reply is what its header says, to the last octet. */
function checkReply(reply: Uint8Array, message: Uint8Array): void {
  const word = (at: number): number => (reply[at]! << 8) | reply[at + 1]!;
  assert.equal(word(0), (message[0]! << 8) | message[1]!, 'the id');
  assert.equal(word(2) >>> 15, 1, 'QR');
  let at = 12;
  for (let left = word(4); left > 0; left--) {
    // The question comes back to the bit.
    const end = skipName(reply, at) + 4;
    assert.deepEqual(reply.subarray(at, end), message.subarray(at, end));
    at = end;
  }
  for (let left = word(6) + word(8) + word(10); left > 0; left--) {
    at = skipName(reply, at);
    at += 10 + word(at + 8);
    assert.ok(at <= reply.length);
  }
  assert.equal(at, reply.length, 'the end');
}

it('mutated messages', () => {
  const nsid = new Uint8Array(Buffer.from('fuzz'));
  const rateLimit = { perSecond: 5, slip: 2, ipv4Prefix: 24, ipv6Prefix: 56 };
  const allowedClients = packPrefixes([parsePrefix('198.51.100.0/24')!]);
  const ways: Partial<ResponderOptions>[] = [
    ...(['reject', 'hint', 'drop'] as const).map((unhandled) => ({ unhandled })),
    { hasBackend: true },
    { hasBackend: true, rateLimit },
    { rateLimit },
    { processRd: false },
    { allowedClients },
  ];
  const responders = ways.map(
    (way) =>
      new Responder(answerSources(tables, wideIps.answerer), {
        ...({ unhandled: 'allow', udpOctets: UDP_OCTETS, cookieKey: COOKIE_KEY, nsid } as const),
        chaos: { version: 'fuzz', hostname: 'fuzz' },
        ...way,
      }),
  );
  const sender: Sender = { addresses: CLIENT, addressAt: 0, addressOctets: 4, isStream: false, now: NOW };
  const memory = new Uint8Array(GUARD + SLOT + GUARD).fill(FILLER);
  let replies = 0;
  let largest = 0;
  for (let count = 0; count < MESSAGES; count++) {
    const { message, layout } = seeds[count % seeds.length]!;
    const octets = mutator.mutate(message, layout, random.pick(seeds).message).slice(0, SLOT);
    memory.set(octets, GUARD);
    const responder = responders[count % responders.length]!;
    const end = responder.respond(memory, GUARD, GUARD + octets.length, sender);
    if (end === GUARD) continue;
    if (end === FORWARD) {
      assert.deepEqual(memory.subarray(GUARD, GUARD + octets.length), octets);
      continue;
    }
    // Seconds pass, so that limits are reached and left.
    if (count % 1000 === 0) sender.now = NOW + ((count / 1000) % 1000);
    replies++;
    const reply = memory.subarray(GUARD, end);
    largest = Math.max(largest, reply.length);
    checkReply(reply, octets);
  }
  assert.ok(memory.subarray(0, GUARD).every((octet) => octet === FILLER));
  assert.ok(memory.subarray(GUARD + SLOT).every((octet) => octet === FILLER));
  assert.ok(largest <= UDP_OCTETS, String(largest));
  const total = (outcome: Outcome): number => responders.reduce((sum, { counts }) => sum + counts[outcome]!, 0);
  const counts = Object.entries(Outcome).map(([name, outcome]) => [name, total(outcome)] as const);
  console.log(
    `${MESSAGES} messages, ${replies} replies; ${counts.map(([name, count]) => `${name} ${count}`).join(', ')}`,
  );
  for (const [name, count] of counts) assert.ok(count >= HITS, `${name}: ${count}`);
  const ends = counts.slice(0, Outcome.truncated).reduce((sum, [, count]) => sum + count, 0);
  assert.equal(ends, MESSAGES, 'each message has one outcome');
});
