// The same questions to the engine on sockets and to the engine on a packet ring, over a veth pair: every octet of every reply is
// the same, and where one does not answer, the other does not.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { RingEngine } from '../../src/assembly/dnsd/ring-engine.ts';
import { zonesAlone } from '../../src/assembly/dnsd/source-data.ts';
import { virtualServerKey } from '../../src/gtm/description.ts';
import { description, member, pool, server, virtualServer, wideIp } from '../support/gtm-description.ts';
import { liveWideIps } from '../support/wide-ip-data.ts';
import { FrameOutcome } from '../../src/dns/frame-reply.ts';
import { buildZoneTable } from '../../src/dns/zone-builder.ts';
import { Random } from '../fuzz/mutator.ts';
import { randomQuestion, randomZone } from '../support/dns-zones.ts';
import {
  askFromClient,
  FORMS,
  makePair,
  makeRules,
  rulesOf,
  SERVER_ADDRESSES,
  startRing,
  startSockets,
} from '../support/dns-ring.ts';
import type { OneListener } from '../support/dns-engine.ts';
import { queryOf, zoneOf } from '../support/dns.ts';

const QUESTIONS = 300;
const UDP_OCTETS = 1232;
const random = new Random(20_261_130);
const zones = Array.from({ length: 5 }, (_, index) => randomZone(random, `zone${index}.test`));
const first = zones[0]!;
for (let host = 0; host < 200; host++) {
  const data = `198.51.${host >> 6}.${host}`;
  first.records.push({ type: 'A', name: `many.${first.origin}`, ttl: 60, data });
  // As many as fit a datagram of 1232 octets, or one of MTU 1500, to the octet.
  if (host < 74) first.records.push({ type: 'A', name: `some.${first.origin}`, ttl: 60, data });
}
const tables = zones.map(({ origin, records }) => buildZoneTable(zoneOf(origin, records)));

/** Wide IPs whose answers are the same whoever gives them: no turns, no chance. */
const SERVER = '/Common/s';
const wideIps = liveWideIps(
  description({
    datacenters: [{ name: '/Common/dc', enabled: true }],
    servers: [
      server(SERVER, '/Common/dc', {
        virtualServers: [1, 2, 3, 4].map((host) =>
          virtualServer(`v${host}`, { address: Uint8Array.of(198, 51, 100, host) }),
        ),
      }),
    ],
    pools: [
      ...(['global-availability', 'static-persistence', 'drop-packet', 'return-to-dns'] as const).map((preferred) =>
        pool('a', `/Common/${preferred}`, {
          preferred,
          maxAnswersReturned: 2,
          members: [1, 2, 3, 4].map((host) => member(virtualServerKey(SERVER, `v${host}`), { order: host })),
        }),
      ),
      pool('cname', '/Common/alias', { members: [member('global-availability.wide.test')] }),
    ],
    wideIps: [
      ...['global-availability', 'static-persistence', 'drop-packet', 'return-to-dns'].map((mode) =>
        wideIp('a', `${mode}.wide.test`, { pools: [{ pool: `/Common/${mode}`, order: 0, ratio: 1 }] }),
      ),
      wideIp('a', 'alias.wide.test', { cnamePools: [{ pool: '/Common/alias', order: 0, ratio: 1 }] }),
      wideIp('a', '*.like.test', { pools: [{ pool: '/Common/global-availability', order: 0, ratio: 1 }] }),
      wideIp('a', 'failed.wide.test', { failure: { rcode: 2, ttl: 60 } }),
    ],
  }),
).data;
const sources = { ...zonesAlone(tables), wideIps };

const mixedCase = (name: string): string =>
  Array.from(name, (letter) => (random.chance(50) ? letter.toUpperCase() : letter.toLowerCase())).join('');

/** An EDNS option that is there to fill a message (RFC 7830). */
function padded(octets: number): Uint8Array {
  const query = Buffer.from(queryOf({ name: `many.${first.origin}`, type: 'A', edns: { udpPayloadSize: 4096 } }));
  const padding = Buffer.alloc(octets - query.length);
  padding.writeUInt16BE(12, 0);
  padding.writeUInt16BE(padding.length - 4, 2);
  const whole = Buffer.concat([query, padding]);
  whole.writeUInt16BE(padding.length, query.length - 2);
  return whole;
}

function damaged(query: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(query);
  const kind = random.below(3);
  if (kind === 0) return copy.subarray(0, random.below(copy.length));
  const changes = 1 + random.below(3);
  for (let change = 0; change < changes; change++) copy[random.below(copy.length)] = random.below(256);
  return copy;
}

const question = (): Uint8Array => {
  const { name, type } = randomQuestion(random, random.pick(zones));
  const udpPayloadSize = random.pick([0, 512, 1232, 1400, 4096, 65_535]);
  const edns = random.chance(60) ? { edns: { udpPayloadSize, flags: random.chance(30) ? 0x8000 : 0 } } : {};
  return queryOf({ name: mixedCase(name), type, ...edns });
};

/** Questions of CASES that are larger than the ring takes. */
const LARGE = 4;
const CASES: Record<string, Uint8Array[]> = {
  'with and without EDNS': Array.from({ length: QUESTIONS }, question),
  'of names and types that are not there': [
    queryOf({ name: `nobody.${first.origin}`, type: 'A' }),
    queryOf({ name: 'elsewhere.example', type: 'A', edns: {} }),
    queryOf({ name: 'version.bind', type: 'TXT', class: 'CH' }),
    queryOf({ name: first.origin, type: 'AXFR' }),
  ],
  'whose replies are cut': [512, 600, 1231, 1232, 4096].flatMap((udpPayloadSize) =>
    ['many', 'some'].flatMap((host) => [
      queryOf({ name: `${host}.${first.origin}`, type: 'A', edns: { udpPayloadSize } }),
      queryOf({ name: `${host}.${first.origin}`, type: 'A' }),
    ]),
  ),
  'of every size, also larger than the ring takes': [60, 128, 468, 890, 891, 892, 893, 900, 1200, 1400].map(padded),
  'for wide IPs': [
    ...['global-availability', 'static-persistence', 'drop-packet', 'return-to-dns', 'alias', 'failed', 'none'],
  ].flatMap((host) =>
    ['A', 'AAAA', 'CNAME'].flatMap((type) => [
      queryOf({ name: mixedCase(`${host}.wide.test`), type }),
      queryOf({ name: mixedCase(`${host}.like.test`), type, edns: {} }),
    ]),
  ),
  'that are damaged': Array.from({ length: QUESTIONS }, () => damaged(question())),
  'of a few octets': Array.from({ length: 16 }, (_, octets) => question().subarray(0, octets)),
};

let sockets: OneListener[] = [];
let bySockets: Record<string, string[][]> = {};
const rules = makeRules();
const responder = { unhandled: 'reject', udpOctets: UDP_OCTETS, nsid: Buffer.from('lab') } as const;

async function askAll(): Promise<Record<string, string[][]>> {
  const answers: Record<string, string[][]> = {};
  for (const address of SERVER_ADDRESSES) {
    for (const [name, queries] of Object.entries(CASES)) {
      answers[`${address} ${name}`] = await askFromClient(address, queries);
    }
  }
  return answers;
}

const sum = (counts: Float64Array): number => counts.reduce((total, count) => total + count, 0);
const taken = (): number => sockets.reduce((total, { outcomes }) => total + sum(outcomes), 0);

before(async () => {
  makePair();
  sockets = await startSockets(responder, sources);
  bySockets = await askAll();
});
after(async () => {
  for (const engine of sockets) await engine.stop();
});

for (const form of FORMS) {
  describe(`an engine on sockets and one on a device by ${form}`, () => {
    let ring: RingEngine | undefined;
    let byRing: Record<string, string[][]> = {};
    let socketsBefore = 0;

    before(async () => {
      ring = await startRing(form, responder, sources);
      await rules.set('dnsd', rulesOf(form));
      socketsBefore = taken();
      byRing = await askAll();
    });
    after(async () => {
      await rules.removeAll();
      await ring?.stop();
    });

    for (const address of SERVER_ADDRESSES) {
      for (const name of Object.keys(CASES)) {
        it(`answer alike at ${address}: questions ${name}`, () => {
          const key = `${address} ${name}`;
          assert.ok(bySockets[key]!.some((replies) => replies.length === 1));
          assert.deepEqual(byRing[key], bySockets[key]);
        });
      }
    }

    it('answer each question once', () => {
      for (const answers of Object.values(byRing)) assert.ok(answers.every((replies) => replies.length <= 1));
    });

    it('share the questions: only the large ones go to sockets', () => {
      // Two counts a question: what became of it, and that its reply was cut.
      assert.equal(taken() - socketsBefore, 2 * SERVER_ADDRESSES.length * LARGE);
    });

    it('have every frame in the books', () => {
      const { frameCounts, losses } = ring!;
      const all = Object.values(CASES).flat();
      assert.equal(sum(frameCounts), SERVER_ADDRESSES.length * (all.length - LARGE));
      const answered = Object.values(byRing).flat().flat().length;
      assert.equal(frameCounts[FrameOutcome.answered]! + SERVER_ADDRESSES.length * LARGE, answered);
      assert.equal(frameCounts[FrameOutcome.headerInvalid]! + frameCounts[FrameOutcome.checksumInvalid]!, 0);
      assert.deepEqual([...losses], [0, 0]);
    });
  });
}
