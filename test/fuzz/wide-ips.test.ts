// Random questions, states and limits to random wide IPs of all modes: nothing throws, and every reply is whole and within its
// limit. WIDEPLANE_FUZZ_MESSAGES says how many questions (200,000 otherwise, two million in the long form), WIDEPLANE_FUZZ_SEED
// with which seed.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { read16 } from '../../src/core/octets.ts';
import { MessageWriter } from '../../src/dns/message-writer.ts';
import { Query, QueryVerdict, readQuery } from '../../src/dns/query.ts';
import { Reply } from '../../src/dns/reply.ts';
import { WideIpVerdict } from '../../src/dns/wide-ip-source.ts';
import { nameOf } from '../support/dns.ts';
import { ALL_MODES, randomName, randomWideIps } from '../support/random-wide-ips.ts';
import { describeGtm, WideIpRig } from '../support/wide-ips.ts';
import { Random } from './mutator.ts';

const { WIDEPLANE_FUZZ_MESSAGES, WIDEPLANE_FUZZ_SEED, WIDEPLANE_LONG } = process.env;
const MESSAGES = Number(WIDEPLANE_FUZZ_MESSAGES ?? (WIDEPLANE_LONG === undefined ? 200_000 : 2_000_000));
const SEED = Number(WIDEPLANE_FUZZ_SEED ?? 20_261_130);
/** Questions to the same wide IPs. */
const QUESTIONS = 500;
const TYPES = [1, 28, 5, 15, 35, 33, 255, 16, 6, 0, 65_535];

const random = new Random(SEED);

/** Mostly a name that may be there, sometimes labels of any octets. */
function randomQuestion(wideIps: readonly { readonly domain: string }[]): Uint8Array {
  let name = nameOf(random.chance(50) ? random.pick(wideIps).domain : randomName(random));
  if (random.chance(20)) {
    const labels = Array.from({ length: random.below(4) }, () => {
      const length = 1 + random.below(63);
      return [length, ...Array.from({ length }, () => random.below(256))];
    });
    name = Uint8Array.from([...labels.flat(), ...name].slice(-255));
  }
  const type = random.chance(90) ? random.pick(TYPES) : random.below(65_536);
  // A client subnet of some length, which may be malformed.
  const bits = random.below(34);
  const subnet = [0, 1, bits, 0, ...Array.from({ length: (bits + 7) >>> 3 }, () => 0)];
  const opt = [0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 4 + subnet.length, 0, 8, 0, subnet.length, ...subnet];
  const hasOpt = random.chance(30);
  return Uint8Array.of(
    ...[0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, hasOpt ? 1 : 0, ...name, type >>> 8, type & 255, 0, 1],
    ...(hasOpt ? opt : []),
  );
}

/** Every word of the state is any number now and then: nobody writes that, and nothing may come of it but odd answers. */
function scramble({ writer, memory: { layout } }: WideIpRig): void {
  for (let at = 0; at < layout.pathsAt; at++) if (random.chance(40)) writer.set(at, random.below(64) - 1);
  writer.commit();
}

/** That the tail consists of so many records, to its end. */
function checkRecords({ tail, tailAt, tailOctets, answers, authorities }: Reply, headOctets: number): void {
  let at = tailAt;
  for (let record = 0; record < answers + authorities; record++) {
    const pointer = read16(tail, at);
    assert.ok(
      pointer >= 0xc00c && (pointer & 0x3fff) < headOctets + at - tailAt,
      'owners stand in front of their records',
    );
    at += 12 + read16(tail, at + 10);
  }
  assert.equal(at - tailAt, tailOctets);
}

it('random questions get replies that are whole, or none', () => {
  const query = new Query();
  const reply = new Reply();
  const means = { writer: new MessageWriter(), limit: 0, isStream: false };
  const seen: number[] = [0, 0, 0, 0];
  let truncated = 0;
  for (let message = 0; message < MESSAGES; message++) {
    if (message % QUESTIONS === 0) rig = newRig();
    if (message % 50 === 0) scramble(rig);
    const octets = randomQuestion(rig.index.wideIps.map(({ wideIp }) => wideIp));
    if (readQuery(octets, 0, octets.length, query) !== QueryVerdict.question) continue;
    means.limit = random.chance(50) ? 65_535 : octets.length + random.below(300);
    const verdict = rig.answerer.answer(query, reply, means, rig.sender);
    seen[verdict]!++;
    if (verdict !== WideIpVerdict.answered) continue;
    const headOctets = query.questionEnd - query.start;
    assert.ok(headOctets + reply.tailOctets <= means.limit);
    if (reply.isTruncated) truncated++;
    checkRecords(reply, headOctets);
  }
  for (const [verdict, count] of [...seen, truncated].entries()) {
    assert.ok(count > MESSAGES / 1000, `verdict ${verdict}: ${count}`);
  }
});

let rig: WideIpRig;

function newRig(): WideIpRig {
  const { wideIps, pools } = randomWideIps(random, ALL_MODES);
  const persistence = { ipv4Bits: random.below(33), ipv6Bits: 56, ttl: 60 };
  const changed = wideIps.map((wideIp) => ({
    ...wideIp,
    prefersClientSubnet: random.chance(50),
    persistence: random.chance(30) ? persistence : undefined,
  }));
  return new WideIpRig(describeGtm(changed, pools));
}
