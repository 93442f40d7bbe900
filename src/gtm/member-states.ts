// Members and pools: which may be answered, as it follows from virtual servers, from wide IPs that members name, and from what
// distributed applications take as one.

import { type AvailabilityGraph, Enabled, MemberKind } from './availability-graph.ts';
import type { FactStatus } from './facts.ts';
import { exceededLimit, hasLimits, type Load } from './limits.ts';
import type { StateWriter } from './state-journal.ts';
import {
  isUp,
  MEMBER_STATUS_SHIFT,
  MemberBit,
  POOL_WORDS,
  PoolWord,
  type StateLayout,
  Status,
  VIRTUAL_SERVER_WORDS,
  VirtualServerWord,
} from './state-layout.ts';
import type { GtmIndex } from './tables.ts';
import { WideIpStates } from './wide-ip-states.ts';

/** Numbers of a pool's load: connections, packets and kilobytes per second. */
const LOAD_NUMBERS = 3;

export class MemberStates {
  readonly wideIps: WideIpStates;
  readonly #index: GtmIndex;
  readonly #graph: AvailabilityGraph;
  readonly #writer: StateWriter;
  readonly #layout: StateLayout;
  /** Of members: how many are not up that they depend on; wide IPs of their name that are available, apart those of a loop. */
  readonly #unmet: Int32Array;
  readonly #namesUp: Int32Array;
  readonly #loopNamesUp: Int32Array;
  readonly #isHeld: Uint8Array;
  /** What is said of the member itself: a `Status`. */
  readonly #said: Uint8Array;
  readonly #hasLimits: Uint8Array;
  /** 1: counts among those of its pool; the second, even without the names of a loop. */
  readonly #isUsable: Uint8Array;
  readonly #isUsableAlone: Uint8Array;
  readonly #isDown: Uint8Array;
  /** Of pools. */
  readonly #usable: Int32Array;
  readonly #usableAlone: Int32Array;
  readonly #isPoolUp: Uint8Array;
  readonly #isPoolUpAlone: Uint8Array;
  readonly #hasPoolLimits: Uint8Array;
  readonly #verifies: Uint8Array;
  readonly #poolLoad: Float64Array;
  /** Members that are down in what an application takes as one. */
  readonly #contextDown: Int32Array;
  readonly #toDo: number[] = [];

  constructor(index: GtmIndex, graph: AvailabilityGraph, writer: StateWriter) {
    this.#index = index;
    this.#graph = graph;
    this.#writer = writer;
    this.#layout = writer.memory.layout;
    const [members, pools] = [index.members.length, index.pools.length];
    const { verifyVsAvailability } = index.description.settings;
    this.#unmet = graph.memberDependencies.slice();
    this.#namesUp = new Int32Array(members);
    this.#loopNamesUp = new Int32Array(members);
    this.#isHeld = new Uint8Array(members);
    this.#said = new Uint8Array(members).fill(Status.unknown);
    this.#hasLimits = Uint8Array.from(index.members, ({ member }) => Number(hasLimits(member.limits)));
    this.#isUsable = new Uint8Array(members);
    this.#isUsableAlone = new Uint8Array(members);
    this.#isDown = new Uint8Array(members);
    this.#usable = new Int32Array(pools);
    this.#usableAlone = new Int32Array(pools);
    this.#isPoolUp = new Uint8Array(pools);
    this.#isPoolUpAlone = new Uint8Array(pools);
    this.#hasPoolLimits = Uint8Array.from(index.pools, ({ pool }) => Number(hasLimits(pool.limits)));
    this.#verifies = Uint8Array.from(index.pools, ({ pool }) =>
      Number(verifyVsAvailability && pool.verifyMemberAvailability),
    );
    this.#poolLoad = new Float64Array(pools * LOAD_NUMBERS);
    this.#contextDown = new Int32Array(graph.contextMembers.first.length - 1);
    this.wideIps = new WideIpStates(index, graph, writer, (member, isLoop, wasUp) => {
      (isLoop ? this.#loopNamesUp : this.#namesUp)[member]! += wasUp ? -1 : 1;
      this.#toDo.push(member);
    });
  }

  /** To be called once, when virtual servers have been taken. */
  start(): void {
    for (let member = 0; member < this.#index.members.length; member++) this.#toDo.push(member);
    this.settle();
    this.#index.pools.forEach(({ pool }, number) => {
      this.#writer.set(this.#layout.poolsAt + number * POOL_WORDS + PoolWord.enabled, Number(pool.enabled));
    });
    this.wideIps.start();
    this.settle();
  }

  virtualServerChanged(virtualServer: number): void {
    const { first, to } = this.#graph.membersOf;
    for (let at = first[virtualServer]!; at < first[virtualServer + 1]!; at++) this.#toDo.push(to[at]!);
  }

  /** A virtual server that members may depend on has come up or gone down. */
  dependencyChanged(virtualServer: number, wasUp: boolean): void {
    const { first, to } = this.#graph.dependentMembers;
    for (let at = first[virtualServer]!; at < first[virtualServer + 1]!; at++) {
      this.#unmet[to[at]!]! += wasUp ? 1 : -1;
      this.#toDo.push(to[at]!);
    }
  }

  /** The load of a virtual server has changed by so much. */
  carry(virtualServer: number, connections: number, packets: number, kilobytes: number): void {
    const { membersOf, memberEnabled } = this.#graph;
    for (let at = membersOf.first[virtualServer]!; at < membersOf.first[virtualServer + 1]!; at++) {
      const member = membersOf.to[at]!;
      const { pool } = this.#index.members[member]!;
      if (this.#hasLimits[member] === 1) this.#toDo.push(member);
      if (this.#hasPoolLimits[pool] === 0 || memberEnabled[member] !== Enabled.all) continue;
      this.#poolLoad[pool * LOAD_NUMBERS]! += connections;
      this.#poolLoad[pool * LOAD_NUMBERS + 1]! += packets;
      this.#poolLoad[pool * LOAD_NUMBERS + 2]! += kilobytes;
      this.#settlePool(pool);
    }
  }

  /** Whether the member waits to be resumed by hand. */
  setHeld(member: number, isHeld: boolean): void {
    this.#isHeld[member] = Number(isHeld);
    this.#toDo.push(member);
  }

  /** What is said of the member itself, beside its virtual server; undefined: nothing. */
  setSaid(member: number, status: FactStatus | undefined): void {
    this.#said[member] = Status[status ?? 'unknown'];
    this.#toDo.push(member);
  }

  isHeld(member: number): boolean {
    return this.#isHeld[member] === 1;
  }

  /** Goes on until nothing differs any more. */
  settle(): void {
    for (let member = this.#toDo.pop(); member !== undefined; member = this.#toDo.pop()) this.#settleOne(member);
  }

  /** The word of a member as it will be. */
  memberWord(member: number): number {
    return this.#writer.get(this.#layout.membersAt + member);
  }

  usableMembers(pool: number): number {
    return this.#writer.get(this.#layout.poolsAt + pool * POOL_WORDS + PoolWord.usable);
  }

  /** Those that are usable though the pool may not be. */
  countedMembers(pool: number): number {
    return this.#usable[pool]!;
  }

  /** Which limit the pool's members exceed together. */
  exceededPoolLimit(pool: number): string | undefined {
    if (this.#hasPoolLimits[pool] === 0 || this.#verifies[pool] === 0) return undefined;
    const at = pool * LOAD_NUMBERS;
    return exceededLimit(this.#index.pools[pool]!.pool.limits, {
      connections: this.#poolLoad[at]!,
      packetsPerSecond: this.#poolLoad[at + 1]!,
      kilobytesPerSecond: this.#poolLoad[at + 2]!,
    });
  }

  exceededMemberLimit(member: number): string | undefined {
    if (this.#hasLimits[member] === 0) return undefined;
    const { virtualServer, member: description } = this.#index.members[member]!;
    return virtualServer < 0 ? undefined : exceededLimit(description.limits, this.#loadOf(virtualServer));
  }

  /** Whether a part is down of what its application takes as one with the member. */
  isContextDown(member: number): boolean {
    const context = this.#graph.contextOf[member]!;
    return context >= 0 && this.#contextDown[context]! > 0;
  }

  #loadOf(virtualServer: number): Load {
    const at = virtualServer * VIRTUAL_SERVER_WORDS;
    const known = (word: number): number | undefined => {
      const value = this.#writer.get(at + word);
      return value < 0 ? undefined : value;
    };
    return {
      connections: known(VirtualServerWord.connections),
      packetsPerSecond: known(VirtualServerWord.packetsPerSecond),
      kilobytesPerSecond: known(VirtualServerWord.kilobytesPerSecond),
    };
  }

  /** How a member is but for its application and for what is switched off of pool and member. */
  #healthOf(member: number): Status {
    const status = this.#statusOfNamed(member);
    if (status === Status.disabled || status === Status.offline) return status;
    if (this.#isHeld[member] === 1) return Status.offline;
    if (!isUp(status) || this.#unmet[member]! > 0) return Status.unavailable;
    return this.exceededMemberLimit(member) === undefined ? status : Status.unavailable;
  }

  #statusOfNamed(member: number): Status {
    switch (this.#graph.memberKinds[member]) {
      case MemberKind.virtualServer: {
        const { virtualServer } = this.#index.members[member]!;
        const named = this.#writer.get(virtualServer * VIRTUAL_SERVER_WORDS + VirtualServerWord.status) as Status;
        const said = this.#said[member] as Status;
        if (said === Status.offline && named !== Status.disabled) return said;
        return said === Status.available && named === Status.unknown ? said : named;
      }
      case MemberKind.name:
        return Status.unknown;
      case MemberKind.wideIp:
        return this.#namesUp[member]! + this.#loopNamesUp[member]! > 0 ? Status.available : Status.unavailable;
      default:
        return Status.offline;
    }
  }

  #settleOne(member: number): void {
    const graph = this.#graph;
    const own = this.#healthOf(member);
    const enabled = graph.memberEnabled[member]!;
    this.#countDown(member, enabled === Enabled.all && !isUp(own));
    const health = isUp(own) && this.isContextDown(member) ? Status.unavailable : own;
    const { pool } = this.#index.members[member]!;
    const kind = graph.memberKinds[member];
    const isThere = kind !== MemberKind.nothing;
    const isGood = isThere && (isUp(health) || this.#verifies[pool] === 0);
    const isUsable = isGood && enabled === Enabled.all;
    const isAlone =
      isUsable && (kind !== MemberKind.wideIp || this.#namesUp[member]! > 0 || this.#verifies[pool] === 0);
    const { respectFallbackDependency, drainPersistentRequests } = this.#index.description.settings;
    const isFallback = isThere && enabled === Enabled.all && (isUsable || !respectFallbackDependency);
    const drains = drainPersistentRequests && isGood && enabled === Enabled.rest;
    const status = enabled === Enabled.all ? health : Status.disabled;
    const bits =
      (isUsable ? MemberBit.usable : 0) | (isFallback ? MemberBit.fallback : 0) | (drains ? MemberBit.drains : 0);
    this.#writer.set(this.#layout.membersAt + member, bits | (status << MEMBER_STATUS_SHIFT));
    const more = Number(isUsable) - this.#isUsable[member]!;
    const moreAlone = Number(isAlone) - this.#isUsableAlone[member]!;
    if (more === 0 && moreAlone === 0) return;
    this.#isUsable[member] = Number(isUsable);
    this.#isUsableAlone[member] = Number(isAlone);
    this.#usable[pool]! += more;
    this.#usableAlone[pool]! += moreAlone;
    this.#settlePool(pool);
  }

  /** What an application takes as one is down as soon as one member in it is. */
  #countDown(member: number, isDown: boolean): void {
    const { contextOf, contextMembers } = this.#graph;
    const context = contextOf[member]!;
    if (context < 0 || isDown === (this.#isDown[member] === 1)) return;
    this.#isDown[member] = Number(isDown);
    const count = (this.#contextDown[context]! += isDown ? 1 : -1);
    if (count !== (isDown ? 1 : 0)) return;
    for (let at = contextMembers.first[context]!; at < contextMembers.first[context + 1]!; at++) {
      this.#toDo.push(contextMembers.to[at]!);
    }
  }

  #settlePool(number: number): void {
    const { pool } = this.#index.pools[number]!;
    const least = this.#graph.leastMembers[number]!;
    const isOpen = pool.enabled && this.exceededPoolLimit(number) === undefined;
    const usable = isOpen && this.#usable[number]! >= least ? this.#usable[number]! : 0;
    const isAloneUp = isOpen && this.#usableAlone[number]! >= Math.max(1, least);
    const at = this.#layout.poolsAt + number * POOL_WORDS;
    this.#writer.set(at + PoolWord.usable, usable);
    if (usable > 0 !== (this.#isPoolUp[number] === 1)) {
      this.#isPoolUp[number] = Number(usable > 0);
      this.wideIps.poolChanged(number, usable === 0);
    }
    if (isAloneUp !== (this.#isPoolUpAlone[number] === 1)) {
      this.#isPoolUpAlone[number] = Number(isAloneUp);
      this.wideIps.poolChangedAlone(number, !isAloneUp);
    }
  }
}
