// Names of existing objects and keys of existing records, as offers. Nothing is copied or sorted but what is listed:
// a configuration may have thousands of tunnels, and a forwarding database a million stations.

import type { Configuration } from '../config/configuration.ts';
import { relativeName } from '../config/name.ts';
import { findObjectType } from '../config/object-types.ts';
import type { RecordTable } from '../config/record-table.ts';
import type { Properties } from '../config/value.ts';
import { formatMacNumbers } from '../core/mac.ts';
import { LISTED_OFFERS } from './completion.ts';
import type { OfferCollector } from './completion.ts';

/**
 * The objects of these types, as one writes their names in `folder`: a word that starts with a slash goes on to full paths.
 * `isOffered` may leave some out.
 */
export function offerObjects(
  into: OfferCollector,
  configuration: Configuration,
  types: readonly string[],
  folder: string,
  isOffered: (name: string) => boolean = () => true,
): void {
  for (const path of types) {
    const type = findObjectType(path);
    if (type === undefined || type.naming === 'singleton') continue;
    into.addNames(
      type.label === '' ? path : `${type.label} names`,
      names(configuration, path, folder, into.prefix, isOffered),
      () => '',
    );
  }
}

function* names(
  configuration: Configuration,
  path: string,
  folder: string,
  prefix: string,
  isOffered: (name: string) => boolean,
): Generator<string> {
  const isFull = prefix.startsWith('/');
  for (const { type, name } of configuration.objects.values()) {
    if (type === path && isOffered(name)) yield isFull ? name : relativeName(name, folder);
  }
}

/** Keys of a table of records by MAC address. */
export function offerTableKeys(into: OfferCollector, title: string, table: RecordTable<Properties>): void {
  const chooses = macChooser(into.prefix);
  if (chooses === undefined) return;
  const { high, low } = table.columns;
  const listed: string[] = [];
  let count = 0;
  let first: number | undefined;
  let last: number | undefined;
  const isBefore = (a: number, b: number) =>
    high[a]! < high[b]! || (high[a] === high[b] && low[a]! >>> 0 < low[b]! >>> 0);
  for (let row = 0; row < low.length; row++) {
    if (!chooses(high[row]!, low[row]!)) continue;
    if (listed.length < LISTED_OFFERS) listed.push(formatMacNumbers(high[row]!, low[row]!));
    if (first === undefined || isBefore(row, first)) first = row;
    if (last === undefined || isBefore(last, row)) last = row;
    count++;
  }
  if (first !== undefined && last !== undefined)
    into.addChosen(title, listed, count, table.macAt(first), table.macAt(last));
}

/** Whether a MAC address, in two numbers, starts with what was typed of it; undefined where no canonical one can. */
function macChooser(prefix: string): ((high: number, low: number) => boolean) | undefined {
  if (!/^(?:[0-9a-f]{2}:){0,5}[0-9a-f]{0,2}$/.test(prefix)) return undefined;
  const digits = prefix.replaceAll(':', '');
  const highDigits = Math.min(4, digits.length);
  const lowDigits = digits.length - highDigits;
  const wantedHigh = Number(`0x0${digits.slice(0, highDigits)}`);
  const wantedLow = Number(`0x0${digits.slice(highDigits)}`);
  const highShift = 16 - 4 * highDigits;
  const lowShift = 32 - 4 * lowDigits;
  return (high, low) =>
    high >>> highShift === wantedHigh && (lowDigits === 0 || (low >>> lowShift) >>> 0 === wantedLow);
}
