// The status of virtual servers as it follows from what is known of them, of their servers, and of what they depend on. Of virtual
// servers that depend on each other each looks at what the others would be alone.

import type { AvailabilityGraph } from './availability-graph.ts';
import { isOffline, type ServerFacts, type VirtualServerFacts } from './facts.ts';
import { exceededLimit, exceededServerLimit } from './limits.ts';
import type { MemberStates } from './member-states.ts';
import type { StateWriter } from './state-journal.ts';
import { isUp, Status, UNKNOWN, VIRTUAL_SERVER_WORDS, VirtualServerWord } from './state-layout.ts';
import type { GtmIndex } from './tables.ts';

const MOST = 0x7fff_ffff;

/** A number of the state: whole, and as large as a word may be. */
const wordOf = (value: number | undefined): number =>
  value === undefined ? UNKNOWN : Math.min(MOST, Math.floor(value));
/** What it adds to a sum. */
const known = (value: number): number => Math.max(0, value);

export class VirtualServerStates {
  readonly #index: GtmIndex;
  readonly #graph: AvailabilityGraph;
  readonly #writer: StateWriter;
  readonly #members: MemberStates;
  /** Statuses without what they depend on, and with it; how many of those are not up. */
  readonly #own: Uint8Array;
  readonly #status: Uint8Array;
  readonly #unmet: Int32Array;
  /** 1: the server is over its limits. */
  readonly #isServerOver: Uint8Array;
  readonly #toDo: number[] = [];

  constructor(index: GtmIndex, graph: AvailabilityGraph, writer: StateWriter, members: MemberStates) {
    this.#index = index;
    this.#graph = graph;
    this.#writer = writer;
    this.#members = members;
    this.#own = new Uint8Array(index.virtualServers.length).fill(Status.disabled);
    this.#status = this.#own.slice();
    this.#unmet = graph.dependencies.slice();
    this.#isServerOver = new Uint8Array(graph.servers.length);
  }

  status(number: number): Status {
    return this.#status[number] as Status;
  }

  /** Without what it depends on. */
  ownStatus(number: number): Status {
    return this.#own[number] as Status;
  }

  /** To be called when something of a server has changed, before `take` of its virtual servers. */
  takeServer(server: number, facts: ServerFacts | undefined): void {
    const isOver = exceededServerLimit(this.#graph.servers[server]!.limits, facts) !== undefined;
    this.#isServerOver[server] = Number(isOver);
  }

  take(number: number, facts: VirtualServerFacts | undefined, server: ServerFacts | undefined): void {
    const writer = this.#writer;
    const at = number * VIRTUAL_SERVER_WORDS;
    const connections = wordOf(facts?.connections);
    const packets = wordOf(facts?.packetsPerSecond);
    const kilobytes = wordOf(facts?.kilobytesPerSecond);
    const moreConnections = known(connections) - known(writer.get(at + VirtualServerWord.connections));
    const morePackets = known(packets) - known(writer.get(at + VirtualServerWord.packetsPerSecond));
    const moreKilobytes = known(kilobytes) - known(writer.get(at + VirtualServerWord.kilobytesPerSecond));
    writer.set(at + VirtualServerWord.connections, connections);
    writer.set(at + VirtualServerWord.packetsPerSecond, packets);
    writer.set(at + VirtualServerWord.kilobytesPerSecond, kilobytes);
    writer.set(at + VirtualServerWord.capacity, wordOf(facts?.capacity));
    writer.set(at + VirtualServerWord.score, wordOf(facts?.score));
    writer.set(at + VirtualServerWord.cpu, wordOf(server?.cpu));
    if (moreConnections !== 0 || morePackets !== 0 || moreKilobytes !== 0) {
      this.#members.carry(number, moreConnections, morePackets, moreKilobytes);
    }
    this.#setOwn(number, this.#ownOf(number, facts, server));
  }

  /** Goes on until nothing differs any more. */
  settle(): void {
    for (let number = this.#toDo.pop(); number !== undefined; number = this.#toDo.pop()) this.#settleOne(number);
  }

  #ownOf(number: number, facts: VirtualServerFacts | undefined, server: ServerFacts | undefined): Status {
    if (this.#graph.isVirtualServerEnabled[number] === 0) return Status.disabled;
    if (isOffline(server, facts)) return Status.offline;
    const { limits } = this.#index.virtualServers[number]!.virtualServer;
    const isServerOver = this.#isServerOver[this.#graph.serverOf[number]!] === 1;
    if (isServerOver || exceededLimit(limits, facts) !== undefined) return Status.unavailable;
    return facts?.status === 'available' ? Status.available : Status.unknown;
  }

  #setOwn(number: number, own: Status): void {
    const wasUp = isUp(this.#own[number]!);
    this.#own[number] = own;
    this.#toDo.push(number);
    if (wasUp === isUp(own)) return;
    const { first, to } = this.#graph.loopDependents;
    for (let at = first[number]!; at < first[number + 1]!; at++) this.#countUnmet(to[at]!, wasUp);
  }

  #countUnmet(dependent: number, wasUp: boolean): void {
    this.#unmet[dependent]! += wasUp ? 1 : -1;
    this.#toDo.push(dependent);
  }

  #settleOne(number: number): void {
    const own = this.#own[number]!;
    const status = isUp(own) && this.#unmet[number]! > 0 ? Status.unavailable : own;
    this.#writer.set(number * VIRTUAL_SERVER_WORDS + VirtualServerWord.status, status);
    const before = this.#status[number]!;
    if (status === before) return;
    this.#status[number] = status;
    this.#members.virtualServerChanged(number);
    const wasUp = isUp(before);
    if (wasUp === isUp(status)) return;
    this.#members.dependencyChanged(number, wasUp);
    const { first, to } = this.#graph.dependents;
    for (let at = first[number]!; at < first[number + 1]!; at++) this.#countUnmet(to[at]!, wasUp);
  }
}
