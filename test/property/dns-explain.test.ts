// What is explained is what is answered: random zones, one within the other, random options, random questions.

import assert from 'node:assert/strict';
import * as packet from 'dns-packet';
import { it } from 'node:test';
import { replyLines } from '../../src/assembly/dnsd/reply-text.ts';
import { answerSources } from '../../src/dns/answer-sources.ts';
import { packPrefixes } from '../../src/dns/client-list.ts';
import { parsePrefix } from '../../src/core/address.ts';
import { explain } from '../../src/dns/explain.ts';
import { nameOf } from '../../src/dns/name.ts';
import { typeOf } from '../../src/dns/record-types.ts';
import { Outcome } from '../../src/dns/outcome.ts';
import { FORWARD, Responder } from '../../src/dns/responder.ts';
import type { ResponderOptions } from '../../src/dns/responder-options.ts';
import type { Sender } from '../../src/dns/sender.ts';
import { buildZoneTable } from '../../src/dns/zone-builder.ts';
import { ZoneSet } from '../../src/dns/zone-set.ts';
import { Random } from '../fuzz/mutator.ts';
import { randomQuestion, randomZone } from '../support/dns-zones.ts';
import { queryOf, zoneOf } from '../support/dns.ts';

const SEED = 20_261_130;
const ROUNDS = 60;
const QUESTIONS = 300;
const OUTCOME_NAMES = Object.keys(Outcome);

it('what is explained is what is answered', () => {
  const random = new Random(SEED);
  const seen = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    const outer = randomZone(random, 'outer.test');
    // Each name of a zone may be an origin as well.
    const inner = randomZone(random, random.pick(outer.records).name.replace(/^\*\./, ''));
    const zones = [outer, randomZone(random, 'other.test'), ...(inner.origin === outer.origin ? [] : [inner])];
    const tables = new ZoneSet(zones.map(({ origin, records }) => buildZoneTable(zoneOf(origin, records))));
    const options: ResponderOptions = {
      unhandled: random.pick(['allow', 'drop', 'hint', 'noerror', 'reject']),
      udpOctets: 1232,
      hasBackend: random.chance(30),
      processRd: random.chance(80),
      ...(random.chance(15) ? { allowedClients: packPrefixes([parsePrefix('192.0.2.0/25')!]) } : {}),
    };
    const responder = new Responder(answerSources(tables), options);
    const octets = new Uint8Array(65_535);
    for (let count = 0; count < QUESTIONS; count++) {
      const { name, type } = random.chance(90)
        ? randomQuestion(random, random.pick(zones))
        : { name: 'www.elsewhere.test', type: random.pick(['A', 'DS', 'AXFR', 'ANY']) };
      const client = Uint8Array.of(192, 0, 2, random.pick([1, 200]));
      const isStream = random.chance(80);
      const wantsRecursion = random.chance(50);
      const explained = explain(tables, options, {
        ...{ name: nameOf(`${name}.`), type: typeOf(type)!, client, wantsRecursion, isStream },
      });
      const about = `${name} ${type}\n${explained.steps.join('\n')}`;
      const message = Uint8Array.from(queryOf({ name, type, edns: { udpPayloadSize: 1232 } }));
      if (!wantsRecursion) message[2]! &= ~1;
      octets.set(message);
      const sender: Sender = { addresses: client, addressAt: 0, addressOctets: 4, isStream, now: 1 };
      const before = responder.counts.slice();
      const end = responder.respond(octets, 0, message.length, sender);
      const outcome = responder.counts.findIndex((total, index) => total !== before[index]);
      assert.equal(OUTCOME_NAMES[explained.outcome], OUTCOME_NAMES[outcome], about);
      seen.set(OUTCOME_NAMES[outcome]!, (seen.get(OUTCOME_NAMES[outcome]!) ?? 0) + 1);
      if (end === FORWARD || end === 0) {
        assert.equal(explained.reply, undefined);
        continue;
      }
      const reply = packet.decode(Buffer.from(octets.subarray(0, end))) as packet.DecodedPacket & { rcode: string };
      assert.deepEqual(replyLines(explained.reply!).slice(1), replyLines(octets.slice(0, end)).slice(1), about);
      assert.equal(explained.rcode, octets[3]! & 15, about);
      assert.equal(explained.isAuthoritative, reply.flag_aa, about);
      if (!reply.flag_tc) assert.equal(explained.answers, reply.answers!.length, about);
      for (const step of explained.steps) {
        const kind = /DNAME|delegated|wildcard|CNAME|empty non-terminal|no data|NXDOMAIN|YXDOMAIN|\d records?,/.exec(
          step,
        )?.[0];
        if (kind !== undefined) seen.set(kind, (seen.get(kind) ?? 0) + 1);
      }
    }
  }
  console.log(JSON.stringify(Object.fromEntries(seen)));
  for (const kind of ['zone', 'forwarded', 'unhandled', 'unhandledDropped', 'accessRefused', 'refused']) {
    assert.ok((seen.get(kind) ?? 0) > 10, kind);
  }
  for (const kind of ['DNAME', 'delegated', 'wildcard', 'CNAME', 'empty non-terminal', 'no data', 'NXDOMAIN']) {
    assert.ok((seen.get(kind) ?? 0) > 10, kind);
  }
});
