// The data plane of one worker: tables, nodes, and the operations that change them between two breaths.
//
//   ports ─► ingress ─► bridge ─┬─► interface outlets ─► ports
//                        ▲  │   └─► encapsulate ─► ports
//                        │  ├─► flood ──► (the same outlets)
//                        │  └─► local ─┬► decapsulate ─┐
//                        │             └► route ──► (the same outlets)
//                        └─────────────────────────────┘
//
// Pure of threads and sockets: the worker and the tests drive it alike, with real ports or with memory ones.

import { BridgeNode } from '../../bridge/bridge-node.ts';
import { Crossing, type CrossingSpec } from '../../bridge/crossing.ts';
import { ADMITS_NONE, Domain, Member, MemberKind } from '../../bridge/domain.ts';
import { FDB_ENTRIES, FDB_STRIDE, ForwardingDatabase, MAX_STATIC_ENTRIES } from '../../bridge/fdb.ts';
import { FloodNode } from '../../bridge/flood-node.ts';
import { LoopGuard } from '../../bridge/loop-guard.ts';
import { MAX_L2_CACHE } from '../../config/types/ltm-global-settings-general.ts';
import type { AddressWords } from '../../core/address.ts';
import type { CounterTable } from '../../core/counters.ts';
import { Drop } from '../../core/drop-reason.ts';
import type { Compressor } from '../../ipsec/compressor.ts';
import type { CryptoBatch } from '../../ipsec/crypto.ts';
import { DatagramFrames } from '../../packet/datagrams.ts';
import { BURST, FrameBatch } from '../../packet/frame.ts';
import type { FramePool } from '../../packet/pool.ts';
import { type Books, imbalance } from '../../pipeline/books.ts';
import { AddressConflicts } from '../../route/address-conflicts.ts';
import { Disposal } from '../../pipeline/disposal.ts';
import type { Outlet } from '../../pipeline/node.ts';
import { Scheduler } from '../../pipeline/scheduler.ts';
import type { Tap } from '../../pipeline/tap.ts';
import { FrameRing, type FrameRingMemory } from '../../port/frame-ring.ts';
import type { Port } from '../../port/port.ts';
import type { HostGroup } from '../../route/host-groups.ts';
import { PathMtuTable } from '../../route/path-mtu.ts';
import { Reassembly } from '../../route/reassembly.ts';
import { ETHERNET_HEADER_OCTETS } from '../../wire/ethernet.ts';
import { IcmpError } from '../../wire/icmp-error.ts';
import { AssociationStates, createAssociationStates } from './association-states.ts';
import { EndpointTable } from './endpoint-table.ts';
import { Fragmenter } from './fragmenter.ts';
import { GroupService } from './group-service.ts';
import { HostPath } from './host-path.ts';
import { HostProtection } from './host-protection.ts';
import { IcmpErrors } from './icmp-errors.ts';
import { Ingress } from './ingress.ts';
import { InterfaceOutlet } from './interface-outlet.ts';
import { IpsecErrors } from './ipsec-errors.ts';
import { IpsecGate } from './ipsec-gate.ts';
import { IpsecPaths } from './ipsec-paths.ts';
import { IpsecWorker } from './ipsec-worker.ts';
import { KeyExchange } from './key-exchange.ts';
import { LocalAddresses } from './local-addresses.ts';
import type { LocalDelivery } from './local-delivery.ts';
import { ArpResponder } from './nodes/arp-responder.ts';
import { DecapsulateNode } from './nodes/decapsulate-node.ts';
import { DiscoveryResponder } from './nodes/discovery-responder.ts';
import { EncapsulateNode } from './nodes/encapsulate-node.ts';
import { LocalNode } from './nodes/local-node.ts';
import { PacketReceiver } from './nodes/packet-receiver.ts';
import { RouteNode } from './nodes/route-node.ts';
import { NeighbourService } from './neighbour-service.ts';
import { MAX_HOSTS, NextHops } from './next-hops.ts';
import { OpaqueRouter } from './opaque-router.ts';
import { Oversize } from './oversize.ts';
import { PacketOutlet } from './packet-outlet.ts';
import { PortSlot } from './port-slot.ts';
import { ReplyOutlet } from './reply-outlet.ts';
import { Routes } from './routes.ts';
import type {
  DomainSpec,
  InterfaceMemberSpec,
  IpsecTunnelSpec,
  Operation,
  SelfSpec,
  StaticEntriesSpec,
  TunnelMemberSpec,
} from './spec.ts';
import { TunnelErrors } from './tunnel-errors.ts';
import { TunnelTable } from './tunnel-table.ts';
import { TunnelProtection } from './tunnel-protection.ts';
import { type ListenerPlace, Underlays } from './underlays.ts';

export type DataplaneOptions = {
  pool: FramePool;
  counters: CounterTable;
  books: Books;
  tap: Tap;
  /** Milliseconds of a clock that never goes back. */
  now: () => number;
  /** From 0 up to 1; default Math.random. */
  random?: () => number;
  learnedLimit?: number;
  staticLimit?: number;
  /** Hosts on connected networks that packets may be sent to directly, at one time. */
  hostLimit?: number;
  /** Packets for us that may be put together of fragments at a time. */
  reassemblyLimit?: number;
  /** Who gets packets for our own addresses that nothing in the data plane takes; default: nobody. */
  makeLocalDelivery?: (members: readonly (Member | undefined)[], disposal: Disposal) => LocalDelivery;
  /** Does the cryptography of IPsec; absent: nothing can be sealed or opened. */
  crypto?: CryptoBatch | undefined;
  /** Does the compression of IPComp. */
  compressor?: Compressor | undefined;
  /** Where the state of security associations is shared with who shows and feeds them. */
  associations?: SharedArrayBuffer | undefined;
  /** Where messages of key exchange wait for who has registered (key-exchange.ts); absent: nobody can. */
  keyExchange?: FrameRingMemory | undefined;
  /** Seconds after which a learned station that is not heard is forgotten. */
  ageingSeconds?: number;
  /** Checks the books after every breath and throws when they are out: for tests and debug builds. */
  audit?: boolean;
};

const DEFAULT_AGEING_SECONDS = 300;
const TICK_MS = 250;
/** What a tick may take for endpoints whose way has changed by itself. */
const SETTLE_MS = 0.5;
const NO_ADDRESS: AddressWords = [0, 0, 0, 0];
/** Ticks in which ageing goes through the whole table once. */
const TICKS_PER_SWEEP = 40;
/** Slots that ageing looks at in one breath: some ten microseconds. */
const SLOTS_PER_SWEEP = 1024;
/** Slots of the FDB that are looked at in one go for the stations of a member that goes. */
const SLOTS_PER_FORGETTING = 16_384;

export class Dataplane {
  readonly fdb: ForwardingDatabase;
  readonly books: Books;
  readonly disposal: Disposal;
  readonly #now: () => number;
  #ageingSeconds: number;
  readonly #audit: boolean;

  readonly #slots: (PortSlot | undefined)[] = [];
  /** Ports that say by themselves when they have frames. */
  #timedPorts: Port[] = [];
  readonly #domains = new Map<number, Domain>();
  /** What was told of the crossing of each VLAN group, by domain. */
  readonly #crossings = new Map<number, CrossingSpec>();
  readonly #guard = new LoopGuard();
  /** Whether this device is the active one of its group. */
  #isActive = true;
  readonly #members: (Member | undefined)[] = [];
  readonly #interfaceSpecs = new Map<number, InterfaceMemberSpec>();
  readonly #addresses = new LocalAddresses();
  readonly #neighbours: NeighbourService;
  readonly #groups: GroupService;
  readonly #tunnels: TunnelTable;
  readonly #underlays: Underlays;

  readonly #received = new FrameBatch();
  readonly #datagrams = new DatagramFrames();
  readonly #ingress: Ingress;
  readonly #bridge: BridgeNode;
  readonly #flood: FloodNode;
  readonly #router: OpaqueRouter;
  readonly #local: LocalNode;
  readonly #hostPath: HostPath;
  readonly #receiver: PacketReceiver;
  readonly #reassembly: Reassembly;
  readonly #hostProtection: HostProtection;
  readonly #tunnelErrors: TunnelErrors;
  readonly #hops: NextHops;
  readonly #routes: Routes;
  readonly #errors: IcmpErrors;
  readonly #conflicts = new AddressConflicts();
  /** Sends packets by the routes. */
  readonly route: RouteNode;
  readonly #decapsulate: DecapsulateNode;
  readonly #encapsulate: EncapsulateNode;
  readonly #ipsec: IpsecGate;
  readonly #ipsecWorker: IpsecWorker;
  readonly #scheduler: Scheduler;
  #nextTickMs = 0;
  /** Slots of the FDB that ageing has still to look at before the next tick. */
  #slotsToSweep = 0;
  /** Whether ports, domains or addresses have changed since it was looked which endpoints that concerns. */
  #isDisturbed = false;
  /** Whether every endpoint is connected as things are now. */
  #isSettled = true;
  /** Whether tunnels may listen to other multicast groups than before. */
  #regroups = false;

  constructor(options: DataplaneOptions) {
    this.#now = options.now;
    this.#ageingSeconds = options.ageingSeconds ?? DEFAULT_AGEING_SECONDS;
    this.#audit = options.audit ?? false;
    this.books = options.books;
    const { learnedLimit = MAX_L2_CACHE, staticLimit = MAX_STATIC_ENTRIES } = options;
    const entries = Math.min(FDB_ENTRIES, learnedLimit + staticLimit);
    this.fdb = new ForwardingDatabase(learnedLimit, staticLimit, entries);
    this.disposal = new Disposal(options.books, options.counters, options.pool, options.tap);
    const { disposal } = this;
    this.#ipsec = new IpsecGate(disposal);
    const decapsulateInput = new FrameBatch();
    const localInput = new FrameBatch();
    const floodInput = new FrameBatch();
    const encapsulateInput = new FrameBatch();
    const routeInput = new FrameBatch();
    this.#neighbours = new NeighbourService(
      this.#domains,
      this.#members,
      this.fdb,
      this.#addresses,
      disposal,
      floodInput,
      encapsulateInput,
    );
    const random = options.random ?? Math.random;
    this.#groups = new GroupService(this.#domains, this.#addresses, disposal, floodInput, random);
    const { hostLimit = MAX_HOSTS } = options;
    this.#hops = new NextHops(this.#domains, this.#neighbours, hostLimit);
    this.#routes = new Routes(this.#hops, () => this.#disturb());
    this.#underlays = new Underlays(this.#addresses, this.#domains, this.#routes, this.#ipsec, floodInput);
    const { table: neighbours } = this.#neighbours;
    const paths = new PathMtuTable();
    const ipsecPaths = new IpsecPaths(this.#routes, this.#domains, paths);
    const protection = new TunnelProtection(this.#ipsec, ipsecPaths);
    this.#tunnels = new TunnelTable(new EndpointTable(paths, protection), this.#underlays);

    this.#flood = new FloodNode(floodInput, this.#members, this.#guard, disposal, localInput);
    this.#bridge = new BridgeNode(this.fdb, this.#guard, this.#members, disposal, floodInput, localInput);
    const replies = new ReplyOutlet(disposal.pool.arena.bytes, this.fdb);
    this.#errors = new IcmpErrors(this.#members, this.#addresses, replies, disposal);
    this.#reassembly = new Reassembly(disposal, options.reassemblyLimit);
    this.#reassembly.timedOut = (frame) => this.#errors.report(frame, IcmpError.reassemblyTimeExceeded, 0);
    this.#tunnelErrors = new TunnelErrors(this.#addresses, this.#tunnels.endpoints, paths, options.pool.arena);
    const fragmenter = new Fragmenter(disposal, random);
    this.#router = new OpaqueRouter(this.#members, this.fdb, this.#errors, disposal, floodInput);
    this.#hostProtection = new HostProtection(this.#ipsec, disposal);
    this.#hostPath = new HostPath(
      this.#domains,
      this.#members,
      this.#slots,
      this.#addresses,
      this.fdb,
      fragmenter,
      disposal,
      {
        originate: (frame, domain) => this.route.originate(frame, domain),
        protect: (frame, domain) => this.#hostProtection.take(frame, domain),
      },
      floodInput,
    );
    this.#receiver = new PacketReceiver(
      this.#members,
      this.#domains,
      this.#addresses,
      this.#groups,
      options.makeLocalDelivery?.(this.#members, disposal) ?? this.#hostPath,
      replies,
      this.#reassembly,
      fragmenter,
      this.#tunnelErrors,
      this.#ipsec,
      new IpsecErrors(this.#ipsec.associations, paths, options.pool.arena),
      disposal,
      decapsulateInput,
      this.#datagrams,
    );
    this.route = new RouteNode(
      routeInput,
      this.#members,
      this.#addresses,
      this.#routes,
      this.#hops,
      this.#neighbours,
      this.#receiver,
      this.#errors,
      fragmenter,
      this.#ipsec,
      disposal,
    );
    this.#neighbours.routed = this.route;
    this.#errors.originate = (frame, domain) => this.route.originate(frame, domain);
    this.#receiver.originate = (frame, domain) => this.route.originate(frame, domain);
    this.#local = new LocalNode(
      localInput,
      this.#members,
      this.#addresses,
      this.#router,
      new ArpResponder(this.#members, this.#addresses, neighbours, this.#router, this.#conflicts, replies, disposal),
      new DiscoveryResponder(this.#members, this.#addresses, neighbours, this.#conflicts, replies, disposal),
      this.#receiver,
      disposal,
      routeInput,
    );
    this.#decapsulate = new DecapsulateNode(
      decapsulateInput,
      this.#members,
      this.#tunnels,
      this.#slots,
      disposal,
      this.#bridge.input,
      routeInput,
    );
    this.#encapsulate = new EncapsulateNode(
      encapsulateInput,
      this.#members,
      this.#tunnels,
      neighbours,
      new Oversize(this.#members, this.#errors, fragmenter, disposal),
      new Fragmenter(disposal, random),
      disposal,
    );
    this.#ingress = new Ingress(disposal, this.#hostPath, this.#bridge.input, decapsulateInput, routeInput);
    const states = new AssociationStates(options.associations ?? createAssociationStates());
    const ring = options.keyExchange && new FrameRing(options.pool.arena, options.keyExchange);
    this.#ipsecWorker = new IpsecWorker(
      this.#ipsec,
      ipsecPaths,
      states,
      new KeyExchange(this.#ipsec, ring, this.#members, this.#domains, this.#addresses, disposal, this.route),
      this.#addresses,
      this.#domains,
      disposal,
      this.route,
    );
    const surroundings = {
      members: this.#members,
      receiver: this.#receiver,
      errors: this.#errors,
      fragmenter,
      toRoute: routeInput,
      datagrams: this.#datagrams,
    };
    this.#scheduler = new Scheduler(
      [
        this.#bridge,
        this.#local,
        ...this.#ipsecWorker.nodes(surroundings, options.crypto, options.compressor),
        this.#decapsulate,
        this.route,
        this.#flood,
        this.#encapsulate,
      ],
      disposal,
    );
  }

  /**
   * Receives once from every port and takes what came to its end; returns how many frames there were. With `ready`, by
   * index of the port, only from those that are marked and those that cannot be waited for; then it marks the ports that
   * have to be asked again before one waits for them.
   */
  breath(ready?: Uint8Array): number {
    const nowMs = this.#beginBreath();
    const isTick = nowMs >= this.#nextTickMs;
    let total = 0;
    for (let index = 0; index < this.#slots.length; index++) {
      const slot = this.#slots[index];
      if (slot === undefined) continue;
      const { port } = slot;
      // With the tick all are asked: a port also does its housekeeping when it is.
      if (ready?.[index] === 0 && port.descriptors.length > 0 && !isTick) continue;
      const count = port.receive(this.#received);
      if (ready !== undefined) ready[index] = count === BURST ? 1 : 0;
      if (count === 0) continue;
      total += count;
      this.#ingress.accept(slot, this.#received);
      this.#run();
    }
    if (isTick) this.#tick(nowMs);
    if (this.#slotsToSweep > 0) this.#sweep();
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
    return this.#neighbours.table.mirror.buffer;
  }

  /** The episodes of the loop guard, as `readEpisodes` reads them. */
  get loopEpisodes(): SharedArrayBuffer {
    return this.#guard.episodes.buffer;
  }

  /** Addresses of ours that other stations have, as `readConflicts` reads them. */
  get conflicts(): SharedArrayBuffer {
    return this.#conflicts.table.buffer;
  }

  /** Milliseconds until `breath` has something to do even when no frame arrives. */
  msUntilTick(): number {
    if (this.#slotsToSweep > 0) return 0;
    let ms = Math.max(0, this.#nextTickMs - this.#now());
    for (const port of this.#timedPorts) ms = Math.min(ms, port.dueMs!());
    return ms;
  }

  /** `listener`: what a socket port serves; `budgetMs`, here and below: what `settle` may take at once. */
  addPort(port: Port, row: number, listener?: ListenerPlace, budgetMs = Infinity): void {
    const slot = new PortSlot(port, row, this.disposal);
    this.#slots[port.index] = slot;
    if (listener !== undefined) slot.listener = this.#underlays.addSocket(slot, listener);
    this.#timedPorts = this.ports().filter((other) => other.dueMs !== undefined);
    const specs = [...this.#interfaceSpecs.values()].filter((spec) => spec.port === port.index);
    for (const spec of specs) this.#setInterfaceMember(spec);
    for (const id of new Set(specs.map(({ domain }) => domain))) this.#announce(this.#domains.get(id)!);
    this.#disturb();
    this.settle(budgetMs);
  }

  /** Closes the port; members behind it stay configured and drop what they get until a port is added again. */
  removePort(index: number, budgetMs = Infinity): void {
    const slot = this.#slots[index];
    if (slot === undefined) return;
    slot.flush();
    this.#slots[index] = undefined;
    this.#timedPorts = this.ports().filter((other) => other.dueMs !== undefined);
    this.#underlays.removeSocket(slot);
    slot.isClosed = true;
    slot.port.close();
    for (const spec of this.#interfaceSpecs.values()) if (spec.port === index) this.#setInterfaceMember(spec);
    this.#disturb();
    this.settle(budgetMs);
  }

  /** Tells the network that we go, as far as it would otherwise send us more: to be called before the ports are closed. */
  takeLeave(): void {
    this.#groups.want([], this.#now());
    this.#run();
  }

  ports(): Port[] {
    return this.#slots.flatMap((slot) => (slot === undefined ? [] : [slot.port]));
  }

  /**
   * Applies operations[from…] for at most `budgetMs`; returns the index of the first that is left, which may be one that
   * goes on with the next call. Between two calls frames may flow. All is done when nothing is left and `isSettled`.
   */
  apply(operations: readonly Operation[], from = 0, budgetMs = Infinity): number {
    const startMs = this.#beginBreath();
    let next = from;
    do {
      if (this.#applyOne(operations[next]!)) next += 1;
    } while (next < operations.length && this.#now() - startMs < budgetMs);
    this.settle(budgetMs - (this.#now() - startMs));
    return next;
  }

  /** Whether every endpoint of a tunnel has the way that follows from what was applied. */
  get isSettled(): boolean {
    return this.#isSettled && !this.#isDisturbed;
  }

  /** Builds anew, for at most `budgetMs`, what follows from several objects at once: the ways to endpoints. */
  settle(budgetMs = Infinity): void {
    const startMs = this.#beginBreath();
    if (this.#isDisturbed) {
      this.#isDisturbed = false;
      this.#hops.refresh();
      this.#routes.settle();
      this.#underlays.addressesChanged();
      this.#tunnels.noteChangedWays();
      this.#regroups = true;
    }
    if (this.#regroups) {
      this.#regroups = false;
      this.#wantGroups(this.#now());
    }
    this.#isSettled = this.#tunnels.connectSome(() => this.#now() - startMs >= budgetMs);
    this.#run();
  }

  #disturb(): void {
    this.#isDisturbed = true;
    this.#underlays.disturb();
  }

  /** False when the operation is not done yet and has to be applied once more. */
  #applyOne(operation: Operation): boolean {
    switch (operation.op) {
      case 'set-learning':
        this.#ageingSeconds = operation.ageingSeconds;
        this.fdb.limitLearning(operation.limit);
        break;
      case 'set-failover-state':
        this.#isActive = operation.active;
        for (const domain of this.#domains.values()) this.#settleCrossing(domain);
        break;
      case 'set-domain':
        this.#setDomain(operation.spec);
        break;
      case 'remove-domain':
        return this.#removeDomain(operation.id);
      case 'set-interface-member':
        if (!this.#leaveDomain(operation.spec)) return false;
        this.#leavePort(operation.spec.id);
        this.#interfaceSpecs.set(operation.spec.id, operation.spec);
        this.#setInterfaceMember(operation.spec);
        this.#disturb();
        break;
      case 'set-tunnel-member':
        if (!this.#leaveDomain(operation.spec)) return false;
        this.#setTunnelMember(operation.spec);
        break;
      case 'remove-member':
        return this.#removeMember(operation.id);
      case 'set-self':
        this.#setSelf(operation.spec);
        break;
      case 'remove-self':
        this.#addresses.remove(operation.name);
        this.#hostPath.removeSelf(operation.name);
        this.#disturb();
        break;
      case 'set-host-path':
        this.#hostPath.set(operation.spec);
        break;
      case 'remove-host-path':
        this.#hostPath.remove(operation.domain);
        break;
      case 'seed-host-flows':
        this.#hostPath.seed(operation.sockets);
        break;
      case 'set-route-domain':
        this.#routes.setDomain(operation.id, operation.parent);
        this.#disturb();
        break;
      case 'remove-route-domain':
        this.#routes.removeDomain(operation.id);
        this.#disturb();
        break;
      case 'set-route':
        this.#routes.setRoute(operation.spec);
        this.#disturb();
        break;
      case 'remove-route':
        this.#routes.removeRoute(operation.id);
        this.#disturb();
        break;
      case 'set-route-table':
        this.#routes.setTable(operation.routeDomain, operation.routes);
        this.#disturb();
        break;
      case 'set-key-exchange':
      case 'send-key-exchange':
        this.#ipsecWorker.apply(operation, this.#now());
        break;
      case 'set-ipsec-settings':
      case 'set-traffic-selector':
      case 'remove-traffic-selector':
      case 'set-association':
      case 'remove-association':
        this.#ipsecWorker.apply(operation, this.#now());
        this.#disturb();
        break;
      case 'set-ipsec-tunnel':
        if (!this.#leaveDomain(operation.spec)) return false;
        this.#setIpsecTunnel(operation.spec);
        break;
      case 'set-static-entries':
        this.#setStaticEntries(operation);
        break;
      case 'remove-static-entries':
        operation.low.forEach((low, row) => this.fdb.removeStatic(operation.domain, operation.high[row]!, low));
        break;
      case 'set-static-neighbour': {
        const { domain, address, mac } = operation.spec;
        this.#neighbours.table.setPermanent(domain, address, NO_ADDRESS, mac.high, mac.low);
        break;
      }
      case 'remove-static-neighbour':
        this.#neighbours.table.removePermanent(operation.domain, operation.address);
        break;
      case 'seek-neighbours':
        for (const { domain, address } of operation.places) this.#neighbours.seek(domain, address, this.#now());
        break;
    }
    return true;
  }

  #beginBreath(): number {
    const nowMs = this.#now();
    this.#local.nowMs = nowMs;
    this.#receiver.nowMs = nowMs;
    this.route.nowMs = nowMs;
    this.#errors.nowMs = nowMs;
    this.#hops.second = Math.floor(nowMs / 1000);
    this.#encapsulate.nowMs = nowMs;
    this.#encapsulate.second = Math.floor(nowMs / 1000);
    this.#bridge.second = Math.floor(nowMs / 1000);
    this.#flood.second = this.#bridge.second;
    this.#router.nowMs = nowMs;
    this.#hostPath.second = this.#bridge.second;
    return nowMs;
  }

  #run(): void {
    this.#scheduler.run();
    for (let index = 0; index < this.#slots.length; index++) this.#slots[index]?.flush();
    this.#datagrams.clear();
    if (this.#audit && imbalance(this.books) !== 0) {
      throw new Error(`the books are out by ${imbalance(this.books)}: ${[...this.books].join(' ')}`);
    }
  }

  #tick(nowMs: number): void {
    this.#nextTickMs = nowMs + TICK_MS;
    const slots = this.fdb.table.length / FDB_STRIDE;
    if (this.fdb.learned > 0) this.#slotsToSweep = Math.ceil(slots / TICKS_PER_SWEEP);
    this.#neighbours.tick(nowMs);
    this.#hops.tick(nowMs);
    this.#reassembly.tick(nowMs);
    this.#hostProtection.tick(nowMs);
    this.#tunnelErrors.tick(nowMs);
    this.#router.tick();
    this.#ipsecWorker.tick(nowMs, this.second);
    this.#guard.tick(this.second);
    if (this.#hostPath.tick()) this.#wantGroups(nowMs);
    this.#groups.tick(nowMs);
    // Other gateways may answer than before.
    if (!this.isSettled) this.settle(SETTLE_MS);
    for (const slot of this.#slots) slot?.noteCounters();
    this.#run();
  }

  /** Joins the groups that tunnels and sockets of this host listen to, each of them once. */
  #wantGroups(nowMs: number): void {
    const wanted = new Map<string, HostGroup>();
    for (const one of [...this.#underlays.groups(), ...this.#hostPath.groups.groups.list()]) {
      wanted.set(`${one.domain} ${one.group.join(' ')}`, one);
    }
    this.#groups.want([...wanted.values()], nowMs);
  }

  /** Ageing goes on in small pieces, since frames wait meanwhile. */
  #sweep(): void {
    const slots = Math.min(this.#slotsToSweep, SLOTS_PER_SWEEP);
    this.#slotsToSweep -= slots;
    this.fdb.age(this.second, this.#ageingSeconds, slots);
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
    domain.routeDomain = spec.routeDomain ?? 0;
    domain.isLayer3 = spec.isLayer3 ?? false;
    domain.hasLocal = spec.mac !== undefined;
    domain.macHigh = spec.mac?.high ?? 0;
    domain.macLow = spec.mac?.low ?? 0;
    if (spec.crossing === undefined) this.#crossings.delete(spec.id);
    else this.#crossings.set(spec.id, spec.crossing);
    this.#settleCrossing(domain);
    this.#hostPath.domainsChanged();
    // Our own MAC may be another one.
    domain.changes += 1;
    this.#disturb();
  }

  #settleCrossing(domain: Domain): void {
    domain.crossing = Crossing.of(this.#crossings.get(domain.id), this.#isActive);
  }

  #removeDomain(id: number): boolean {
    const domain = this.#domains.get(id);
    if (domain === undefined) return true;
    for (const member of [...domain.members]) if (!this.#removeMember(member.id)) return false;
    this.#domains.delete(id);
    this.#crossings.delete(id);
    this.#hostPath.remove(id);
    this.#hostPath.domainsChanged();
    this.#router.forgetDomain(id);
    this.#members[domain.localMember] = undefined;
    this.#disturb();
    return true;
  }

  #setInterfaceMember(spec: InterfaceMemberSpec): void {
    const slot = this.#slots[spec.port];
    const domain = this.#domains.get(spec.domain)!;
    const outlet: Outlet =
      slot === undefined
        ? { push: (frame) => this.disposal.drop(frame, Drop.portDown, spec.row) }
        : new (slot.port.medium === 'ip' ? PacketOutlet : InterfaceOutlet)(slot, spec, this.disposal);
    const member = new Member(spec.id, spec.name, MemberKind.interface, domain, spec.row, outlet);
    member.enabled = spec.enabled;
    member.hasPort = slot !== undefined;
    member.mtu = spec.mtu;
    member.splitHorizonGroup = spec.splitHorizonGroup;
    member.segment = spec.segment ?? 0;
    member.sourceCheck = spec.checksSource === true ? this.#addresses : undefined;
    member.admittedOctets = member.sourceCheck === undefined ? spec.mtu + ETHERNET_HEADER_OCTETS : ADMITS_NONE;
    this.#place(member);
    if (slot !== undefined && spec.enabled) slot.place(spec);
  }

  /** Frames that arrive no longer belong to this interface member. */
  #leavePort(id: number): void {
    const spec = this.#interfaceSpecs.get(id);
    if (spec !== undefined) this.#slots[spec.port]?.displace(id);
    this.#interfaceSpecs.delete(id);
  }

  #setTunnelMember(spec: TunnelMemberSpec): void {
    const domain = this.#domains.get(spec.domain)!;
    const member = new Member(spec.id, spec.name, MemberKind.tunnel, domain, spec.row, this.#encapsulate.input);
    member.enabled = spec.enabled;
    member.splitHorizonGroup = spec.splitHorizonGroup;
    member.floods = spec.floods;
    member.replicates = spec.replicates;
    member.segment = spec.segment ?? 0;
    member.mtu = spec.tunnel.mtu;
    this.#place(member);
    if (!this.#tunnels.keepsEndpoints(spec.tunnel)) this.fdb.forgetMember(spec.id);
    const tunnel = this.#tunnels.set(spec.tunnel, spec.row);
    this.#regroups = true;
    member.floodEndpoints = this.#tunnels.holdAll(tunnel, spec.floodRemotes);
  }

  #setIpsecTunnel({ id, name, row, domain, enabled, mtu }: IpsecTunnelSpec): void {
    const outlet = this.#ipsecWorker.tunnelOutlet(id, row);
    const member = new Member(id, name, MemberKind.tunnel, this.#domains.get(domain)!, row, outlet);
    member.enabled = enabled;
    member.mtu = mtu;
    this.#place(member);
    this.#disturb();
  }

  /** Takes the member of this number out of its domain if it goes to another; false when that is not done yet. */
  #leaveDomain(spec: { id: number; domain: number }): boolean {
    const old = this.#members[spec.id];
    return old === undefined || old.domain.id === spec.domain || this.#detach(old);
  }

  /** Puts the member where one of the same number was, or into its domain; what was learned stays. */
  #place(member: Member): void {
    const position = member.domain.members.findIndex((other) => other.id === member.id);
    if (position === -1) member.domain.members.push(member);
    else member.domain.members[position] = member;
    this.#members[member.id] = member;
    member.domain.settleMembers();
  }

  /** Forgets the member's stations and takes it out of its domain; false when the table was not seen through yet. */
  #detach(member: Member): boolean {
    member.enabled = false;
    member.learns = false;
    if (!this.fdb.forgetMember(member.id, SLOTS_PER_FORGETTING)) return false;
    const position = member.domain.members.indexOf(member);
    if (position !== -1) member.domain.members.splice(position, 1);
    member.domain.settleMembers();
    this.#guard.forgetMember(member.id);
    this.#router.forgetMember(member.id);
    for (const other of member.domain.members) other.forgetLast();
    return true;
  }

  /** False when that is not done yet. */
  #removeMember(id: number): boolean {
    const member = this.#members[id];
    if (member === undefined) return true;
    if (!this.#detach(member)) return false;
    this.#leavePort(id);
    this.#neighbours.dropWaitingOf(id);
    this.#reassembly.forgetMember(id);
    this.#hostProtection.forgetMember(id);
    this.#tunnels.remove(id);
    this.#members[id] = undefined;
    this.#disturb();
    return true;
  }

  #setSelf(spec: SelfSpec): void {
    this.#addresses.set(spec);
    this.#hostPath.setSelf(spec);
    this.#disturb();
    const domain = this.#domains.get(spec.domain);
    if (domain !== undefined) this.#announce(domain, spec.name);
  }

  /** Announces our addresses, or one of them, if there is a port to do it on. */
  #announce(domain: Domain, only?: string): void {
    const canSend = domain.members.some((member) => {
      const spec = this.#interfaceSpecs.get(member.id);
      return member.enabled && (spec === undefined || this.#slots[spec.port] !== undefined);
    });
    if (!canSend) return;
    this.#neighbours.announce(domain, only);
    if (only === undefined) this.#groups.announce(domain.id, this.#now());
  }

  #setStaticEntries({ domain, high, low, target, targets }: StaticEntriesSpec): void {
    const endpoints = targets.map(({ member, remote }) => {
      const tunnel = this.#tunnels.byMember[member];
      return tunnel === undefined || remote === undefined ? -1 : this.#tunnels.hold(tunnel, remote);
    });
    for (let row = 0; row < low.length; row++) {
      const to = target[row]!;
      this.fdb.setStatic(domain, high[row]!, low[row]!, targets[to]!.member, endpoints[to]!);
    }
  }
}
