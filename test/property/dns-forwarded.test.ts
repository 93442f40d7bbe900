// Whatever a server behind sends: a reply that is whole and not too large, or none.

import assert from 'node:assert/strict';
import * as packet from 'dns-packet';
import { it } from 'node:test';
import { answerSources } from '../../src/dns/answer-sources.ts';
import { answersQuestion, forwardedQuery, forwardedReply } from '../../src/dns/forwarded-query.ts';
import { Query, QueryVerdict, readQuery } from '../../src/dns/query.ts';
import { Responder } from '../../src/dns/responder.ts';
import type { Sender } from '../../src/dns/sender.ts';
import { buildZoneTable } from '../../src/dns/zone-builder.ts';
import { ZoneSet } from '../../src/dns/zone-set.ts';
import { Mutator } from '../fuzz/mutator.ts';
import { randomQuestion, randomZone } from '../support/dns-zones.ts';
import { linesOf, queryOf, zoneOf } from '../support/dns.ts';

const SEED = 20_261_130;
const MESSAGES = 60_000;
const LIMIT = 1232;
const CLIENT = Uint8Array.of(192, 0, 2, 1);
const two = (...values: number[]): Uint8Array[] => values.map((value) => Uint8Array.of(value >>> 8, value & 255));

it('whatever a server behind sends', () => {
  const mutator = new Mutator(SEED, { small: two(0, 1, 2, 255, 65_535), type: two(1, 2, 6, 41, 250), length: [] });
  const { random } = mutator;
  const zones = Array.from({ length: 5 }, (_, index) => randomZone(random, `zone${index}.test`));
  const tables = new ZoneSet(zones.map(({ origin, records }) => buildZoneTable(zoneOf(origin, records))));
  const behind = new Responder(answerSources(tables), { unhandled: 'reject', udpOctets: LIMIT });
  const sender: Sender = { addresses: CLIENT, addressAt: 0, addressOctets: 4, isStream: false, now: 1 };
  const octets = new Uint8Array(4096);
  let whole = 0;
  let none = 0;
  let otherQuestion = 0;
  for (let count = 0; count < MESSAGES; count++) {
    const asked = queryOf({
      ...randomQuestion(random, random.pick(zones)),
      ...(random.chance(50) ? { edns: {} } : {}),
    });
    const query = new Query();
    assert.equal(readQuery(Uint8Array.from(asked), 0, asked.length, query), QueryVerdict.question);
    const message = forwardedQuery(query, count & 0xffff, LIMIT, random.chance(50) ? CLIENT : undefined);
    octets.set(message);
    const reply = octets.slice(0, behind.respond(octets, 0, message.length, sender));
    const limit = random.pick([512, LIMIT]);
    const own = { udpOctets: LIMIT };
    const right = forwardedReply(query, reply, limit, own, CLIENT, 1)!;
    assert.ok(answersQuestion(query, reply));
    assert.ok(right.length <= limit);
    const lines = linesOf(right).filter((line) => line !== 'ar OPT');
    if (!lines[0]!.endsWith(' tc'))
      assert.deepEqual(
        lines,
        linesOf(reply).filter((line) => line !== 'ar OPT'),
      );
    assert.equal(linesOf(right).length - lines.length, query.hasEdns ? 1 : 0);
    assert.equal(packet.decode(Buffer.from(right)).id, 0x1234);

    const layout = { fields: [], ipv4Headers: [] };
    for (let at = 4; at + 2 <= reply.length; at += 1) {
      if (at < 12 || random.chance(10))
        layout.fields.push({ at, octets: 2, kind: random.pick(['small', 'type']) } as never);
    }
    const changed = mutator.mutate(reply, layout, reply);
    if (!answersQuestion(query, changed)) {
      otherQuestion++;
      continue;
    }
    const made = forwardedReply(query, changed, limit, own, CLIENT, 1);
    if (made === undefined) {
      none++;
      continue;
    }
    whole++;
    assert.ok(made.length <= limit);
    assert.deepEqual(made.subarray(12, query.questionEnd), query.octets.subarray(12, query.questionEnd));
    assert.deepEqual(made.subarray(0, 2), query.octets.subarray(0, 2));
  }
  for (const hits of [whole, none, otherQuestion]) assert.ok(hits > 1000, String([whole, none, otherQuestion]));
});
