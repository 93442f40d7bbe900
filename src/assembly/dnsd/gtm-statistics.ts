// What was counted of wide IPs, pools and members over all threads, and over all configurations that had them: threads count by
// number, and numbers change with the configuration.

import {
  addCounts,
  type GtmCounts,
  MEMBER_COUNTERS,
  newGtmCounts,
  POOL_COUNTERS,
  WIDE_IP_COUNTERS,
} from '../../gtm/counts.ts';
import type { CompiledWideIps } from '../../gtm/compile-wide-ips.ts';

export class GtmStatistics {
  #compiled: CompiledWideIps | undefined;
  /** By the name of a thread, what it counts in at present. */
  #counts = new Map<string, GtmCounts>();
  /** What was counted in earlier arrays, by present numbers, less what it was at the last reset. */
  #before: GtmCounts | undefined;

  /** Goes over to another configuration. What is returned settles the old counts, once nobody counts in them any more. */
  begin(compiled: CompiledWideIps): () => void {
    const [old, oldCounts, oldBefore] = [this.#compiled, this.#counts, this.#before];
    const before = newGtmCounts(compiled.tables.layout);
    this.#compiled = compiled;
    this.#counts = new Map();
    this.#before = before;
    return () => {
      if (old === undefined || oldBefore === undefined) return;
      for (const counts of oldCounts.values()) addCounts(oldBefore, counts);
      carry(old, oldBefore, compiled, before);
    };
  }

  /** Where a thread counts. */
  countsOf(thread: string): GtmCounts {
    const known = this.#counts.get(thread);
    if (known !== undefined) return known;
    const counts = newGtmCounts(this.#compiled!.tables.layout);
    this.#counts.set(thread, counts);
    return counts;
  }

  /** All that was counted, by the numbers of the present configuration; undefined: there is none. */
  sum(): GtmCounts | undefined {
    if (this.#before === undefined) return undefined;
    const sum = newGtmCounts(this.#compiled!.tables.layout);
    addCounts(sum, this.#before);
    for (const counts of this.#counts.values()) addCounts(sum, counts);
    return sum;
  }

  /** Sets the numbers of an object to 0. */
  reset(kind: keyof GtmCounts, number: number): void {
    const before = this.#before?.[kind];
    if (before === undefined) return;
    const width = WIDTHS[kind];
    for (let at = number * width; at < (number + 1) * width; at++) {
      let counted = 0;
      for (const counts of this.#counts.values()) counted += counts[kind][at]!;
      before[at] = -counted;
    }
  }
}

const WIDTHS: Record<keyof GtmCounts, number> = {
  wideIps: WIDE_IP_COUNTERS,
  pools: POOL_COUNTERS,
  members: MEMBER_COUNTERS,
};

/** Moves counts to the numbers that objects have now. */
function carry(old: CompiledWideIps, oldCounts: GtmCounts, next: CompiledWideIps, counts: GtmCounts): void {
  const { carriedWideIps, carriedPools } = next.tables;
  carriedWideIps.forEach((before, now) => move(oldCounts.wideIps, before, counts.wideIps, now, WIDE_IP_COUNTERS));
  carriedPools.forEach((before, now) => {
    if (before < 0) return;
    move(oldCounts.pools, before, counts.pools, now, POOL_COUNTERS);
    const [from, to] = [old.index.pools[before]!, next.index.pools[now]!];
    for (let member = to.firstMember; member < to.firstMember + to.members; member++) {
      const { name } = next.index.members[member]!.member;
      for (let earlier = from.firstMember; earlier < from.firstMember + from.members; earlier++) {
        if (old.index.members[earlier]!.member.name !== name) continue;
        move(oldCounts.members, earlier, counts.members, member, MEMBER_COUNTERS);
        break;
      }
    }
  });
}

function move(from: Float64Array, before: number, to: Float64Array, now: number, width: number): void {
  if (before < 0) return;
  for (let counter = 0; counter < width; counter++) to[now * width + counter]! += from[before * width + counter]!;
}
