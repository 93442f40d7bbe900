// Databases of places as MaxMind's writer makes them, and what MaxMind's reader finds in them.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Random } from '../fuzz/mutator.ts';
import type { GeoValue } from '../../src/gtm/geo-decoder.ts';

const WRITER = fileURLToPath(new URL('../../../test/lib/geo-database.pl', import.meta.url));
/** Between what is printed of one address and of the next. */
const SEPARATOR = '----\n';
const MAX_OUTPUT = 1 << 30;

type Scalar = Exclude<GeoValue, readonly GeoValue[] | ReadonlyMap<string, GeoValue>>;

/** As JSON: the type of a value is said by its key (test/lib/geo-database.pl). */
export type WrittenValue = string | number | WrittenValue[] | { [key: string]: WrittenValue };

export type WrittenDatabase = {
  readonly ipVersion: 4 | 6;
  readonly recordSize: 24 | 28 | 32;
  readonly databaseType: string;
  /** Whether 6to4, Teredo and mapped addresses are those of IPv4. */
  readonly aliases: boolean;
  readonly records: readonly (readonly [network: string, value: WrittenValue])[];
};

export function writeGeoDatabase(file: string, database: WrittenDatabase): Uint8Array {
  execFileSync('perl', [WRITER, file], { input: JSON.stringify(database) });
  return new Uint8Array(readFileSync(file));
}

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

/** Nested networks, many of which have the same value. */
export function randomDatabase(
  random: Random,
  { ipVersion, recordSize, networks }: { ipVersion: 4 | 6; recordSize: 24 | 28 | 32; networks: number },
): WrittenDatabase {
  const octet = (): number => random.below(256);
  const shared = Array.from({ length: Math.ceil(networks / 6) }, () => randomValue(random));
  const records = Array.from({ length: networks }, (): [string, WrittenValue] => {
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

/** What `mmdblookup` prints of each address; an empty text where it finds nothing. */
export function lookUp(file: string, addresses: readonly string[]): string[] {
  const script = `while read -r address; do mmdblookup -f "$0" -i "$address" 2>/dev/null; echo ${SEPARATOR.trim()}; done`;
  const input = addresses.map((address) => `${address}\n`).join('');
  const options = { input, encoding: 'utf8', maxBuffer: MAX_OUTPUT } as const;
  const printed = execFileSync('sh', ['-c', script, file], options).split(SEPARATOR).slice(0, -1);
  return printed.map((text) => text.trim());
}

/** A value as `mmdblookup` prints it. */
export function printGeoValue(value: GeoValue, key = 'map', indentation = '  '): string {
  const nested = `${indentation}  `;
  if (value instanceof Map) {
    const entries = [...(value as ReadonlyMap<string, GeoValue>)].map(
      ([name, entry]) => `${nested}"${name}": \n${printGeoValue(entry, name, `${nested}  `)}`,
    );
    return `${indentation}{\n${entries.join('')}${indentation}}\n`;
  }
  if (Array.isArray(value)) {
    const type = key.startsWith('array_') ? key.slice('array_'.length) : 'map';
    const elements = (value as readonly GeoValue[]).map((element) => printGeoValue(element, type, nested));
    return `${indentation}[\n${elements.join('')}${indentation}]\n`;
  }
  return `${indentation}${printScalar(value as Scalar, key)}\n`;
}

function printScalar(value: Scalar, key: string): string {
  if (typeof value === 'string') return `"${value}" <utf8_string>`;
  if (value instanceof Uint8Array) return `${Buffer.from(value).toString('hex').toUpperCase()} <bytes>`;
  const type = /^(uint16|uint32|uint64|uint128|int32|double|float|boolean)/.exec(key)?.[0];
  if (type === undefined) throw new Error(`${key} has no number`);
  if (type === 'uint128') return `0x${value.toString(16).toUpperCase().padStart(32, '0')} <uint128>`;
  if (type === 'double' || type === 'float') return `${(value as number).toFixed(6)} <${type}>`;
  return `${String(value)} <${type}>`;
}
