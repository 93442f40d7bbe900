// What follows from what is known: which virtual servers, members, pools and wide IPs may be answered (docs/decisions/
// availability.md has the rules). A change goes along the edges of `availability-graph.ts` as long as something differs; numbers
// are set in the StateWriter, and whoever made the change commits it.

import { type AvailabilityGraph, buildAvailabilityGraph, Enabled } from './availability-graph.ts';
import type { GtmPool } from './description.ts';
import {
  type FactChange,
  type Facts,
  isOffline,
  type MemberFacts,
  memberKey,
  type PathFacts,
  pathKey,
  type ServerFacts,
  type VirtualServerFacts,
} from './facts.ts';
import { MemberStates } from './member-states.ts';
import { PathWords } from './path-words.ts';
import type { StateWriter } from './state-journal.ts';
import type { GtmIndex } from './tables.ts';
import { VirtualServerStates } from './virtual-server-states.ts';

export class Availability {
  readonly index: GtmIndex;
  readonly facts: Facts;
  readonly graph: AvailabilityGraph;
  readonly members: MemberStates;
  readonly virtualServers: VirtualServerStates;
  readonly #writer: StateWriter;
  readonly #paths: PathWords;

  /** `writer`: of memory in which all numbers are 0, and which nobody reads yet. */
  constructor(index: GtmIndex, writer: StateWriter, facts: Facts) {
    this.index = index;
    this.facts = facts;
    this.graph = buildAvailabilityGraph(index);
    this.members = new MemberStates(index, this.graph, writer);
    this.virtualServers = new VirtualServerStates(index, this.graph, writer, this.members);
    this.#writer = writer;
    this.#paths = new PathWords(writer);
  }

  /**
   * Sets every number; to be called once. Members that wait to be resumed wait no longer where their pool does not want it any
   * more, or they were switched off.
   */
  start(): void {
    this.#writer.fill(() => this.#start());
  }

  /** Takes the change into the facts, and sets the numbers that follow; the caller commits. */
  apply(change: FactChange): void {
    const { facts, graph } = this;
    switch (change.kind) {
      case 'virtual-server':
        this.#applyVirtualServer(change.key, change.facts);
        break;
      case 'server':
        this.#applyServer(change.name, change.facts);
        break;
      case 'member':
        this.#applyMember(change.key, change.facts);
        break;
      case 'path':
        facts.paths.set(pathKey(change.path.client, change.path.datacenter), change.path);
        this.#takePath(change.path);
        return;
      case 'forget-path': {
        facts.paths.delete(pathKey(change.client, change.datacenter));
        const datacenter = graph.datacenterNumbers.get(change.datacenter);
        if (datacenter !== undefined) this.#paths.forget(change.client, datacenter);
        return;
      }
      case 'resume':
        facts.held.delete(change.member);
        for (const member of graph.memberNumbers().get(change.member) ?? []) this.members.setHeld(member, false);
        break;
    }
    this.virtualServers.settle();
    this.members.settle();
  }

  #start(): void {
    const { facts, graph } = this;
    for (const key of facts.held) {
      const isOn = (member: number): boolean =>
        this.#poolOf(member).manualResume && (graph.memberEnabled[member]! & Enabled.poolAndMember) !== 0;
      const members = (graph.memberNumbers().get(key) ?? []).filter(isOn);
      if (members.length === 0) facts.held.delete(key);
      for (const member of members) this.members.setHeld(member, true);
    }
    for (const [key, { status }] of facts.members) {
      for (const member of graph.memberNumbers().get(key) ?? []) this.members.setSaid(member, status);
    }
    graph.servers.forEach(({ name }, number) => this.#takeServer(number, facts.servers.get(name)));
    this.virtualServers.settle();
    this.members.start();
    for (const path of facts.paths.values()) this.#takePath(path);
  }

  #applyVirtualServer(key: string, after: VirtualServerFacts | undefined): void {
    const { virtualServers, servers } = this.facts;
    const before = virtualServers.get(key);
    if (after === undefined) virtualServers.delete(key);
    else virtualServers.set(key, after);
    const number = this.graph.virtualServerNumbers.get(key);
    if (number === undefined) return;
    const server = servers.get(this.index.virtualServers[number]!.server.name);
    if (!isOffline(server, before) && isOffline(server, after)) this.#hold(number);
    this.virtualServers.take(number, after, server);
  }

  #applyServer(name: string, after: ServerFacts | undefined): void {
    const { virtualServers, servers } = this.facts;
    const before = servers.get(name);
    if (after === undefined) servers.delete(name);
    else servers.set(name, after);
    const number = this.graph.serverNumbers.get(name);
    if (number === undefined) return;
    const { first, to } = this.graph.virtualServersOf;
    for (let at = first[number]!; at < first[number + 1]!; at++) {
      const own = virtualServers.get(this.index.virtualServers[to[at]!]!.key);
      if (!isOffline(before, own) && isOffline(after, own)) this.#hold(to[at]!);
    }
    this.#takeServer(number, after);
  }

  #applyMember(key: string, after: MemberFacts | undefined): void {
    const { members } = this.facts;
    const before = members.get(key);
    if (after === undefined) members.delete(key);
    else members.set(key, after);
    if (before?.status === after?.status) return;
    for (const member of this.graph.memberNumbers().get(key) ?? []) {
      if (this.index.members[member]!.virtualServer < 0) continue;
      if (after?.status === 'offline') this.#holdMember(member);
      this.members.setSaid(member, after?.status);
    }
  }

  #takeServer(server: number, facts: ServerFacts | undefined): void {
    this.virtualServers.takeServer(server, facts);
    const { first, to } = this.graph.virtualServersOf;
    for (let at = first[server]!; at < first[server + 1]!; at++) {
      const { key } = this.index.virtualServers[to[at]!]!;
      this.virtualServers.take(to[at]!, this.facts.virtualServers.get(key), facts);
    }
  }

  #takePath(path: PathFacts): void {
    const datacenter = this.graph.datacenterNumbers.get(path.datacenter);
    if (datacenter !== undefined) this.#paths.set(path, datacenter);
  }

  /** A virtual server went offline. */
  #hold(virtualServer: number): void {
    const { first, to } = this.graph.membersOf;
    for (let at = first[virtualServer]!; at < first[virtualServer + 1]!; at++) this.#holdMember(to[at]!);
  }

  /** The member, or its virtual server, went offline: in a pool with manual-resume it stays so. */
  #holdMember(member: number): void {
    const pool = this.#poolOf(member);
    if (!pool.manualResume || this.graph.memberEnabled[member] !== Enabled.all) return;
    this.members.setHeld(member, true);
    this.facts.held.add(memberKey(pool.type, pool.name, this.index.members[member]!.member.name));
  }

  #poolOf(member: number): GtmPool {
    return this.index.pools[this.index.members[member]!.pool]!.pool;
  }
}
