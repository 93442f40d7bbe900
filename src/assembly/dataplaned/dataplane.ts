// The data plane of one worker: tables, nodes, and the operations that change them between two breaths.
//
//   ports ─► ingress ─► bridge ─┬─► interface outlets ─► ports
//                        ▲  │   └─► encapsulate ─► ports
//                        │  ├─► flood ──► (the same outlets)
//                        │  └─► local ──► decapsulate ─┐
//                        └─────────────────────────────┘
//
// Pure of threads and sockets: the worker and the tests drive it alike, with real ports or with memory ones.

import { BridgeNode } from '../../bridge/bridge-node.ts';
import { Domain, Member, MemberKind } from '../../bridge/domain.ts';
import { FDB_STRIDE, FdbField, ForwardingDatabase } from '../../bridge/fdb.ts';
import { FloodNode } from '../../bridge/flood-node.ts';
import type { CounterTable } from '../../core/counters.ts';
import { Drop } from '../../core/drop-reason.ts';
import { FrameBatch } from '../../packet/frame.ts';
import type { FramePool } from '../../packet/pool.ts';
import { Book, type Books, imbalance } from '../../pipeline/books.ts';
import { Disposal } from '../../pipeline/disposal.ts';
import type { Outlet } from '../../pipeline/node.ts';
import { Scheduler } from '../../pipeline/scheduler.ts';
import type { Tap } from '../../pipeline/tap.ts';
import type { Port } from '../../port/port.ts';
import { type Neighbour, NeighbourTable } from '../../route/neighbour-table.ts';
import { ARP_REQUEST, ARP_OCTETS, writeArp } from '../../wire/arp.ts';
import { ETHERNET_HEADER_OCTETS, EtherType, writeEthernet } from '../../wire/ethernet.ts';
import { EndpointTable } from './endpoint-table.ts';
import { Ingress } from './ingress.ts';
import { InterfaceOutlet } from './interface-outlet.ts';
import { LocalAddresses } from './local-addresses.ts';
import { DecapsulateNode } from './nodes/decapsulate-node.ts';
import { EncapsulateNode } from './nodes/encapsulate-node.ts';
import { LocalNode } from './nodes/local-node.ts';
import { PortSlot } from './port-slot.ts';
import type {
  DomainSpec,
  InterfaceMemberSpec,
  Operation,
  SelfSpec,
  StaticEntrySpec,
  TunnelMemberSpec,
} from './spec.ts';
import { TunnelTable } from './tunnel-table.ts';
import { Underlays } from './underlays.ts';

export type DataplaneOptions = {
  pool: FramePool;
  counters: CounterTable;
  books: Books;
  tap: Tap;
  /** Milliseconds of a clock that never goes back. */
  now: () => number;
  learnedLimit?: number;
  staticLimit?: number;
  /** Seconds after which a learned station that is not heard is forgotten. */
  ageingSeconds?: number;
  /** Checks the books after every breath and throws when they are out: for tests and debug builds. */
  audit?: boolean;
};

export const DEFAULT_LEARNED_LIMIT = 65_536;
export const DEFAULT_STATIC_LIMIT = 65_536;
const DEFAULT_AGEING_SECONDS = 300;
const TICK_MS = 250;
/** Ticks in which ageing goes through the whole table once. */
const TICKS_PER_SWEEP = 40;
const MAC_BROADCAST_HIGH = 0xffff;
const MAC_BROADCAST_LOW = -1;

export class Dataplane {
  readonly fdb: ForwardingDatabase;
  readonly books: Books;
  readonly disposal: Disposal;
  readonly #now: () => number;
  #ageingSeconds: number;
  readonly #audit: boolean;

  readonly #slots: (PortSlot | undefined)[] = [];
  readonly #domains = new Map<number, Domain>();
  readonly #members: (Member | undefined)[] = [];
  readonly #interfaceSpecs = new Map<number, InterfaceMemberSpec>();
  readonly #addresses = new LocalAddresses();
  readonly #neighbours: NeighbourTable;
  readonly #tunnels: TunnelTable;
  readonly #underlays: Underlays;

  readonly #received = new FrameBatch();
  readonly #ingress: Ingress;
  readonly #bridge: BridgeNode;
  readonly #flood: FloodNode;
  readonly #local: LocalNode;
  readonly #decapsulate: DecapsulateNode;
  readonly #encapsulate: EncapsulateNode;
  readonly #scheduler: Scheduler;
  #nextTickMs = 0;
  /** Whether ports, domains or addresses have changed since the endpoints were connected. */
  #unsettled = false;

  constructor(options: DataplaneOptions) {
    this.#now = options.now;
    this.#ageingSeconds = options.ageingSeconds ?? DEFAULT_AGEING_SECONDS;
    this.#audit = options.audit ?? false;
    this.books = options.books;
    this.fdb = new ForwardingDatabase(
      options.learnedLimit ?? DEFAULT_LEARNED_LIMIT,
      options.staticLimit ?? DEFAULT_STATIC_LIMIT,
    );
    this.disposal = new Disposal(options.books, options.counters, options.pool, options.tap);
    this.#neighbours = new NeighbourTable({
      ask: (neighbour) => this.#ask(neighbour),
      resolved: (neighbour) => this.#releaseWaiting(neighbour),
      giveUp: (neighbour) => this.#dropWaiting(neighbour),
    });
    const endpoints = new EndpointTable(this.#neighbours);
    this.#underlays = new Underlays(this.#addresses, this.#domains, (domain, neighbour) =>
      this.#outletOf(domain, neighbour),
    );
    this.#tunnels = new TunnelTable(endpoints, this.#underlays);

    const decapsulateInput = new FrameBatch();
    const localInput = new FrameBatch();
    const { disposal } = this;
    this.#flood = new FloodNode(this.#members, disposal, localInput);
    this.#bridge = new BridgeNode(this.fdb, this.#members, disposal, this.#flood.input, localInput);
    this.#local = new LocalNode(
      localInput,
      this.#members,
      this.#addresses,
      this.#neighbours,
      disposal,
      decapsulateInput,
    );
    this.#decapsulate = new DecapsulateNode(
      decapsulateInput,
      this.#members,
      this.#tunnels,
      this.#slots,
      disposal,
      this.#bridge.input,
    );
    this.#encapsulate = new EncapsulateNode(this.#tunnels, this.#neighbours, disposal);
    this.#ingress = new Ingress(disposal, this.#bridge.input, decapsulateInput);
    this.#scheduler = new Scheduler(
      [this.#bridge, this.#local, this.#decapsulate, this.#flood, this.#encapsulate],
      disposal,
    );
  }

  /** Receives once from every port and takes what came to its end; returns how many frames there were. */
  breath(): number {
    const nowMs = this.#beginBreath();
    let total = 0;
    for (let index = 0; index < this.#slots.length; index++) {
      const slot = this.#slots[index];
      if (slot === undefined) continue;
      const count = slot.port.receive(this.#received);
      if (count === 0) continue;
      total += count;
      this.#ingress.accept(slot, this.#received);
      this.#run();
    }
    if (nowMs >= this.#nextTickMs) this.#tick(nowMs);
    return total;
  }

  /** Second of the clock as of the last breath: what ages of FDB entries count from. */
  get second(): number {
    return this.#bridge.second;
  }

  /** Remote addresses of the tunnel endpoints, four words each, on shared memory. */
  get endpointRemotes(): SharedArrayBuffer {
    return this.#tunnels.endpoints.remotes.buffer;
  }

  /** The neighbours, as `readNeighbours` reads them. */
  get neighbourMirror(): SharedArrayBuffer {
    return this.#neighbours.mirror.buffer;
  }

  /** Milliseconds until `breath` has something to do even when no frame arrives. */
  msUntilTick(): number {
    return Math.max(0, this.#nextTickMs - this.#now());
  }

  addPort(port: Port, row: number, listener?: { address: number; port: number }): void {
    const slot = new PortSlot(port, row, this.disposal);
    this.#slots[port.index] = slot;
    if (listener !== undefined) slot.listener = this.#underlays.addSocket(slot, listener.address, listener.port);
    const specs = [...this.#interfaceSpecs.values()].filter((spec) => spec.port === port.index);
    for (const spec of specs) this.#setInterfaceMember(spec);
    for (const id of new Set(specs.map(({ domain }) => domain))) this.#announce(this.#domains.get(id)!);
    this.#unsettled = true;
    this.#settle();
  }

  /** Closes the port; members behind it stay configured and drop what they get until a port is added again. */
  removePort(index: number): void {
    const slot = this.#slots[index];
    if (slot === undefined) return;
    slot.flush();
    this.#slots[index] = undefined;
    this.#underlays.removeSocket(slot);
    slot.port.close();
    for (const spec of this.#interfaceSpecs.values()) if (spec.port === index) this.#setInterfaceMember(spec);
    this.#unsettled = true;
    this.#settle();
  }

  ports(): Port[] {
    return this.#slots.flatMap((slot) => (slot === undefined ? [] : [slot.port]));
  }

  /**
   * Applies operations[from…] for at most `budgetMs`, at least one of them; returns the index of the first that is left.
   * Between two calls frames may flow.
   */
  apply(operations: readonly Operation[], from = 0, budgetMs = Infinity): number {
    const startMs = this.#beginBreath();
    let next = from;
    do {
      this.#applyOne(operations[next]!);
      next += 1;
    } while (next < operations.length && this.#now() - startMs < budgetMs);
    this.#settle();
    return next;
  }

  #applyOne(operation: Operation): void {
    switch (operation.op) {
      case 'set-ageing':
        this.#ageingSeconds = operation.seconds;
        break;
      case 'set-domain':
        this.#setDomain(operation.spec);
        break;
      case 'remove-domain':
        this.#removeDomain(operation.id);
        break;
      case 'set-interface-member':
        this.#interfaceSpecs.set(operation.spec.id, operation.spec);
        this.#setInterfaceMember(operation.spec);
        this.#unsettled = true;
        break;
      case 'set-tunnel-member':
        this.#setTunnelMember(operation.spec);
        break;
      case 'remove-member':
        this.#removeMember(operation.id);
        break;
      case 'set-self':
        this.#setSelf(operation.spec);
        break;
      case 'remove-self':
        this.#addresses.remove(operation.name);
        this.#unsettled = true;
        break;
      case 'set-static-entry':
        this.#setStaticEntry(operation.spec);
        break;
      case 'remove-static-entry':
        this.fdb.removeStatic(operation.domain, operation.mac.high, operation.mac.low);
        break;
      case 'set-static-neighbour': {
        const { domain, address, mac } = operation.spec;
        this.#neighbours.setPermanent(domain, address, 0, mac.high, mac.low);
        break;
      }
      case 'remove-static-neighbour':
        this.#neighbours.removePermanent(operation.domain, operation.address);
        break;
    }
  }

  /** Builds anew what follows from several objects at once: the way to every endpoint. */
  #settle(): void {
    if (this.#unsettled) {
      this.#unsettled = false;
      this.#underlays.addressesChanged();
      this.#tunnels.reconnect();
    }
    this.#run();
  }

  #beginBreath(): number {
    const nowMs = this.#now();
    this.#local.nowMs = nowMs;
    this.#encapsulate.nowMs = nowMs;
    this.#bridge.second = Math.floor(nowMs / 1000);
    return nowMs;
  }

  #run(): void {
    this.#scheduler.run();
    for (let index = 0; index < this.#slots.length; index++) this.#slots[index]?.flush();
    if (this.#audit && imbalance(this.books) !== 0) {
      throw new Error(`the books are out by ${imbalance(this.books)}: ${[...this.books].join(' ')}`);
    }
  }

  #tick(nowMs: number): void {
    this.#nextTickMs = nowMs + TICK_MS;
    const slots = this.fdb.table.length / FDB_STRIDE;
    this.fdb.age(Math.floor(nowMs / 1000), this.#ageingSeconds, Math.ceil(slots / TICKS_PER_SWEEP));
    this.#neighbours.tick(nowMs);
    for (const slot of this.#slots) slot?.noteCounters();
    for (const neighbour of this.#neighbours.all()) {
      if (neighbour.isResolved && this.#followStation(neighbour)) this.#neighbours.changed(neighbour);
    }
    this.#run();
  }

  #setDomain(spec: DomainSpec): void {
    let domain = this.#domains.get(spec.id);
    if (domain === undefined) {
      domain = new Domain(spec.id, spec.name);
      this.#domains.set(spec.id, domain);
      const nowhere: Outlet = { push: (frame) => this.disposal.drop(frame, Drop.localUnsupported, 0) };
      this.#members[spec.localMember] = new Member(spec.localMember, spec.name, MemberKind.local, domain, 0, nowhere);
      domain.localMember = spec.localMember;
    }
    domain.hasLocal = spec.mac !== undefined;
    domain.macHigh = spec.mac?.high ?? 0;
    domain.macLow = spec.mac?.low ?? 0;
    this.#unsettled = true;
  }

  #removeDomain(id: number): void {
    const domain = this.#domains.get(id);
    if (domain === undefined) return;
    for (const member of [...domain.members]) this.#removeMember(member.id);
    this.#domains.delete(id);
    this.#members[domain.localMember] = undefined;
    this.#unsettled = true;
  }

  #setInterfaceMember(spec: InterfaceMemberSpec): void {
    const slot = this.#slots[spec.port];
    const domain = this.#domains.get(spec.domain)!;
    const outlet: Outlet =
      slot === undefined
        ? { push: (frame) => this.disposal.drop(frame, Drop.portDown, spec.row) }
        : new InterfaceOutlet(slot, spec.vlan, spec.mtu, spec.row, this.disposal);
    const member = new Member(spec.id, spec.name, MemberKind.interface, domain, spec.row, outlet);
    member.enabled = spec.enabled;
    member.mtu = spec.mtu;
    member.splitHorizonGroup = spec.splitHorizonGroup;
    this.#place(member);
    if (slot !== undefined) {
      slot.memberByVlan.forEach((id, vlan) => {
        if (id === spec.id) slot.memberByVlan[vlan] = -1;
      });
      if (spec.enabled) slot.memberByVlan[spec.vlan] = spec.id;
    }
  }

  #setTunnelMember(spec: TunnelMemberSpec): void {
    const domain = this.#domains.get(spec.domain)!;
    const member = new Member(spec.id, spec.name, MemberKind.tunnel, domain, spec.row, this.#encapsulate.input);
    member.enabled = spec.enabled;
    member.splitHorizonGroup = spec.splitHorizonGroup;
    member.floods = spec.floods;
    member.replicates = spec.replicates;
    member.mtu = spec.tunnel.mtu;
    this.#place(member);
    const tunnel = this.#tunnels.set(spec.tunnel, spec.row);
    member.floodEndpoints = this.#tunnels.holdAll(tunnel, spec.floodRemotes);
  }

  /** Puts the member where one of the same number was, or into its domain; what was learned stays unless it moved. */
  #place(member: Member): void {
    const old = this.#members[member.id];
    if (old !== undefined && old.domain !== member.domain) this.#detach(old);
    const position = member.domain.members.findIndex((other) => other.id === member.id);
    if (position === -1) member.domain.members.push(member);
    else member.domain.members[position] = member;
    this.#members[member.id] = member;
    member.domain.settleMtu();
  }

  #detach(member: Member): void {
    const position = member.domain.members.indexOf(member);
    if (position !== -1) member.domain.members.splice(position, 1);
    member.domain.settleMtu();
    this.fdb.forgetMember(member.id);
    for (const other of member.domain.members) other.forgetLast();
  }

  #removeMember(id: number): void {
    const member = this.#members[id];
    if (member === undefined) return;
    this.#detach(member);
    const spec = this.#interfaceSpecs.get(id);
    if (spec !== undefined) {
      const slot = this.#slots[spec.port];
      if (slot?.memberByVlan[spec.vlan] === id) slot.memberByVlan[spec.vlan] = -1;
      this.#interfaceSpecs.delete(id);
    }
    this.#dropWaitingOf(id);
    this.#tunnels.remove(id);
    this.#members[id] = undefined;
    this.#unsettled = true;
  }

  #setSelf(spec: SelfSpec): void {
    this.#addresses.set(spec);
    this.#unsettled = true;
    const domain = this.#domains.get(spec.domain);
    if (domain !== undefined) this.#announce(domain, spec.name);
  }

  /** Tells switches and neighbours where our addresses, or one of them, now live (RFC 5227, section 2.3). */
  #announce(domain: Domain, only?: string): void {
    const canSend = domain.members.some((member) => {
      const spec = this.#interfaceSpecs.get(member.id);
      return member.enabled && (spec === undefined || this.#slots[spec.port] !== undefined);
    });
    if (!domain.hasLocal || !canSend) return;
    for (const { name, words, isIpv6 } of this.#addresses.of(domain.id)) {
      if (!isIpv6 && (only ?? name) === name) this.#sendArp(domain, words[3], words[3], undefined);
    }
  }

  #setStaticEntry(spec: StaticEntrySpec): void {
    const tunnel = this.#tunnels.byMember[spec.member];
    const endpoint = tunnel === undefined || spec.remote === undefined ? -1 : this.#tunnels.hold(tunnel, spec.remote);
    this.fdb.setStatic(spec.domain, spec.mac.high, spec.mac.low, spec.member, endpoint);
  }

  // Neighbours.

  #outletOf(domain: Domain, neighbour: Neighbour): { outlet: Outlet; member: number } | undefined {
    const member =
      neighbour.member === -1 ? (this.#stationMember(neighbour) ?? domain.members[0]) : this.#members[neighbour.member];
    if (!member?.enabled) return undefined;
    return { outlet: member.outlet, member: member.id };
  }

  #stationMember(neighbour: Neighbour): Member | undefined {
    const entry = this.fdb.find(neighbour.domain, neighbour.macHigh, neighbour.macLow);
    return entry === -1 ? undefined : this.#members[this.fdb.table[entry + FdbField.member]!];
  }

  /** Notes where the bridge has last heard the neighbour's station; true when that is somewhere else than before. */
  #followStation(neighbour: Neighbour): boolean {
    const member = this.#stationMember(neighbour);
    if (member === undefined || member.id === neighbour.member) return neighbour.waiting.length > 0;
    neighbour.member = member.id;
    return true;
  }

  #ask(neighbour: Neighbour): void {
    const domain = this.#domains.get(neighbour.domain);
    if (domain === undefined) return;
    this.#sendArp(domain, neighbour.source, neighbour.address, neighbour.isResolved ? neighbour : undefined);
  }

  /** Sends an ARP request, to the neighbour alone when it is given and to the whole domain otherwise. */
  #sendArp(domain: Domain, source: number, target: number, neighbour: Neighbour | undefined): void {
    const { pool } = this.disposal;
    const frame = pool.acquire(ETHERNET_HEADER_OCTETS + ARP_OCTETS);
    if (frame === undefined) return;
    const { bytes } = pool.arena;
    const high = neighbour?.macHigh ?? MAC_BROADCAST_HIGH;
    const low = neighbour?.macLow ?? MAC_BROADCAST_LOW;
    const arp = frame.start + ETHERNET_HEADER_OCTETS;
    writeEthernet(bytes, frame.start, high, low, domain.macHigh, domain.macLow, EtherType.arp);
    writeArp(bytes, arp, ARP_REQUEST, domain.macHigh, domain.macLow, source, 0, 0, target);
    frame.end = arp + ARP_OCTETS;
    frame.member = domain.localMember;
    this.books[Book.originated]! += 1;
    const member = neighbour === undefined || neighbour.member === -1 ? undefined : this.#members[neighbour.member];
    if (member === undefined) {
      this.#flood.input.push(frame);
    } else {
      frame.egress = member.id;
      member.outlet.push(frame);
    }
  }

  #releaseWaiting(neighbour: Neighbour): void {
    this.books[Book.held]! -= neighbour.waiting.length;
    // They are no longer copies that wait but frames on their way: the scheduler takes them in this breath.
    for (const frame of neighbour.waiting) this.#encapsulate.input.push(frame);
    neighbour.waiting.length = 0;
  }

  #dropWaiting(neighbour: Neighbour): void {
    this.books[Book.held]! -= neighbour.waiting.length;
    for (const frame of neighbour.waiting) {
      this.disposal.drop(frame, Drop.neighbourUnresolved, this.#members[frame.egress]?.row ?? 0);
    }
    neighbour.waiting.length = 0;
  }

  /** Frames that wait to leave by a member that goes away. */
  #dropWaitingOf(member: number): void {
    for (const neighbour of this.#neighbours.all()) {
      for (let index = neighbour.waiting.length - 1; index >= 0; index--) {
        const frame = neighbour.waiting[index]!;
        if (frame.egress !== member) continue;
        neighbour.waiting.splice(index, 1);
        this.books[Book.held]! -= 1;
        this.disposal.drop(frame, Drop.memberDown, 0);
      }
    }
  }
}
