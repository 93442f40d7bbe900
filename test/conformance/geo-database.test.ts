// Our reader of the MaxMind DB format against MaxMind's: databases of its own writer, each lookup as mmdblookup has it.
// time-out: 600 s

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { addressOctets, formatAddressOctets, parseAddress, parsePrefix } from '../../src/core/address.ts';
import { GeoDatabase } from '../../src/gtm/geo-database.ts';
import { Random } from '../fuzz/mutator.ts';
import {
  lookUp,
  printGeoValue,
  writeGeoDatabase,
  type WrittenDatabase,
  type WrittenValue,
} from '../support/geo-databases.ts';

const NETWORKS = 250;
const ADDRESSES = 700;
const RECORD_SIZES = [24, 28, 32] as const;

const octetsOf = (address: string): Uint8Array => addressOctets(parseAddress(address)!);

/**
 * All types, pointers to what has been written before, and sizes at their borders. The writer cannot write 285 octets, and takes
 * values of two types for one when they are equal.
 */
function randomValue(random: Random, depth = 0): Record<string, WrittenValue> {
  const digits = (octets: number): string => {
    let number = 0n;
    for (let left = random.below(octets + 1); left > 0; left--) number = number * 256n + BigInt(random.below(256));
    return String(number);
  };
  const text = (): string =>
    random.pick(['', 'a', 'Ünïted', 'x'.repeat(28), 'y'.repeat(29), 'z'.repeat(284), 'w'.repeat(286)]);
  const all: Record<string, () => WrittenValue> = {
    ...{
      name: text,
      text_more: text,
      bytes: () => 'b'.repeat(random.below(40)),
      bytes_more: () => 'b'.repeat(random.below(70_000)),
    },
    ...{ uint16: () => random.below(65_536), uint32: () => random.below(2 ** 32), uint64: () => digits(8) },
    ...{ uint128: () => digits(16), int32: () => random.below(2 ** 32) - 2 ** 31, boolean: () => random.below(2) },
    ...{ double: () => random.below(1000) / 8 - 50, float: () => random.below(1000) / 8 + 1 / 16 },
    array_uint32: () => Array.from({ length: random.pick([0, 1, 3, 30, 300]) }, () => random.below(9)),
    array_map: () => (depth > 3 ? [] : Array.from({ length: random.below(3) }, () => randomValue(random, depth + 1))),
    map: () => (depth > 3 ? {} : randomValue(random, depth + 1)),
    map_more: () => ({ map: { map: { map: { name: 'deep' } } } }),
  };
  const kept = Object.entries(all).filter(() => random.chance(depth === 0 ? 70 : 20));
  return Object.fromEntries(kept.map(([key, make]) => [key, key === 'bytes_more' && random.chance(95) ? '' : make()]));
}

function randomDatabase(random: Random, ipVersion: 4 | 6, recordSize: 24 | 28 | 32): WrittenDatabase {
  const octet = (): number => random.below(256);
  const shared = Array.from({ length: 40 }, () => randomValue(random));
  const records = Array.from({ length: NETWORKS }, (): [string, WrittenValue] => {
    const isIpv4 = ipVersion === 4 || random.chance(50);
    const address = isIpv4
      ? `${random.pick([10, 11, 100, 200])}.${octet()}.${random.pick([0, octet()])}.${octet()}`
      : `2400:${random.below(8)}:${octet().toString(16)}::${octet().toString(16)}`;
    const bits = isIpv4 ? 6 + random.below(27) : 20 + random.below(109);
    const network = isIpv4 && ipVersion === 6 ? `::${address}/${96 + bits}` : `${address}/${bits}`;
    return [network, random.pick(shared)];
  });
  return { ipVersion, recordSize, databaseType: 'Test', aliases: ipVersion === 6, records };
}

/** In networks, at both ends of them and next to those, and anywhere. */
function randomAddresses(random: Random, { records, ipVersion }: WrittenDatabase): string[] {
  const addresses: string[] = [];
  while (addresses.length < ADDRESSES) {
    const { address, length } = parsePrefix(random.pick(records)[0])!;
    const octets = addressOctets(address).slice();
    const kind = random.below(5);
    for (let bit = length; bit < octets.length * 8; bit++) {
      const value = kind === 0 ? 0 : kind === 1 ? 1 : random.below(2);
      const mask = 0x80 >>> (bit & 7);
      octets[bit >>> 3] = value === 1 ? octets[bit >>> 3]! | mask : octets[bit >>> 3]! & ~mask;
    }
    if (kind === 3 && length > 0) octets[(length - 1) >>> 3]! ^= 0x80 >>> ((length - 1) & 7);
    const isIpv4 = ipVersion === 4 || octets.subarray(0, 12).every((each) => each === 0);
    if (kind === 4) octets[isIpv4 ? octets.length - 4 : 0] = random.below(256);
    const text = formatAddressOctets(octets);
    const ipv4 = octets.subarray(octets.length - 4).join('.');
    addresses.push(
      isIpv4 ? random.pick([ipv4, ipv4, `::ffff:${ipv4}`, `::${ipv4}`, `2002:${hextets(octets)}::1`]) : text,
    );
  }
  return addresses;
}

function hextets(octets: Uint8Array): string {
  const [a, b, c, d] = octets.subarray(octets.length - 4);
  return `${((a! << 8) | b!).toString(16)}:${((c! << 8) | d!).toString(16)}`;
}

describe('databases of MaxMind::DB::Writer', () => {
  let directory: string;
  before(() => (directory = mkdtempSync(join(tmpdir(), 'geo-'))));
  after(() => rmSync(directory, { recursive: true }));

  for (const ipVersion of [4, 6] as const) {
    for (const recordSize of RECORD_SIZES) {
      it(`of IPv${ipVersion} with records of ${recordSize} bits are read as by mmdblookup`, () => {
        const random = new Random(ipVersion * 100 + recordSize);
        const written = randomDatabase(random, ipVersion, recordSize);
        const file = join(directory, `${ipVersion}-${recordSize}.mmdb`);
        const database = new GeoDatabase(writeGeoDatabase(file, written));
        assert.equal(database.metadata.recordSize, recordSize);
        assert.equal(database.metadata.databaseType, 'Test');
        assert.ok(Math.abs(database.metadata.buildEpoch - Date.now() / 1000) < 3600);
        const addresses = randomAddresses(random, written);
        let found = 0;
        for (const [index, expected] of lookUp(file, addresses).entries()) {
          const octets = octetsOf(addresses[index]!);
          const leaf = database.find(Uint8Array.of(7, ...octets), 1, octets.length);
          const printed = leaf < 0 ? '' : printGeoValue(database.value(leaf)!).trim();
          assert.equal(printed, expected, addresses[index]);
          if (leaf >= 0) found++;
        }
        assert.ok(found > ADDRESSES / 4 && found < ADDRESSES, `${found} found`);
      });
    }
  }

  it('say where an address is, and whose it is', () => {
    const city = {
      continent: { code: 'NA' },
      country: { iso_code: 'US', names: { en: 'United States' } },
      subdivisions: [
        { iso_code: 'WA', names: { en: 'Washington', fr: 'État de Washington' } },
        { names: { en: 'King' } },
      ],
    };
    const places: WrittenDatabase['records'] = [
      ['1.0.0.0/8', city],
      ['2.0.0.0/8', { continent: { code: 'AN' } }],
      ['3.0.0.0/8', { isp: 'Example Net', autonomous_system_organization: 'EXAMPLE' }],
      ['4.0.0.0/8', { autonomous_system_organization: 'EXAMPLE' }],
      ['5.0.0.0/8', { country: { iso_code: 'DE' }, traits: { isp: 'Beispiel' } }],
    ];
    const written = { ipVersion: 4, recordSize: 24, databaseType: 'City', aliases: false, records: places } as const;
    const database = new GeoDatabase(writeGeoDatabase(join(directory, 'facts.mmdb'), written));
    const factsOf = (address: string) => Object.values(database.facts(database.find(octetsOf(address), 0, 4)));
    assert.deepEqual(Object.keys(database.facts(0)), ['continent', 'country', 'state', 'isp']);
    assert.deepEqual(factsOf('1.2.3.4'), ['NA', 'US', 'US/Washington', undefined]);
    assert.deepEqual(factsOf('2.2.3.4'), ['AN', undefined, undefined, undefined]);
    assert.deepEqual(factsOf('3.2.3.4'), [undefined, undefined, undefined, 'Example Net']);
    assert.deepEqual(factsOf('4.2.3.4'), [undefined, undefined, undefined, 'EXAMPLE']);
    assert.deepEqual(factsOf('5.2.3.4'), [undefined, 'DE', undefined, 'Beispiel']);
  });
});
