// Which wide IPs are available, as it follows from their pools and from the other wide IPs of an application.

import type { AvailabilityGraph } from './availability-graph.ts';
import type { Edges } from './edges.ts';
import type { StateWriter } from './state-journal.ts';
import { WideIpBit } from './state-layout.ts';
import type { GtmIndex } from './tables.ts';

/** A wide IP that a member names has come up or gone down. `isLoop`: the wide IP's availability hangs on that of the member. */
export type NameChanged = (member: number, isLoop: boolean, wasUp: boolean) => void;

export class WideIpStates {
  readonly #index: GtmIndex;
  readonly #graph: AvailabilityGraph;
  readonly #writer: StateWriter;
  readonly #changed: NameChanged;
  /** Pools that are up; the second, those that would be so without any name of a loop. */
  readonly #poolsUp: Int32Array;
  readonly #poolsUpAlone: Int32Array;
  /** Available by pools without names of a loop, by all of them, and by the application as well. */
  readonly #isAlone: Uint8Array;
  readonly #isByPools: Uint8Array;
  readonly #isAvailable: Uint8Array;
  /** Of applications: wide IPs that are switched on and not available by their pools. */
  readonly #down: Int32Array;

  constructor(index: GtmIndex, graph: AvailabilityGraph, writer: StateWriter, changed: NameChanged) {
    this.#index = index;
    this.#graph = graph;
    this.#writer = writer;
    this.#changed = changed;
    const wideIps = index.wideIps.length;
    this.#poolsUp = new Int32Array(wideIps);
    this.#poolsUpAlone = new Int32Array(wideIps);
    this.#isAlone = new Uint8Array(wideIps);
    this.#isByPools = new Uint8Array(wideIps);
    this.#isAvailable = new Uint8Array(wideIps);
    this.#down = new Int32Array(graph.applicationWideIps.first.length - 1);
    index.wideIps.forEach(({ wideIp }, number) => {
      const application = graph.applicationOf[number]!;
      if (application >= 0 && wideIp.enabled) this.#down[application]!++;
    });
  }

  start(): void {
    for (let wideIp = 0; wideIp < this.#index.wideIps.length; wideIp++) this.#finish(wideIp);
  }

  isAvailable(wideIp: number): boolean {
    return this.#isAvailable[wideIp] === 1;
  }

  /** Whatever the other wide IPs of its application are. */
  isAvailableByPools(wideIp: number): boolean {
    return this.#isByPools[wideIp] === 1;
  }

  poolChanged(pool: number, wasUp: boolean): void {
    const { first, to } = this.#graph.wideIpsOf;
    for (let at = first[pool]!; at < first[pool + 1]!; at++) {
      this.#poolsUp[to[at]!]! += wasUp ? -1 : 1;
      this.#settle(to[at]!);
    }
  }

  poolChangedAlone(pool: number, wasUp: boolean): void {
    const { first, to } = this.#graph.wideIpsOf;
    for (let at = first[pool]!; at < first[pool + 1]!; at++) {
      const wideIp = to[at]!;
      this.#poolsUpAlone[wideIp]! += wasUp ? -1 : 1;
      const isAlone = Number(this.#index.wideIps[wideIp]!.wideIp.enabled && this.#poolsUpAlone[wideIp]! > 0);
      if (isAlone === this.#isAlone[wideIp]) continue;
      this.#isAlone[wideIp] = isAlone;
      this.#tell(this.#graph.loopNameMembers, wideIp, true, isAlone === 0);
    }
  }

  #settle(wideIp: number): void {
    const isByPools = Number(this.#index.wideIps[wideIp]!.wideIp.enabled && this.#poolsUp[wideIp]! > 0);
    if (isByPools === this.#isByPools[wideIp]) return;
    this.#isByPools[wideIp] = isByPools;
    const { applicationOf, applicationWideIps } = this.#graph;
    const application = applicationOf[wideIp]!;
    if (application >= 0) {
      const down = (this.#down[application]! += isByPools === 1 ? -1 : 1);
      if (down === (isByPools === 1 ? 0 : 1)) {
        const { first, to } = applicationWideIps;
        for (let at = first[application]!; at < first[application + 1]!; at++) this.#finish(to[at]!);
        return;
      }
    }
    this.#finish(wideIp);
  }

  #finish(wideIp: number): void {
    const application = this.#graph.applicationOf[wideIp]!;
    const isWhole = application < 0 || this.#down[application] === 0;
    const isAvailable = isWhole && this.#isByPools[wideIp] === 1;
    const { enabled } = this.#index.wideIps[wideIp]!.wideIp;
    const word = (enabled ? WideIpBit.enabled : 0) | (isAvailable ? WideIpBit.available : 0);
    this.#writer.set(this.#writer.memory.layout.wideIpsAt + wideIp, word);
    if (isAvailable === (this.#isAvailable[wideIp] === 1)) return;
    this.#isAvailable[wideIp] = Number(isAvailable);
    this.#tell(this.#graph.nameMembers, wideIp, false, !isAvailable);
  }

  #tell({ first, to }: Edges, wideIp: number, isLoop: boolean, wasUp: boolean): void {
    for (let at = first[wideIp]!; at < first[wideIp + 1]!; at++) this.#changed(to[at]!, isLoop, wasUp);
  }
}
