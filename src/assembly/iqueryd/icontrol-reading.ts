// What a BIG-IP's iControl REST says of itself, as the records that a peer over iQuery would send.
//
// Statistics nest as `entries: { URL: { nestedStats: { entries: { key: { value } | { description } } } } }`, to any depth.

import { formatBareAddress, parseAddress } from '../../core/address.ts';
import type { RecordOf } from '../../iquery/messages.ts';

/** Of all virtual servers, and of the machine. */
export const VIRTUALS_PATH = '/mgmt/tm/ltm/virtual/stats';
export const HOST_PATH = '/mgmt/tm/sys/host-info';

const AVAILABILITIES = ['available', 'unavailable', 'offline', 'unknown'] as const;
const STATES = ['enabled', 'disabled', 'disabled-by-parent'] as const;
const BITS_PER_KILOBYTE = 8000;
const OCTETS_PER_KILOBYTE = 1000;
const MOST_DEPTH = 8;
const MOST_TEXT = 512;

type Entries = Readonly<Record<string, unknown>>;

/** What counters of a virtual server said at a time. */
export type VirtualCounters = { readonly at: number; readonly bits: number; readonly packets: number };

export type ReadVirtual = {
  readonly record: RecordOf<'vs'>;
  readonly counters: VirtualCounters;
};

/**
 * Virtual servers with an address in the default route domain and a port. `before`: what was read last, by name; `now` in milliseconds
 * since 1970. What is not as it should be is left out.
 */
export function readVirtuals(answer: unknown, before: ReadonlyMap<string, ReadVirtual>, now: number): ReadVirtual[] {
  return [...statisticsIn(answer)].flatMap((entries) => {
    const name = text(entries.tmName);
    const destination = destinationOf(text(entries.destination));
    if (name === undefined || destination === undefined) return [];
    const known = before.get(name);
    const availability = oneOf(AVAILABILITIES, text(entries['status.availabilityState'])) ?? 'unknown';
    const state = oneOf(STATES, text(entries['status.enabledState'])) ?? 'enabled';
    const bits = sum(entries, 'clientside.bitsIn', 'clientside.bitsOut');
    const packets = sum(entries, 'clientside.pktsIn', 'clientside.pktsOut');
    const isSame = known?.record.availability === availability && known.record.state === state;
    const counters = { at: now, bits, packets };
    const record: RecordOf<'vs'> = {
      message: 'vs',
      name: name.slice(0, MOST_TEXT),
      ...destination,
      availability,
      state,
      reason: (text(entries['status.statusReason']) ?? '').trim().slice(0, MOST_TEXT),
      since: isSame ? known.record.since : now,
      connections: count(entries['clientside.curConns']),
      ...ratesOf(known?.counters, counters),
    };
    return [{ record, counters }];
  });
}

/** Load of the machine; what it does not say is absent. `virtuals`: connections of all of them are its own. */
export function readHost(answer: unknown, name: string, virtuals: readonly ReadVirtual[]): RecordOf<'server'> {
  const facts = [...statisticsIn(answer)];
  const find = (key: string): number | undefined => facts.map((entries) => count(entries[key])).find(isNumber);
  const [total, used] = [find('memoryTotal'), find('memoryUsed')];
  const idle = facts.map((entries) => count(entries.fiveSecAvgIdle)).filter(isNumber);
  const busy = idle.length === 0 ? undefined : 100 - idle.reduce((all, each) => all + each, 0) / idle.length;
  const memory =
    total === undefined || used === undefined
      ? undefined
      : Math.max(0, Math.round((total - used) / OCTETS_PER_KILOBYTE));
  const connections = virtuals.reduce((all, { record }) => all + (record.connections ?? 0), 0);
  return {
    message: 'server',
    name,
    version: 'iControl REST',
    cpu: busy === undefined ? undefined : Math.min(100, Math.max(0, Math.round(busy))),
    memory_available: memory,
    connections,
  };
}

/** All sets of entries, at whatever depth. */
function* statisticsIn(value: unknown, depth = 0): Generator<Entries, void> {
  if (depth > MOST_DEPTH || !isObject(value)) return;
  const { entries, nestedStats } = value;
  if (isObject(nestedStats)) yield* statisticsIn(nestedStats, depth + 1);
  if (!isObject(entries)) return;
  yield entries;
  for (const each of Object.values(entries)) yield* statisticsIn(each, depth + 1);
}

/** `10.0.0.1:80`, or `2001:db8::1.80`. */
function destinationOf(value: string | undefined): { address: string; port: number } | undefined {
  const match = /^(.+)[.:]([0-9]{1,5})$/.exec(value ?? '');
  if (match === null) return undefined;
  const address = parseAddress(match[1]!);
  const port = Number(match[2]);
  if (address?.routeDomain !== 0 || port > 65_535) return undefined;
  return { address: formatBareAddress(address), port };
}

function ratesOf(before: VirtualCounters | undefined, now: VirtualCounters) {
  const seconds = before === undefined ? 0 : (now.at - before.at) / 1000;
  // Counters that are lower than before were reset.
  if (before === undefined || seconds <= 0 || now.bits < before.bits || now.packets < before.packets) return {};
  return {
    packets_per_second: Math.round((now.packets - before.packets) / seconds),
    kilobytes_per_second: Math.round((now.bits - before.bits) / BITS_PER_KILOBYTE / seconds),
  };
}

function sum(entries: Entries, ...keys: readonly string[]): number {
  return keys.reduce((all, key) => all + (count(entries[key]) ?? 0), 0);
}

function text(entry: unknown): string | undefined {
  return isObject(entry) && typeof entry.description === 'string' ? entry.description : undefined;
}

function count(entry: unknown): number | undefined {
  if (!isObject(entry) || typeof entry.value !== 'number') return undefined;
  return Number.isSafeInteger(entry.value) && entry.value >= 0 ? entry.value : undefined;
}

function oneOf<T extends string>(choices: readonly T[], value: string | undefined): T | undefined {
  return choices.find((choice) => choice === value);
}

const isNumber = (value: number | undefined): value is number => value !== undefined;

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
