import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GeoDatabase } from '../../../src/gtm/geo-database.ts';

const TEXT = 2;
const UINT16 = 5;
const UINT32 = 6;
const MAP = 7;

const ascii = (text: string): number[] => [...Buffer.from(text)];
const text = (of: string): number[] => [(TEXT << 5) | of.length, ...ascii(of)];
const number = (type: number, ...octets: number[]): number[] => [(type << 5) | octets.length, ...octets];
const map = (...entries: number[][]): number[] => [(MAP << 5) | (entries.length / 2), ...entries.flat()];
const pointer = (to: number): number[] => [0x20 | (to >>> 8), to & 255];
const uint64 = (...octets: number[]): number[] => [octets.length, 2, ...octets];

const FIELDS: Record<string, number[]> = {
  binary_format_major_version: number(UINT16, 2),
  ip_version: number(UINT16, 4),
  record_size: number(UINT16, 24),
  node_count: number(UINT32, 1),
  database_type: text('Test'),
  build_epoch: uint64(1, 0),
};

/** One node: what begins with bit 0 has nothing, the rest what stands `at` this offset. */
function fileOf(data: readonly number[], changed: Record<string, number[] | undefined> = {}, at = 0): Uint8Array {
  const fields = Object.entries({ ...FIELDS, ...changed }).flatMap(([name, value]) =>
    value === undefined ? [] : [text(name), value],
  );
  const tree = [0, 0, 1, 0, 0, 1 + 16 + at, ...new Array<number>(16).fill(0)];
  return Uint8Array.from([...tree, ...data, 0xab, 0xcd, 0xef, ...ascii('MaxMind.com'), ...map(...fields)]);
}

const ABOVE = Uint8Array.of(128, 0, 0, 0);
const BELOW = Uint8Array.of(127, 255, 255, 255);

function valueOf(data: readonly number[], at = 0): unknown {
  const database = new GeoDatabase(fileOf(data, {}, at));
  const leaf = database.find(ABOVE, 0, 4);
  assert.equal(leaf, at);
  database.facts(leaf);
  return database.value(leaf);
}

describe('a database of places', () => {
  it('has what it says of itself', () => {
    const { metadata } = new GeoDatabase(fileOf(map()));
    const expected = { databaseType: 'Test', buildEpoch: 256, ipVersion: 4, nodeCount: 1, recordSize: 24 } as const;
    assert.deepEqual(metadata, expected);
  });

  it('knows nothing of other addresses, nor of IPv6 when it has IPv4 only', () => {
    const database = new GeoDatabase(fileOf(map()));
    assert.equal(database.find(BELOW, 0, 4), -1);
    assert.equal(database.find(new Uint8Array(16).fill(255), 0, 16), -1);
  });

  it('that is none, or has no end, is refused with what is wrong', () => {
    const whole = fileOf(map());
    const refused = (octets: Uint8Array, message: RegExp): void =>
      assert.throws(() => new GeoDatabase(octets), { name: 'Error', message });
    refused(new Uint8Array(), /there is no metadata/);
    refused(new Uint8Array(1000), /there is no metadata/);
    refused(whole.subarray(0, whole.length - 1), /the metadata is damaged/);
    refused(whole.subarray(10), /the search tree of 1 nodes needs 22 octets, and there are 13/);
    refused(fileOf(map(), { node_count: number(UINT32, 255, 255, 255, 255) }), /the search tree of 4294967295 nodes/);
    refused(fileOf(map(), { node_count: undefined }), /the metadata has no node_count/);
    refused(fileOf(map(), { record_size: text('24') }), /the metadata has no record_size/);
    refused(fileOf(map(), { record_size: number(UINT16, 20) }), /record_size is 24, 28 or 32, and not 20/);
    refused(fileOf(map(), { ip_version: number(UINT16, 5) }), /ip_version is 4 or 6, and not 5/);
    refused(fileOf(map(), { database_type: undefined }), /the metadata has no database_type/);
    refused(fileOf(map(), { binary_format_major_version: number(UINT16, 3) }), /version 3 of the format is not known/);
  });

  it('has sizes of one to four octets', () => {
    for (const [size, head] of [
      [28, [0x5c]],
      [29, [0x5d, 0]],
      [284, [0x5d, 255]],
      [285, [0x5e, 0, 0]],
      [65_820, [0x5e, 255, 255]],
      [65_821, [0x5f, 0, 0, 0]],
    ] as const) {
      assert.equal(valueOf([...head, ...new Array<number>(size).fill(0x61)]), 'a'.repeat(size));
    }
  });

  it('has pointers of one to four octets', () => {
    for (const [to, head] of [
      [5, [0x20, 5]],
      [2047, [0x27, 255]],
      [2048, [0x28, 0, 0]],
      [526_335, [0x2f, 255, 255]],
      [526_336, [0x30, 0, 0, 0]],
      [5, [0x38, 0, 0, 0, 5]],
    ] as const) {
      const data = [...head, ...new Array<number>(to - head.length).fill(0), ...text('there')];
      assert.equal(valueOf(data), 'there', String(to));
    }
  });

  it('that points to a pointer, to itself, or to where nothing is, says nothing', () => {
    assert.equal(valueOf([...pointer(2), ...pointer(4), ...text('a')]), undefined);
    assert.equal(valueOf(pointer(0)), undefined);
    assert.equal(valueOf(pointer(2000)), undefined);
    assert.equal(valueOf(map(text('a'), pointer(0))), undefined);
    assert.equal(new GeoDatabase(fileOf(map(), {}, 1)).find(ABOVE, 0, 4), -1);
  });

  it('that has more in it than anybody writes is not read to its end', () => {
    // Each map has the next one twice: 2 ** 60 values.
    const levels = Array.from({ length: 60 }, (_, level) => {
      const next = pointer((level + 1) * 9);
      return map(text('a'), next, text('b'), next);
    });
    assert.equal(levels[0]!.length, 9);
    assert.equal(valueOf([...levels.flat(), ...map()]), undefined);
    // A map of 16 million entries that ends with the file.
    assert.equal(valueOf([0xff, 255, 255, 255, ...text('a'), ...text('b')]), undefined);
  });

  it('says what it can of a record that is damaged behind that', () => {
    const continent = [...text('continent'), ...map(text('code'), text('EU'))];
    const database = new GeoDatabase(fileOf([(MAP << 5) | 2, ...continent, ...text('country')]));
    const expected = { continent: 'EU', country: undefined, state: undefined, isp: undefined };
    assert.deepEqual(database.facts(database.find(ABOVE, 0, 4)), expected);
  });
});
