// Response rate limiting against that of named and Knot: the same flood at each of the three, in the network namespace of the test.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { describe, it } from 'node:test';
import { Outcome } from '../../src/dns/outcome.ts';
import { buildZoneTable } from '../../src/dns/zone-builder.ts';
import { NameServer } from '../support/dns-peers.ts';
import { OneListener } from '../support/dns-engine.ts';
import type { TestZone } from '../support/dns-zones.ts';
import { queryOf, type TestRecord, zoneOf } from '../support/dns.ts';

const LIMIT = { perSecond: 20, slip: 2 };
const QUERIES = 3000;
const A_MILLISECOND = 1;
const ns = 'ns.flood.test';
const soa = { mname: ns, rname: ns, serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 60 };
const records: TestRecord[] = [
  { type: 'SOA', name: 'flood.test', ttl: 60, data: soa },
  { type: 'NS', name: 'flood.test', ttl: 60, data: ns },
  { type: 'A', name: ns, ttl: 60, data: '192.0.2.1' },
  { type: 'A', name: 'www.flood.test', ttl: 60, data: '192.0.2.80' },
  { type: 'A', name: '*.wild.flood.test', ttl: 60, data: '192.0.2.81' },
];
const zone: TestZone = { origin: 'flood.test', records };

const FLOODS = {
  'one name': () => 'www.flood.test',
  'names that do not exist': (index: number) => `no${index}.flood.test`,
  'names of a wildcard': (index: number) => `any${index}.wild.flood.test`,
};

type Seen = { full: number; truncated: number; seconds: number };

/** What comes back of a thousand queries a second, for three seconds. */
async function flood(port: number, name: (index: number) => string): Promise<Seen> {
  const socket = createSocket('udp4');
  const seen: Seen = { full: 0, truncated: 0, seconds: 0 };
  socket.on('message', (reply) => seen[(reply[2]! & 2) === 0 ? 'full' : 'truncated']++);
  const start = performance.now();
  for (let index = 0; index < QUERIES;) {
    const due = Math.min(QUERIES, Math.floor((performance.now() - start) / A_MILLISECOND));
    for (; index < due; index++) socket.send(queryOf({ name: name(index), type: 'A' }), port, '127.0.0.1');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
  seen.seconds = (performance.now() - start) / 1000;
  socket.close();
  return seen;
}

const isAlike = (a: number, b: number, factor: number): boolean => a <= b * factor && b <= a * factor;

describe('a flood from one address', () => {
  for (const [what, name] of Object.entries(FLOODS)) {
    it(`of ${what} gets of us what it gets of named and Knot`, async () => {
      const engine = new OneListener();
      const rateLimit = { ...LIMIT, ipv4Prefix: 24, ipv6Prefix: 56 };
      const peers = [await NameServer.named([zone], 5321, LIMIT), await NameServer.knot([zone], 5322, LIMIT)];
      await engine.serve(
        { family: 4, address: '127.0.0.1', port: 5320 },
        { unhandled: 'reject', udpOctets: 1232, rateLimit },
        [buildZoneTable(zoneOf('flood.test', records))],
      );
      const [ours, named, knot] = await Promise.all([5320, 5321, 5322].map((port) => flood(port, name)));
      console.log(
        `${what}: ours ${JSON.stringify(ours)}, named ${JSON.stringify(named)}, Knot ${JSON.stringify(knot)}`,
      );
      await Promise.all([engine.stop(), ...peers.map((peer) => peer.stop())]);
      const { counts } = engine;
      const passed = counts[Outcome.zone]! - counts[Outcome.rateLimited]! - counts[Outcome.slipped]!;
      // Of each second that the flood lasts, the first and the last being parts of one, as many as the rate.
      const most = (Math.floor(ours!.seconds) + 2) * LIMIT.perSecond;
      assert.ok(passed >= 3 * LIMIT.perSecond && passed <= most, `${passed} answers in ${ours!.seconds} s`);
      assert.ok(ours!.full <= passed && ours!.truncated <= counts[Outcome.slipped]!);
      assert.equal(counts[Outcome.slipped], counts[Outcome.truncated]);
      for (const theirs of [named!, knot!]) {
        assert.ok(isAlike(ours!.full, theirs.full, 10), `${ours!.full} and ${theirs.full} answers`);
        assert.ok(isAlike(ours!.truncated, theirs.truncated, 2), `${ours!.truncated} and ${theirs.truncated}`);
      }
    });
  }
});
