// A responder that knows replies answers as one that reads every question anew: octet by octet, and in its counts, whatever is asked,
// whoever asks, and whenever its sources change.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parsePrefix } from '../../src/core/address.ts';
import { answerSources, type AnswerSources } from '../../src/dns/answer-sources.ts';
import { packPrefixes } from '../../src/dns/client-list.ts';
import type { Query } from '../../src/dns/query.ts';
import type { Reply } from '../../src/dns/reply.ts';
import { Responder } from '../../src/dns/responder.ts';
import type { ResponderOptions } from '../../src/dns/responder-options.ts';
import type { Sender } from '../../src/dns/sender.ts';
import { type WideIpSource, WideIpVerdict } from '../../src/dns/wide-ip-source.ts';
import { buildZoneTable } from '../../src/dns/zone-builder.ts';
import { ZoneSet } from '../../src/dns/zone-set.ts';
import { Random } from '../fuzz/mutator.ts';
import { queryOf, zoneOf } from '../support/dns.ts';
import { randomQuestion, randomZone } from '../support/dns-zones.ts';

const SEED = 20_261_201;
const ROUNDS = 40;
/** Questions of a round, and how often each of them is asked about. */
const QUESTIONS = 60;
const ASKED = 3000;
const CHANGES_AT = 1500;
const OPT_AT_LEAST = 512;

it('a reply that is known is the one that would be made', () => {
  const random = new Random(SEED);
  let known = 0;
  let knownWideIps = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const options: ResponderOptions = {
      unhandled: random.pick(['allow', 'drop', 'hint', 'noerror', 'reject']),
      udpOctets: random.pick([512, 1232]),
      hasBackend: random.chance(30),
      processRd: random.chance(80),
      cookieKey: new Uint8Array(16),
      ...(random.chance(50) ? { nsid: Uint8Array.of(1, 2, 3) } : {}),
      ...(random.chance(30) ? { allowedClients: packPrefixes([parsePrefix('192.0.2.0/25')!]) } : {}),
      ...(random.chance(50)
        ? {
            rateLimit: {
              perSecond: 20,
              slip: 2,
              ipv4Prefix: 24,
              ipv6Prefix: 56,
            },
          }
        : {}),
    };
    const zones = [randomZone(random, 'one.test'), randomZone(random, 'two.test')];
    const tables = (): ZoneSet =>
      new ZoneSet(zones.map(({ origin, records }) => buildZoneTable(zoneOf(origin, records))));
    const wideIps = random.chance(50) ? new ChangingWideIps(random) : undefined;
    const sourcesOf = (): [AnswerSources, AnswerSources] => [
      answerSources(tables(), wideIps),
      answerSources(tables(), wideIps),
    ];
    let sources = sourcesOf();
    const quick = new Responder(sources[0], options);
    const slow = new Responder(sources[1], options);
    // What is logged is read.
    slow.tap = { note: () => undefined };
    const messages = Array.from({ length: QUESTIONS }, () => randomMessage(random, random.pick(zones)));
    for (let count = 0; count < ASKED; count++) {
      if (count === CHANGES_AT) {
        checkZoneCounts(sources);
        zones[0] = randomZone(random, 'one.test');
        sources = sourcesOf();
        quick.setSources(sources[0]);
        slow.setSources(sources[1]);
      }
      const message = random.pick(messages);
      message[0] = count;
      const start = random.pick([0, 44, 44, 64, 101]);
      const sender: Sender = {
        ...{
          addresses: Uint8Array.of(192, 0, 2, random.pick([1, 200])),
          addressAt: 0,
          addressOctets: 4,
        },
        ...{ isStream: random.chance(3), now: 1 + Math.floor(count / 100) },
      };
      wideIps?.change(count);
      const ofQuick = ask(quick, message, start, sender);
      const ofSlow = ask(slow, message, start, sender);
      assert.deepEqual(ofQuick, ofSlow, `round ${round}, question ${count}`);
      if (quick.messageSum < 0) continue;
      known++;
      assert.equal(quick.messageSum % 0xffff, sumWithoutId(ofQuick.octets), `sum in round ${round}`);
    }
    assert.deepEqual(quick.counts, slow.counts);
    checkZoneCounts(sources);
    knownWideIps += wideIps?.known ?? 0;
  }
  assert.ok(known > (ROUNDS * ASKED) / 10, `only ${known} replies were known`);
  assert.ok(knownWideIps > (ROUNDS * ASKED) / 20, `only ${knownWideIps} questions were known to lead to a wide IP`);
});

const checkZoneCounts = ([quick, slow]: [AnswerSources, AnswerSources]): void =>
  assert.deepEqual(quick.zoneCounts, slow.zoneCounts);

function ask(responder: Responder, message: Uint8Array, start: number, sender: Sender) {
  const octets = memoryOf(responder).fill(0xa5);
  octets.set(message, start);
  const end = responder.respond(octets, start, start + message.length, sender);
  return { end, octets: octets.slice(start, Math.max(start, end)) };
}

/** The same for all that one responder is asked, as an engine has it. */
const memories = new Map<Responder, Uint8Array>();
function memoryOf(responder: Responder): Uint8Array {
  const memory = memories.get(responder) ?? new Uint8Array(66_000);
  memories.set(responder, memory);
  return memory;
}

function sumWithoutId(reply: Uint8Array): number {
  let sum = 0;
  for (let at = 2; at < reply.length; at++) sum += reply[at]! << ((at & 1) << 3);
  return sum % 0xffff;
}

function randomMessage(random: Random, zone: ReturnType<typeof randomZone>): Uint8Array {
  const { name, type } = random.chance(90) ? randomQuestion(random, zone) : { name: 'www.elsewhere.test', type: 'A' };
  const size = random.pick([OPT_AT_LEAST, 1232]);
  const message = Uint8Array.from(
    queryOf({
      name,
      type,
      ...(random.chance(50) ? { edns: { udpPayloadSize: size } } : {}),
    }),
  );
  if (random.chance(50)) message[2]! &= ~1;
  if (random.chance(10)) message[13]! ^= 0x20;
  if (random.chance(5)) message[random.pick([2, 3, 5, 7, 9, 11])]! ^= 1 << random.pick([0, 3, 7]);
  if (random.chance(5)) return Uint8Array.from([...message, 0, 1, 2]);
  // A client's cookie behind an OPT without options.
  if (message[11] !== 1 || !random.chance(20)) return message;
  message[message.length - 1] = 12;
  return Uint8Array.from([...message, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
}

/** Half of all names are wide IPs, which pass, answer or drop as it comes; answers differ from question to question. */
class ChangingWideIps implements WideIpSource {
  found = -1;
  /** Questions that were answered by a wide IP that was known. */
  known = 0;
  readonly #random: Random;
  #verdict: WideIpVerdict = WideIpVerdict.passed;
  #wantsAuthority = false;
  #count = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  change(count: number): void {
    this.#count = count;
    if (count % 7 !== 0) return;
    this.#verdict = this.#random.pick([WideIpVerdict.answered, WideIpVerdict.passed, WideIpVerdict.dropped]);
    this.#wantsAuthority = this.#random.chance(30);
  }

  answer(query: Query, reply: Reply): WideIpVerdict {
    const hash = query.hashes[0]!;
    this.found = (hash & 1) === 0 ? -1 : (hash >>> 1) & 0xffff;
    return this.found < 0 ? WideIpVerdict.none : this.#come(this.found, query, reply);
  }

  answerBy(wideIp: number, query: Query, reply: Reply): WideIpVerdict {
    this.known++;
    return this.#come(wideIp, query, reply);
  }

  /** The answer says which wide IP it was, what it was told of the question, and when. */
  #come(wideIp: number, query: Query, reply: Reply): WideIpVerdict {
    if (this.#verdict !== WideIpVerdict.answered) return this.#verdict;
    const { type, nameOctets, udpOctets } = query;
    const told = [wideIp >>> 8, wideIp, type, nameOctets, udpOctets >>> 8, udpOctets, this.#count >>> 8, this.#count];
    reply.tail = Uint8Array.of(0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, told.length, ...told);
    reply.tailOctets = reply.tail.length;
    reply.answers = 1;
    reply.isAuthoritative = true;
    reply.wantsAuthority = this.#wantsAuthority;
    reply.foundHash = wideIp;
    return WideIpVerdict.answered;
  }
}
