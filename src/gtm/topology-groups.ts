// Which addresses have the same effects: the subnets of statements cut the addresses of a family into intervals, and intervals
// with the same effects are a group.

import { familyBits, parsePrefix } from '../core/address.ts';

/** Effects of an address in a subnet, in ascending order. */
export type SubnetEffects = {
  readonly size: number;
  readonly first: bigint;
  readonly last: bigint;
  readonly effects: readonly number[];
};

/** Starts in ascending order, from address 0 on, and the group from there to the next. */
export type Intervals = { readonly starts: bigint[]; readonly groups: number[] };

/** undefined for what is no subnet: no address is in it. */
export function subnetEffects(value: string, effects: readonly number[]): SubnetEffects | undefined {
  const prefix = parsePrefix(value);
  if (prefix === undefined) return undefined;
  const { family, words } = prefix.address;
  const host = BigInt(familyBits(family) - prefix.length);
  const address = words.reduce((number, word) => (number << 32n) | BigInt(word >>> 0), 0n);
  const first = (address >> host) << host;
  return { size: familyBits(family) / 8, first, last: first + (1n << host) - 1n, effects };
}

export function addressNumber(octets: Uint8Array): bigint {
  return octets.reduce((number, octet) => (number << 8n) | BigInt(octet), 0n);
}

/** Sets of effects, each of them once; group 0 has none. */
export class Groups {
  readonly sets: (readonly number[])[] = [[]];
  readonly #numbers = new Map<string, number>([['', 0]]);

  /** The group of one with more effects. */
  extend(group: number, effects: readonly number[]): number {
    const before = this.sets[group]!;
    const set = [...new Set([...before, ...effects])];
    if (set.length === before.length) return group;
    set.sort((a, b) => a - b);
    const key = set.join();
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.sets.push(set) - 1;
      this.#numbers.set(key, number);
    }
    return number;
  }
}

/** Of the subnets with addresses of `size` octets. */
export function intervalsOf(subnets: readonly SubnetEffects[], size: number, groups: Groups): Intervals {
  const sorted = subnets
    .filter((subnet) => subnet.size === size)
    .sort((a, b) => compare(a.first, b.first) || compare(b.last, a.last));
  const intervals: Intervals = { starts: [0n], groups: [0] };
  const end = (1n << BigInt(size * 8)) - 1n;
  const around: { last: bigint; group: number }[] = [{ last: end, group: 0 }];
  const closeBefore = (address: bigint): void => {
    while (around.length > 1 && around.at(-1)!.last < address) {
      const { last } = around.pop()!;
      if (last < end) begin(intervals, last + 1n, around.at(-1)!.group);
    }
  };
  for (const { first, last, effects } of sorted) {
    closeBefore(first);
    const group = groups.extend(around.at(-1)!.group, effects);
    around.push({ last, group });
    begin(intervals, first, group);
  }
  closeBefore(end + 1n);
  return intervals;
}

/** The group of an address. */
export function groupOf({ starts, groups }: Intervals, address: bigint): number {
  let low = 1;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (starts[middle]! <= address) low = middle + 1;
    else high = middle;
  }
  return groups[low - 1]!;
}

function begin({ starts, groups }: Intervals, start: bigint, group: number): void {
  if (starts.at(-1) === start) {
    starts.pop();
    groups.pop();
  }
  if (groups.at(-1) === group) return;
  starts.push(start);
  groups.push(group);
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
