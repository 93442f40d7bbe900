// beside others
// The same questions about the same zones to us, to BIND's named and to Knot: sections, flags and codes must be the same, but for
// kinds of differences that an RFC allows, each of which is named here.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readMasterFile } from '../../src/dns/master-file.ts';
import { MessageWriter } from '../../src/dns/message-writer.ts';
import { Query, QueryVerdict, readQuery } from '../../src/dns/query.ts';
import { Reply } from '../../src/dns/reply.ts';
import { ZoneAnswerer } from '../../src/dns/zone-answer.ts';
import { buildZoneTable } from '../../src/dns/zone-builder.ts';
import type { ZoneTable } from '../../src/dns/zone-table.ts';
import { Random } from '../fuzz/mutator.ts';
import { ask, NameServer } from '../support/dns-peers.ts';
import { masterFile, randomQuestion, randomZone } from '../support/dns-zones.ts';
import { linesOf, nameOf, queryOf, writeMessage } from '../support/dns.ts';

const ZONES = 40;
const QUESTIONS_A_ZONE = 200;
const UDP_OCTETS = 1232;

const random = new Random(20_261_129);
const zones = Array.from({ length: ZONES }, (_, index) => randomZone(random, `zone${index}.test`));
const cases = zones.flatMap((zone, index) =>
  Array.from({ length: QUESTIONS_A_ZONE }, () => ({ table: index, question: randomQuestion(random, zone) })),
);
const queries = cases.map(({ question }) => queryOf({ ...question, edns: { udpPayloadSize: UDP_OCTETS } }));
const tables: ZoneTable[] = zones.map((zone) => {
  const read = readMasterFile(Buffer.from(masterFile(zone)), { origin: nameOf(zone.origin) });
  return buildZoneTable(read.zone ?? assert.fail(read.problems.map(({ text }) => text).join('\n')));
});

/** A message as sets: the head, and the records of each section without their order. */
type Message = { head: string; an: string[]; ns: string[]; ar: string[] };

function read(octets: Uint8Array): Message {
  const [head, ...lines] = linesOf(octets).map((line) => line.toLowerCase());
  const section = (name: string): string[] =>
    lines.filter((line) => line.startsWith(`${name} `) && line !== 'ar opt').sort();
  return { head: head!, an: section('an'), ns: section('ns'), ar: section('ar') };
}

const isSubset = (some: readonly string[], all: readonly string[]): boolean => some.every((line) => all.includes(line));
const isSame = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && isSubset(one, other);

type Difference = { name: string; allows: (ours: Message, theirs: Message, type: string) => boolean };
const DIFFERENCES: readonly Difference[] = [
  {
    // Of use to a sender, but not needed (RFC 1034, section 4.3.2, step 6); addresses of a referral are (RFC 9471).
    name: 'addresses of what is in the answer',
    allows: (ours, theirs) =>
      ours.head === theirs.head &&
      isSame(ours.an, theirs.an) &&
      isSame(ours.ns, theirs.ns) &&
      isSubset(ours.ar, theirs.ar),
  },
  {
    // Of a name server beside the cut, whom the parent knows as well: a referral may have its addresses (RFC 9471, section 2.2).
    name: 'addresses beside the cut of a referral',
    allows: (ours, theirs) =>
      ours.head === theirs.head &&
      isSame(ours.an, theirs.an) &&
      isSame(ours.ns, theirs.ns) &&
      isSubset(theirs.ar, ours.ar),
  },
  {
    // A question for ANY ends with the first records that it finds, or goes on behind an alias (RFC 8482, section 4.1).
    name: 'whether ANY goes on behind a DNAME',
    allows: (ours, theirs, type) =>
      type === 'ANY' && ours.an.some((line) => line.includes(' dname ')) && isSame(ours.an, theirs.an),
  },
  {
    // BIND's zero-no-soa-ttl: that there is no SOA is kept by nobody. RFC 2308, section 3, has no such exception.
    name: 'how long it may be kept that there is no SOA',
    allows: (ours, theirs, type) =>
      type === 'SOA' &&
      ours.head === theirs.head &&
      isSame(ours.an, theirs.an) &&
      isSame(ours.ns.map(withoutTtl), theirs.ns.map(withoutTtl)),
  },
  {
    // RFC 8482, section 4.1: any of the sets of the name, and one is enough.
    name: 'which set is given for ANY',
    allows: (ours, theirs, type) =>
      type === 'ANY' &&
      ours.head === theirs.head &&
      ours.an.length > 0 &&
      theirs.an.length > 0 &&
      isSame(ours.ns, theirs.ns),
  },
];

const withoutTtl = (line: string): string => line.replace(/^(ns \S+) \d+/, '$1');

function difference(ours: Message, theirs: Message, type: string): string | undefined {
  const same =
    ours.head === theirs.head && isSame(ours.an, theirs.an) && isSame(ours.ns, theirs.ns) && isSame(ours.ar, theirs.ar);
  if (same) return undefined;
  return DIFFERENCES.find(({ allows }) => allows(ours, theirs, type))?.name ?? 'none that is allowed';
}

function answers(): Message[] {
  const query = new Query();
  const reply = new Reply();
  const answerer = new ZoneAnswerer();
  const means = { writer: new MessageWriter(), limit: UDP_OCTETS - 11, isStream: false };
  const message = new Uint8Array(65_535);
  return cases.map(({ table }, index) => {
    const octets = queries[index]!;
    assert.equal(readQuery(octets, 0, octets.length, query), QueryVerdict.question);
    answerer.answer(tables[table]!, query, reply, means);
    return read(message.subarray(0, writeMessage(query, reply, UDP_OCTETS, message)));
  });
}

describe(`${cases.length} questions about ${ZONES} zones`, () => {
  let ours: Message[] = [];
  before(() => {
    ours = answers();
  });

  for (const [name, start] of [
    ['named', () => NameServer.named(zones, 5300)],
    ['knot', () => NameServer.knot(zones, 5300)],
  ] as const) {
    it(`are answered as ${name} does`, async () => {
      const server = await start();
      after(() => server.stop());
      const theirs = await ask(server.port, queries, 60_000);
      const counts = new Map<string, number>();
      const examples: string[] = [];
      for (const [index, octets] of theirs.entries()) {
        const { question } = cases[index]!;
        assert.ok(octets !== undefined, `${name} does not answer ${JSON.stringify(question)}`);
        const found = difference(ours[index]!, read(octets), question.type);
        if (found === undefined) continue;
        counts.set(found, (counts.get(found) ?? 0) + 1);
        if (found !== 'none that is allowed' || examples.length > 9) continue;
        examples.push(
          `${JSON.stringify(question)}\nours:   ${JSON.stringify(ours[index])}\ntheirs: ${JSON.stringify(read(octets))}`,
        );
      }
      console.log(`${name}: ${JSON.stringify(Object.fromEntries(counts))}`);
      assert.ok(examples.length === 0, examples.join('\n'));
    });
  }
});
