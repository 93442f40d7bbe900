// beside others
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
  randomDatabase,
  writeGeoDatabase,
  type WrittenDatabase,
} from '../support/geo-databases.ts';

const ADDRESSES = 700;
const RECORD_SIZES = [24, 28, 32] as const;

const octetsOf = (address: string): Uint8Array => addressOctets(parseAddress(address)!);

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
        const written = randomDatabase(random, { ipVersion, recordSize, networks: 250 });
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
