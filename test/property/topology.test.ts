// The scorer against the rules written out: records are sorted, and the first that matches counts.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { compileTopology } from '../../src/gtm/compile-topology.ts';
import { TOPOLOGY_KINDS } from '../../src/gtm/description.ts';
import type { Region, TopologyRecord, TopologyStatement } from '../../src/gtm/description.ts';
import { GeoDatabase } from '../../src/gtm/geo-database.ts';
import { TopologyScorer } from '../../src/gtm/topology-scorer.ts';
import type { TopologySubject } from '../../src/gtm/topology-tables.ts';
import { writeGeoDatabase, type WrittenValue } from '../support/geo-databases.ts';

type Facts = { continent?: string; country?: string; state?: string; isp?: string };
/** Of a client, or of a member. */
type Thing = { address?: Uint8Array; datacenter?: string; pool?: string };
type World = { regions: readonly Region[]; topology: readonly TopologyRecord[]; longestMatch: boolean };

/** What two databases know: networks that are apart, of /16 and /32. What the first one says counts. */
const PLACES: Record<string, Facts> = {
  '10.0': { continent: 'NA', country: 'US', state: 'US/Washington' },
  '10.1': { continent: 'NA', country: 'US', state: 'US/Oregon' },
  '10.2': { continent: 'EU', country: 'DE', state: 'DE/Bayern' },
  '10.3': { continent: 'EU', country: 'FR' },
  '10.4': { continent: 'EU', isp: 'Beispiel' },
  '2400:1': { continent: 'NA', country: 'US', state: 'US/Washington' },
  '2400:2': { continent: 'EU', country: 'DE' },
};
const PROVIDERS: Record<string, Facts> = {
  '10.0': { isp: 'Example Net', country: 'JP' },
  '10.4': { country: 'JP' },
  '10.2': { isp: 'Beispiel' },
  '10.5': { isp: 'Example Net' },
  '2400:2': { isp: 'Example Net' },
};

const networkOf = (octets: Uint8Array): string =>
  octets.length === 4
    ? `${octets[0]}.${octets[1]}`
    : `${((octets[0]! << 8) | octets[1]!).toString(16)}:${((octets[2]! << 8) | octets[3]!).toString(16)}`;

// The rules. ---------------------------------------------------------------------------------------------------------

const SPECIFIC_FIRST = [
  ['subnet'],
  ['datacenter', 'pool'],
  ['region'],
  ['isp', 'geoip-isp'],
  ['state'],
  ['country'],
  ['continent'],
];

const maskOf = ({ kind, value }: TopologyStatement): number => (kind === 'subnet' ? Number(value.split('/')[1]) : 0);

function sortKeys(record: TopologyRecord, position: number): number[] {
  const { ldns, server, score, order } = record;
  const isWildcard = [ldns, server].some(
    ({ kind, value, isNegated }) => kind === 'subnet' && value.endsWith('/0') && !isNegated,
  );
  const bucket = isWildcard ? 3 : ldns.isNegated ? 2 : server.isNegated ? 1 : 0;
  const kindOf = ({ kind }: TopologyStatement): number => SPECIFIC_FIRST.findIndex((kinds) => kinds.includes(kind));
  return [bucket, kindOf(ldns), -maskOf(ldns), kindOf(server), -maskOf(server), -score, order, position];
}

function sorted({ topology, longestMatch }: World): TopologyRecord[] {
  const keyed = topology.map((record, position) => ({
    record,
    keys: longestMatch ? sortKeys(record, position) : [record.order, position],
  }));
  keyed.sort((a, b) => {
    const index = a.keys.findIndex((key, at) => key !== b.keys[at]);
    return index < 0 ? 0 : a.keys[index]! - b.keys[index]!;
  });
  return keyed.map(({ record }) => record);
}

const bitsOf = (octets: Iterable<number>): string =>
  [...octets].map((octet) => octet.toString(2).padStart(8, '0')).join('');

function subnetHas(value: string, address: Uint8Array | undefined): boolean {
  const [network, length] = value.split('/') as [string, string];
  if (address === undefined || network.includes(':') !== (address.length === 16)) return false;
  return bitsOf(octetsOf(network)).slice(0, Number(length)) === bitsOf(address).slice(0, Number(length));
}

function says(world: World, { kind, value }: TopologyStatement, thing: Thing): boolean {
  const network = thing.address === undefined ? '' : networkOf(thing.address);
  const known: Facts = { ...PROVIDERS[network], ...PLACES[network] };
  const isFact = (fact: string | undefined): boolean => fact?.toLowerCase() === value.toLowerCase();
  switch (kind) {
    case 'subnet':
      return subnetHas(value, thing.address);
    case 'datacenter':
      return thing.datacenter === value;
    case 'pool':
      return thing.pool === value;
    case 'isp':
    case 'geoip-isp':
      return isFact(known.isp);
    case 'region': {
      const region = world.regions.find(({ name }) => name === value);
      if (region === undefined || region.members.length === 0) return false;
      const plain = region.members.filter(({ isNegated }) => !isNegated);
      const negated = region.members.filter(({ isNegated }) => isNegated);
      const isIn = plain.length === 0 || plain.some((member) => says(world, member, thing));
      return isIn && !negated.some((member) => says(world, member, thing));
    }
    default:
      return isFact(known[kind]);
  }
}

/** Things: places of which one is enough. */
const matches = (world: World, statement: TopologyStatement, things: readonly Thing[]): boolean =>
  things.some((thing) => says(world, statement, thing)) !== statement.isNegated;

function thingsOf({ pool, members }: TopologySubject): Thing[] {
  if (members.length === 0) return [{ pool: pool.name }];
  return members.map(({ datacenter, address }) => ({ pool: pool.name, datacenter, address }));
}

// What is tried. -----------------------------------------------------------------------------------------------------

/** Of a plain spelling without `::` but at its end. */
function octetsOf(text: string): Uint8Array {
  if (!text.includes(':')) return Uint8Array.from(text.split('.').map(Number));
  const groups = text
    .split('::')[0]!
    .split(':')
    .filter((group) => group !== '')
    .map((group) => Number.parseInt(group, 16));
  const all = [...groups, ...Array.from({ length: 8 - groups.length }, () => 0)];
  return Uint8Array.from(all.flatMap((group) => [group >>> 8, group & 255]));
}

const fewOctet = fc.constantFrom(0, 1, 2, 128, 255);
const ipv4 = fc
  .tuple(fc.constantFrom(10, 10, 10, 11, 0, 255), fc.integer({ min: 0, max: 6 }), fewOctet, fewOctet)
  .map((octets) => octets.join('.'));
const ipv6 = fc
  .tuple(fc.constantFrom('2400', '2400', 'ffff', '0'), fc.constantFrom('1', '2', '3'), fc.constantFrom('0', '1', 'ff'))
  .map((groups) => `${groups.join(':')}::`);
const subnet = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(ipv4, fc.constantFrom(1, 7, 8, 15, 16, 17, 24, 31, 32)) },
  { weight: 2, arbitrary: fc.tuple(ipv6, fc.constantFrom(1, 16, 31, 32, 33, 48, 127, 128)) },
  { weight: 1, arbitrary: fc.constantFrom(['0.0.0.0', 0] as const, ['::', 0] as const) },
);
const REGIONS = Array.from({ length: 5 }, (_, index) => `/Common/r${index}`);
const VALUES: Record<Exclude<TopologyStatement['kind'], 'subnet' | 'region'>, string[]> = {
  datacenter: ['/Common/east', '/Common/west', '/Common/nowhere'],
  pool: ['/Common/p', '/Common/q'],
  isp: ['Example Net', 'beispiel', 'nobody'],
  'geoip-isp': ['example net'],
  country: ['US', 'DE', 'FR', 'JP'],
  state: ['US/Washington', 'US/Oregon', 'DE/Bayern'],
  continent: ['NA', 'EU', 'AS'],
};

/** With regions that stand before one in their list only, so that there are no circles. */
const statement = (regions: readonly string[]): fc.Arbitrary<TopologyStatement> =>
  fc.constantFrom(...TOPOLOGY_KINDS, 'subnet' as const, 'subnet' as const, 'region' as const).chain((kind) => {
    const value =
      kind === 'subnet'
        ? subnet.map((parts) => parts.join('/'))
        : fc.constantFrom(...(kind === 'region' ? [...regions, '/Common/missing'] : VALUES[kind]));
    return fc.record({ kind: fc.constant(kind), value, isNegated: fc.nat(3).map((number) => number === 0) });
  });

const regions = fc
  .tuple(...REGIONS.map((_, index) => fc.array(statement(REGIONS.slice(0, index)), { maxLength: 5 })))
  .chain((all) =>
    fc.shuffledSubarray(
      all.map((members, index) => ({ name: REGIONS[index]!, members })),
      { minLength: 5 },
    ),
  );

const records = fc
  .array(
    fc.record({
      ldns: statement(REGIONS),
      server: statement(REGIONS),
      score: fc.constantFrom(0, 1, 2, 10, 100),
      order: fc.nat(3),
    }),
    { maxLength: 24 },
  )
  .map((all) => all.map((record, index) => ({ ...record, name: `record ${index}` })));

const address = fc.oneof({ weight: 3, arbitrary: ipv4 }, { weight: 1, arbitrary: ipv6 }).map(octetsOf);
const subject = fc.record({
  pool: fc.constantFrom(...VALUES.pool).map((name) => ({ type: 'a' as const, name })),
  members: fc.array(fc.record({ datacenter: fc.constantFrom('/Common/east', '/Common/west'), address }), {
    maxLength: 3,
  }),
});

const world = fc.record({ regions, topology: records, longestMatch: fc.nat(3).map((number) => number > 0) });

function databases(): GeoDatabase[] {
  const directory = mkdtempSync(join(tmpdir(), 'topology-'));
  const write = (databaseType: string, known: Record<string, Facts>) => {
    const records = Object.entries(known).map(
      ([network, facts]) =>
        [network.includes(':') ? `${network}::/32` : `::${network}.0.0/112`, valueOf(facts)] as const,
    );
    const database = { ipVersion: 6, recordSize: 28, databaseType, aliases: false, records } as const;
    return new GeoDatabase(writeGeoDatabase(join(directory, databaseType), database));
  };
  const valueOf = ({ continent, country, state, isp }: Facts): WrittenValue => ({
    ...(continent === undefined ? {} : { continent: { code: continent } }),
    ...(country === undefined ? {} : { country: { iso_code: country } }),
    ...(state === undefined ? {} : { subdivisions: [{ names: { en: state.split('/')[1]! } }] }),
    ...(isp === undefined ? {} : { isp }),
  });
  const all = [write('City', PLACES), write('ISP', PROVIDERS)];
  rmSync(directory, { recursive: true });
  return all;
}

describe('topology', () => {
  let geo: GeoDatabase[];
  before(() => (geo = databases()));

  // With next to no memory everything is forgotten all the time.
  for (const [name, memory, seed] of [
    ['much', undefined, 1],
    ['little', { lines: 4, places: 2 }, 2],
  ] as const) {
    it(`scores as the rules say it, with ${name} memory`, () => {
      fc.assert(
        fc.property(
          world,
          fc.array(subject, { minLength: 1, maxLength: 6 }),
          fc.array(address, { minLength: 1, maxLength: 12 }),
          (given, subjects, clients) => {
            const tables = compileTopology(given, subjects);
            const scorer = new TopologyScorer(tables, geo, memory);
            const inOrder = sorted(given);
            // Twice: as it is found out, and as it is remembered.
            for (const client of [...clients, ...clients]) {
              const topologyClass = scorer.classOf(Uint8Array.of(9, ...client), 1, client.length);
              const matching = inOrder.filter(({ ldns }) => matches(given, ldns, [{ address: client }]));
              for (const [index, each] of subjects.entries()) {
                const expected = matching.find(({ server }) => matches(given, server, thingsOf(each)));
                const found = scorer.recordOf(topologyClass, index);
                assert.equal(found < 0 ? undefined : tables.records[found], expected?.name);
                assert.equal(scorer.score(topologyClass, index), expected?.score ?? -1);
              }
            }
          },
        ),
        { numRuns: 3000, seed },
      );
    });
  }
});
