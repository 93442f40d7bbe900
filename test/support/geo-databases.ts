// Databases of places as MaxMind's writer makes them, and what MaxMind's reader finds in them.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
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
  return readFileSync(file);
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
