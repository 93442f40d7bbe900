// beside others
// Topology against the maps of gdnsd: both have the same database of places and the same preferences, and send the same client
// subnets to the same datacenters.
// time-out: 300 s

import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { addressOctets, formatAddressOctets, parsePrefix } from '../../src/core/address.ts';
import { compileTopology } from '../../src/gtm/compile-topology.ts';
import type { TopologyKind, TopologyRecord } from '../../src/gtm/description.ts';
import { GeoDatabase } from '../../src/gtm/geo-database.ts';
import { TopologyScorer } from '../../src/gtm/topology-scorer.ts';
import { Random } from '../fuzz/mutator.ts';
import { ask } from '../support/dns-peers.ts';
import { queryOf } from '../support/dns.ts';
import { writeGeoDatabase } from '../support/geo-databases.ts';

const PORT = 5399;
const ZONE = 'example.test';
const MAPS = 6;
const CLIENTS = 1000;
const DATACENTERS = ['dc0', 'dc1', 'dc2', 'dc3'];
/** By continent and country: states with their codes. */
const WORLD: Record<string, Record<string, Record<string, string>>> = {
  NA: { US: { WA: 'Washington', OR: 'Oregon' }, CA: { QC: 'Quebec' } },
  EU: { DE: { BY: 'Bavaria', HE: 'Hesse' }, FR: {}, CZ: {} },
  AS: { JP: {} },
};

/** What is preferred where: as in topology, the more specific first. */
type Preference = { readonly kind: TopologyKind; readonly value: string; readonly datacenter: string };

const random = new Random(20_261_131);

function randomPlaces(): [string, Record<string, string | object>][] {
  const octet = (): number => random.below(256);
  return Array.from({ length: 300 }, () => {
    const continent = random.pick(Object.keys(WORLD));
    const country = random.pick(Object.keys(WORLD[continent]!));
    const state = random.pick(['', ...Object.keys(WORLD[continent]![country]!)]);
    const place = {
      continent: { code: continent },
      ...(random.chance(10) ? {} : { country: { iso_code: country } }),
      ...(state === ''
        ? {}
        : { subdivisions: [{ iso_code: state, names: { en: WORLD[continent]![country]![state]! } }] }),
    };
    const network = random.chance(70)
      ? `::${random.pick([20, 21, 60])}.${octet()}.${octet()}.0/${96 + 8 + random.below(17)}`
      : `2400:${octet().toString(16)}:${octet().toString(16)}::/${20 + random.below(29)}`;
    return [network, place];
  });
}

function randomNets(): string[] {
  const octet = (): number => random.below(256);
  const ipv4 = Array.from(
    { length: 12 },
    () => `${random.pick([20, 21])}.${octet()}.${octet()}.0/${9 + random.below(16)}`,
  );
  const ipv6 = Array.from({ length: 6 }, () => `2400:${octet().toString(16)}::/${20 + random.below(13)}`);
  // As gdnsd wants them: without bits of hosts, and each of them once.
  const networks = [...ipv4, ...ipv6].map((text) => {
    const { address, length } = parsePrefix(text)!;
    const octets = addressOctets(address).map(
      (each, index) => each & ~(0xff >>> Math.min(8, Math.max(0, length - index * 8))),
    );
    return `${formatAddressOctets(octets)}/${length}`;
  });
  return [...new Set(networks)];
}

type Written = { readonly preferences: Preference[]; readonly map: string };

/** Random preferences, and the same as a map of gdnsd. */
function randomMap(file: string): Written {
  const preferences: Preference[] = [];
  const prefer = (kind: TopologyKind, value: string): string => {
    const datacenter = random.pick(DATACENTERS);
    preferences.push({ kind, value, datacenter });
    return `[${datacenter}]`;
  };
  const everywhere = prefer('subnet', '0.0.0.0/0');
  preferences.push({ ...preferences[0]!, value: '::/0' });
  const continents = Object.entries(WORLD).filter(() => random.chance(80));
  const text = continents.map(([continent, countries]) => {
    const inside = Object.entries(countries)
      .filter(() => random.chance(70))
      .map(([country, states]) => {
        const parts = Object.entries(states)
          .filter(() => random.chance(70))
          .map(([code, name]) => `${code} => ${prefer('state', `${country}/${name}`)}`);
        if (random.chance(70)) parts.push(`default => ${prefer('country', country)}`);
        return `${country} => { ${parts.join(', ')} }`;
      });
    if (random.chance(70)) inside.push(`default => ${prefer('continent', continent)}`);
    return `${continent} => { ${inside.join(', ')} }`;
  });
  const nets = randomNets().map((network) => `${network} => ${prefer('subnet', network)}`);
  const map = `geoip2_db => ${file}, datacenters => [${DATACENTERS.join(', ')}], map => { default => ${everywhere}, ${text.join(', ')} }, nets => { ${nets.join(', ')} }`;
  return { preferences, map };
}

/** A preferred datacenter is worth 1 to who is there, and the others nothing. */
function recordsOf({ preferences }: Written): TopologyRecord[] {
  return preferences.flatMap(({ kind, value, datacenter }) =>
    DATACENTERS.map((each) => ({
      name: `${kind} ${value} ${each}`,
      ldns: { isNegated: false, kind, value },
      server: { isNegated: false, kind: 'datacenter' as const, value: each },
      score: each === datacenter ? 1 : 0,
      order: 0,
    })),
  );
}

const addressOf = (datacenter: number): Uint8Array => Uint8Array.of(192, 0, 2, datacenter + 1);

/** The query with the client subnet of RFC 7871, whole. */
function withSubnet(query: Uint8Array, octets: Uint8Array): Uint8Array {
  const subnet = [0, octets.length === 4 ? 1 : 2, octets.length * 8, 0, ...octets];
  const option = [0, 8, 0, subnet.length, ...subnet];
  const all = Uint8Array.from([...query, 0, 0, 41, 16, 0, 0, 0, 0, 0, 0, option.length, ...option]);
  // One additional record.
  all[11] = 1;
  return all;
}

function randomClients(networks: readonly string[]): Uint8Array[] {
  return Array.from({ length: CLIENTS }, () => {
    const { address, length } = parsePrefix(random.pick(networks))!;
    const octets = addressOctets(address).slice();
    for (let bit = length - random.pick([0, 0, 0, 1]); bit < octets.length * 8; bit++) {
      octets[bit >>> 3]! ^= random.below(2) === 0 ? 0 : 0x80 >>> (bit & 7);
    }
    const isIpv4 = octets.length === 16 && octets.subarray(0, 12).every((octet) => octet === 0);
    return isIpv4 ? octets.subarray(12) : octets;
  });
}

const directory = mkdtempSync(join(tmpdir(), 'gdnsd-'));
const file = join(directory, 'places.mmdb');
const places = randomPlaces();
const maps = Array.from({ length: MAPS }, () => randomMap(file));
let gdnsd: ChildProcess;
let log = '';

before(async () => {
  const records = places as [string, Record<string, never>][];
  writeGeoDatabase(file, { ipVersion: 6, recordSize: 28, databaseType: 'GeoLite2-City', aliases: false, records });
  for (const name of ['zones', 'run']) mkdirSync(join(directory, name));
  const dcmap = DATACENTERS.map((name, index) => `${name} => ${addressOf(index).join('.')}`).join(', ');
  const all = maps.map(({ map }, index) => `m${index} => { ${map} }`);
  const resources = maps.map(
    (_, index) => `r${index} => { map => m${index}, service_types => up, dcmap => { ${dcmap} } }`,
  );
  writeFileSync(
    join(directory, 'config'),
    `options => { listen => 127.0.0.1:${PORT}, udp_threads => 1, tcp_threads => 1, run_dir => ${directory}/run, state_dir => ${directory}/run }\n` +
      `service_types => { }\nplugins => { geoip => { maps => { ${all.join(',\n')} }, resources => { ${resources.join(',\n')} } } }\n`,
  );
  const names = maps.map((_, index) => `w${index} 60 DYNA geoip!r${index}\n`);
  writeFileSync(
    join(directory, 'zones', ZONE),
    `@ 60 SOA ns host 1 7200 600 86400 300\n@ 60 NS ns\nns 60 A 127.0.0.1\n${names.join('')}`,
  );
  gdnsd = spawn('gdnsd', ['-c', directory, '-x', 'start'], { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [gdnsd.stdout!, gdnsd.stderr!]) stream.on('data', (text: Buffer) => (log += text.toString()));
  const deadline = performance.now() + 30_000;
  for (;;) {
    const [answer] = await ask(PORT, [queryOf({ name: ZONE, type: 'SOA' })], 500);
    if (answer !== undefined) break;
    if (gdnsd.exitCode !== null || performance.now() > deadline) throw new Error(`gdnsd does not answer: ${log}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

after(async () => {
  const ended = new Promise((resolve) => gdnsd.once('exit', resolve));
  if (gdnsd.exitCode === null && gdnsd.kill('SIGTERM')) await ended;
  rmSync(directory, { recursive: true });
});

for (const [index, written] of maps.entries()) {
  it(`map ${index} of gdnsd sends ${CLIENTS} client subnets where topology sends them`, async () => {
    const subjects = DATACENTERS.map((datacenter, number) => ({
      pool: { type: 'a' as const, name: '/Common/p' },
      members: [{ datacenter, address: addressOf(number) }],
    }));
    const tables = compileTopology({ regions: [], topology: recordsOf(written), longestMatch: true }, subjects);
    const scorer = new TopologyScorer(tables, [new GeoDatabase(new Uint8Array(readFileSync(file)))]);
    const nets = written.preferences.filter(({ kind }) => kind === 'subnet').map(({ value }) => value);
    const clients = randomClients([...places.map(([network]) => network), ...nets]);
    const query = queryOf({ name: `w${index}.${ZONE}`, type: 'A' });
    const answers = await ask(
      PORT,
      clients.map((client) => withSubnet(query, client)),
    );
    const used = new Set<number>();
    for (const [number, client] of clients.entries()) {
      const topologyClass = scorer.classOf(client, 0, client.length);
      const best = subjects.findIndex((_, subject) => scorer.score(topologyClass, subject) === 1);
      used.add(best);
      const answer = answers[number]!;
      // One record, whose address is in front of OPT with the subnet.
      assert.equal(answer[7], 1, formatAddressOctets(client));
      const address = answer.subarray(query.length + 12, query.length + 16);
      assert.deepEqual([...address], [...addressOf(best)], formatAddressOctets(client));
    }
    assert.ok(used.size > 1);
  });
}
