// A data plane on memory ports: frames go in by hand, what leaves is collected, the clock stands still until it is moved.
//
//   inside ─ port 1, untagged ─┐
//                              ├─ domain "bridge" ─ tunnel vx1, 10.9.1.1 → 10.9.1.2, VNI 100 ─ port 0 "wan"
//   (tests add more)          ─┘

import { Dataplane } from '../../src/assembly/dataplaned/dataplane.ts';
import { type PlannedRoute, RoutePlan, type RouteTarget } from '../../src/assembly/dataplaned/route-plan.ts';
import type {
  DomainSpec,
  InterfaceMemberSpec,
  Operation,
  SelfSpec,
  TunnelMemberSpec,
} from '../../src/assembly/dataplaned/spec.ts';
import type { ListenerPlace } from '../../src/assembly/dataplaned/underlays.ts';
import type { AddressWords } from '../../src/core/address.ts';
import { parseAddress, parseIpv4, parsePrefix } from '../../src/core/address.ts';
import { Column, CounterTable } from '../../src/core/counters.ts';
import { DROP_NAMES } from '../../src/core/drop-reason.ts';
import type { CryptoBatch } from '../../src/ipsec/crypto.ts';
import { macHigh16, macLow32, parseMac } from '../../src/core/mac.ts';
import { Arena, ArenaAllocator } from '../../src/packet/arena.ts';
import { type Frame, FrameBatch } from '../../src/packet/frame.ts';
import { FramePool, poolOctets, type PoolSizes } from '../../src/packet/pool.ts';
import { createBooks } from '../../src/pipeline/books.ts';
import { NullTap, type Tap } from '../../src/pipeline/tap.ts';
import { createFrameRing, type FrameRingMemory, frameRingOctets } from '../../src/port/frame-ring.ts';
import { createMemoryPair, type MemoryPort } from '../../src/port/memory.ts';
import type { PortMedium } from '../../src/port/port.ts';
import { udpService } from '../../src/tunnel/service.ts';
import { TOS_PRESERVE, TunnelKind, UdpChecksum } from '../../src/tunnel/tunnel.ts';

export const WAN_MAC = '02:00:00:00:00:01';
export const BRIDGE_MAC = '02:00:00:00:00:02';
export const PEER_MAC = '02:ee:00:00:00:02';
export const LOCAL = '10.9.1.1';
export const REMOTE = '10.9.1.2';
export const VNI = 100;

/** Numbers of the objects that the rig makes; tests that add more start behind them. */
export const Id = { wanDomain: 1, bridgeDomain: 2, wanMember: 0, insideMember: 1, vx1: 2, firstFree: 20 } as const;

const POOL: PoolSizes = { smallSlots: 512, largeSlots: 64 };

export const ipv4 = (text: string): number => parseIpv4(text)!;
/** Of an address of either IP version. */
export const words = (text: string): AddressWords => parseAddress(text)!.words;
export const mac = (text: string): { high: number; low: number } => {
  const octets = parseMac(text)!;
  return { high: macHigh16(octets), low: macLow32(octets) };
};

export type RigOptions = {
  tap?: Tap;
  /** A tap that reads the rig's own arena. */
  makeTap?: (arena: Arena) => Tap;
  pool?: PoolSizes;
  learnedLimit?: number;
  staticLimit?: number;
  counterRows?: number;
  hostLimit?: number;
  reassemblyLimit?: number;
  ageingSeconds?: number;
  /** Ciphers of IPsec over the rig's own arena, and where numbers are handed in; absent: there are none. */
  makeCrypto?: (arena: Arena) => CryptoBatch;
  associations?: SharedArrayBuffer;
  /** Messages of key exchange that may wait for a daemon, a power of two; absent: none can register. */
  keyExchangeSlots?: number;
  /** Whether port 0 takes super-frames behind outer headers. */
  cutsTunnelled?: boolean;
};

/** What is known of a frame beside its octets; `checksumStart` counts from its first one. */
export type FrameMarks = Partial<
  Pick<Frame, 'vlanTpid' | 'vlanTci' | 'gsoType' | 'gsoSize' | 'checksumStart' | 'checksumOffset'>
>;

export class Rig {
  readonly arena = new Arena(new ArrayBuffer(64 << 20));
  readonly allocator = new ArenaAllocator(64 << 20);
  readonly counters: CounterTable;
  readonly books = createBooks();
  readonly pool: FramePool;
  readonly dataplane: Dataplane;
  readonly keyExchange: FrameRingMemory | undefined;
  nowMs = 10_000;
  #isRealClock = false;
  /** The far ends of the ports: `send` goes in there, `received` comes out. */
  readonly #far = new Map<number, MemoryPort>();
  // What routes follow from, kept as the main thread does.
  readonly #routePlan = new RoutePlan();
  readonly #domains = new Map<number, DomainSpec>();
  readonly #selfs = new Map<string, SelfSpec>();
  readonly #routes = new Map<string, PlannedRoute>();
  #isPlanned = false;
  readonly #parents = new Map<number, number | undefined>();
  readonly #cutsTunnelled: boolean;

  constructor(options: RigOptions = {}) {
    this.#cutsTunnelled = options.cutsTunnelled ?? false;
    const pool = options.pool ?? POOL;
    this.counters = new CounterTable(options.counterRows ?? 256);
    this.pool = new FramePool(this.arena, this.allocator.allocate(poolOctets(pool))!, pool);
    const { keyExchangeSlots: slots } = options;
    this.keyExchange =
      slots === undefined ? undefined : createFrameRing(this.allocator.allocate(frameRingOctets(slots))!, slots);
    this.dataplane = new Dataplane({
      pool: this.pool,
      counters: this.counters,
      books: this.books,
      tap: options.makeTap?.(this.arena) ?? options.tap ?? new NullTap(),
      random: () => 0.5,
      now: () => (this.#isRealClock ? performance.now() : this.nowMs),
      crypto: options.makeCrypto?.(this.arena),
      associations: options.associations,
      keyExchange: this.keyExchange,
      learnedLimit: options.learnedLimit ?? 1024,
      staticLimit: options.staticLimit ?? 1024,
      ...(options.hostLimit === undefined ? {} : { hostLimit: options.hostLimit }),
      ...(options.reassemblyLimit === undefined ? {} : { reassemblyLimit: options.reassemblyLimit }),
      ageingSeconds: options.ageingSeconds ?? 300,
      audit: true,
    });
  }

  /** The topology of the picture above. */
  static withTunnel(options: RigOptions = {}): Rig {
    const rig = new Rig(options);
    rig.addPort(0);
    rig.addPort(1);
    rig.apply(
      { op: 'set-domain', spec: { id: Id.wanDomain, name: 'wan', localMember: 10, mac: mac(WAN_MAC) } },
      { op: 'set-domain', spec: { id: Id.bridgeDomain, name: 'bridge', localMember: 11, mac: mac(BRIDGE_MAC) } },
      rig.interfaceMember(Id.wanMember, Id.wanDomain, 0),
      rig.interfaceMember(Id.insideMember, Id.bridgeDomain, 1),
      {
        op: 'set-self',
        spec: { name: 'wan-self', domain: Id.wanDomain, words: words(LOCAL), isIpv6: false, prefixBits: 24 },
      },
      rig.tunnelMember(Id.vx1),
    );
    rig.received(0);
    return rig;
  }

  addPort(index: number, medium: PortMedium = 'ethernet', listener?: ListenerPlace, maxFrameOctets = 9344): void {
    const [near, far] = createMemoryPair(this.arena, this.allocator, {
      ends: [
        { name: `near${index}`, index, cutsTunnelled: index === 0 && this.#cutsTunnelled },
        { name: `far${index}`, index: 100 + index, address: ipv4(REMOTE), port: 50_000 },
      ],
      medium,
      maxFrameOctets,
    });
    this.#far.set(index, far);
    this.dataplane.addPort(near, portRow(index), listener);
  }

  far(index: number): MemoryPort {
    return this.#far.get(index)!;
  }

  /** An interface of a VLAN; `change` adds to it or replaces parts of it. */
  interfaceMember(
    id: number,
    domain: number,
    port: number,
    vlan = 0,
    change: Partial<InterfaceMemberSpec> = {},
  ): Operation {
    const spec = { id, name: `m${id}`, row: memberRow(id), domain, port, vlan, mtu: 9000, enabled: true };
    return { op: 'set-interface-member', spec: { ...spec, splitHorizonGroup: 0, ...change } };
  }

  /** A tunnel in the bridge domain; `change` replaces parts of it. */
  tunnelMember(
    id: number,
    change: Partial<Omit<TunnelMemberSpec, 'tunnel'>> & { tunnel?: Partial<TunnelMemberSpec['tunnel']> } = {},
  ): Operation {
    const { tunnel, ...rest } = change;
    const spec: TunnelMemberSpec = {
      id,
      name: `vx${id}`,
      row: memberRow(id),
      domain: Id.bridgeDomain,
      enabled: true,
      splitHorizonGroup: Id.bridgeDomain,
      floods: true,
      replicates: false,
      floodRemotes: [],
      ...rest,
      tunnel: {
        kind: TunnelKind.vxlan,
        member: id,
        name: `vx${id}`,
        local: words(LOCAL),
        remote: words(REMOTE),
        key: VNI,
        service: udpService(4789),
        mtu: 1500,
        tos: TOS_PRESERVE,
        ttl: 64,
        udpChecksum: UdpChecksum.never,
        sourcePortMin: 49_152,
        sourcePortMax: 65_535,
        learnsEndpoints: false,
        receives: true,
        sends: true,
        usesPathMtu: true,
        mssClamp: 0,
        ...tunnel,
      },
    };
    return { op: 'set-tunnel-member', spec };
  }

  /** A static station behind a member. */
  station(domain: number, address: string, member: number, remote?: AddressWords): Operation {
    const { high, low } = mac(address);
    return {
      op: 'set-static-entries',
      domain,
      high: Uint16Array.of(high),
      low: Int32Array.of(low),
      target: Uint16Array.of(0),
      targets: [{ member, remote }],
    };
  }

  /** Applies the operations, and the routes that follow from them: connected networks and our own addresses. */
  apply(...operations: Operation[]): void {
    for (const operation of operations) {
      if (operation.op === 'set-domain') this.#domains.set(operation.spec.id, operation.spec);
      else if (operation.op === 'remove-domain') this.#domains.delete(operation.id);
      else if (operation.op === 'set-self') this.#selfs.set(operation.spec.name, operation.spec);
      else if (operation.op === 'remove-self') this.#selfs.delete(operation.name);
    }
    // Who comes with routes has planned them.
    this.#isPlanned ||= operations.some(({ op }) => op === 'set-route-domain' || op === 'set-route-table');
    this.dataplane.apply(this.#isPlanned ? operations : [...operations, ...this.#planRoutes()]);
  }

  /** Sets a static route, as in `route('10.5.0.0/16', { kind: 'blackhole' })`; without a target takes it away. */
  route(network: string, target: RouteTarget | undefined, routeDomain = 0): void {
    const prefix = parsePrefix(network)!;
    const key = `${network} ${routeDomain}`;
    const { family, words: address } = prefix.address;
    if (target === undefined) this.#routes.delete(key);
    else this.#routes.set(key, { routeDomain, isIpv6: family === 6, words: address, bits: prefix.length, target });
    this.dataplane.apply(this.#planRoutes());
  }

  /** Makes one route domain the parent of another. */
  parent(routeDomain: number, parent: number | undefined): void {
    this.#parents.set(routeDomain, parent);
    this.dataplane.apply(this.#planRoutes());
  }

  #planRoutes(): Operation[] {
    const layer3 = new Set([...this.#domains.values()].flatMap(({ id, isLayer3 }) => (isLayer3 === true ? [id] : [])));
    const selfs = this.#selfs.values();
    return this.#routePlan.plan({ parents: this.#parents, layer3, selfs, routes: this.#routes.values() });
  }

  /** Sends a frame into a port and lets the data plane breathe. */
  send(port: number, octets: Uint8Array): void {
    this.inject(port, octets);
    this.dataplane.breath();
  }

  /** Puts a frame where the next breath finds it; `marks`: what stands beside the octets. */
  inject(port: number, octets: Uint8Array, marks: FrameMarks = {}): void {
    const frame = this.pool.acquire(octets.length);
    if (frame === undefined) throw new Error('the rig has no buffer for a frame');
    this.arena.bytes.set(octets, frame.start);
    frame.end = frame.start + octets.length;
    Object.assign(frame, marks);
    if (frame.checksumStart !== 0) frame.checksumStart += frame.start;
    const batch = new FrameBatch();
    batch.push(frame);
    this.far(port).transmit(batch, () => {
      throw new Error(`port ${port} takes no more frames`);
    });
    this.pool.release(frame);
  }

  /** What has left by a port since the last call; without the questions for the groups of the host, unless `all`. */
  received(port: number, all = false): Buffer[] {
    const frames: Buffer[] = [];
    const batch = new FrameBatch();
    while (this.far(port).receive(batch) > 0) {
      for (let index = 0; index < batch.length; index++) {
        const { start, end } = batch.frames[index]!;
        const frame = Buffer.from(this.arena.bytes.slice(start, end));
        if (all || !isQueryForHost(frame)) frames.push(frame);
      }
      batch.clear();
    }
    return frames;
  }

  advance(ms: number): void {
    this.nowMs += ms;
    this.dataplane.breath();
  }

  /** From now on the time is that of the machine. */
  useRealClock(): void {
    this.#isRealClock = true;
  }

  /** Drops over all objects, by reason. */
  drops(): Record<string, number> {
    const drops: Record<string, number> = {};
    for (let row = 0; row < this.counters.rows; row++) {
      for (let verdict = 1; verdict < DROP_NAMES.length; verdict++) {
        const count = this.counters.read(row, Column.drops + verdict);
        if (count > 0) drops[DROP_NAMES[verdict]!] = (drops[DROP_NAMES[verdict]!] ?? 0) + count;
      }
    }
    return drops;
  }

  /** Makes the remote end known, so that the next frame leaves at once. */
  resolveRemote(): void {
    this.apply({
      op: 'set-static-neighbour',
      spec: { domain: Id.wanDomain, address: words(REMOTE), mac: mac(PEER_MAC) },
    });
  }
}

/** A general query of IGMP from nobody, or of MLD from the gateway of the host. */
function isQueryForHost(frame: Buffer): boolean {
  const isIgmp = frame.length === 46 && frame.readUInt16BE(12) === 0x0800 && frame[23] === 2;
  if (isIgmp) return frame.readUInt32BE(26) === 0 && frame[34] === 0x11;
  return (
    frame.length === 90 && frame.subarray(22, 38).toString('hex') === `fe80${'0'.repeat(27)}1` && frame[62] === 130
  );
}

export const portRow = (index: number): number => 1 + index;
export const memberRow = (id: number): number => 50 + id;
