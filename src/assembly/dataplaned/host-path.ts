// The way between the network and the sockets of this host: packets for a self IP that nothing else of ours takes.
//
//   local node ─ packet for a self IP ─► port lockdown ─► device of the host path (src/supervise/host-path.ts) ─► socket
//   socket ─► device of the host path ─► host-outbound.ts ─► route node, or back to the last hop
//
// Each VLAN, VLAN group or tunnel with a self IP has such a device, a port that is in no VLAN.

import type { Domain, Member } from '../../bridge/domain.ts';
import type { ForwardingDatabase } from '../../bridge/fdb.ts';
import { AddressMap } from '../../core/address-map.ts';
import { Drop, type Verdict } from '../../core/drop-reason.ts';
import { macHigh16, macLow32 } from '../../core/mac.ts';
import { hashPair } from '../../core/pair-map.ts';
import { completeUnannouncedChecksum } from '../../packet/complete-checksum.ts';
import { type Frame, type FrameBatch, Gso } from '../../packet/frame.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import { HostFlows, NONE } from '../../route/host-flows.ts';
import { HostFragments } from '../../route/host-fragments.ts';
import { PortLockdown } from '../../route/port-lockdown.ts';
import { protocolService, udpService } from '../../tunnel/service.ts';
import { ETHERNET_HEADER_OCTETS, ETHERNET_SOURCE, EtherType, writeEthernet } from '../../wire/ethernet.ts';
import { IPV4_GROUP_MAC_HIGH, ipv4GroupMacLow, IPV6_GROUP_MAC_HIGH } from '../../wire/group-mac.ts';
import { IpProtocol } from '../../wire/ipv4.ts';
import { IPV6_HOP_BY_HOP, ipv6NextHeader } from '../../wire/ipv6.ts';
import type { Fragmenter } from './fragmenter.ts';
import { HostGroupService } from './host-group-service.ts';
import { hostPacket, PacketKind, readHostPacket } from './host-packet.ts';
import { HostOutbound, type HostState, type Originator } from './host-outbound.ts';
import type { LocalAddresses } from './local-addresses.ts';
import { type LocalDelivery, NoDelivery } from './local-delivery.ts';
import type { PortSlot } from './port-slot.ts';
import type { HostPathSpec, HostSocketSpec, SelfSpec } from './spec.ts';

type LocalSelf = { spec: SelfSpec; lockdown: PortLockdown };

const NO_SERVICES = new PortLockdown([]);

export class HostPath implements HostState, LocalDelivery {
  /** Seconds of the data plane's clock; set by the owner before a breath. */
  second = 0;
  readonly flows = new HostFlows();
  readonly groups: HostGroupService;
  readonly #fragments = new HostFragments();
  readonly #outbound: HostOutbound;
  readonly #fragmenter: Fragmenter;
  /** Takes what is for a self IP without a way to the host. */
  readonly #nobody: NoDelivery;
  readonly #domains: ReadonlyMap<number, Domain>;
  readonly #members: readonly (Member | undefined)[];
  readonly #slots: readonly (PortSlot | undefined)[];
  readonly #addresses: LocalAddresses;
  readonly #disposal: Disposal;
  readonly #bytes: Uint8Array;
  /** By number of the domain, and of the port. */
  readonly #byDomain: (HostPathSpec | undefined)[] = [];
  readonly #byPort: (HostPathSpec | undefined)[] = [];
  readonly #selfs = new Map<string, LocalSelf>();
  /** Self IPs by route domain and address: positions in `#indexed`. */
  #index = new AddressMap();
  #indexed: LocalSelf[] = [];
  /** By number of the domain. */
  #selfsByDomain: LocalSelf[][] = [];
  #isIndexed = true;

  constructor(
    domains: ReadonlyMap<number, Domain>,
    members: readonly (Member | undefined)[],
    slots: readonly (PortSlot | undefined)[],
    addresses: LocalAddresses,
    fdb: ForwardingDatabase,
    fragmenter: Fragmenter,
    disposal: Disposal,
    originator: Originator,
    toFlood: FrameBatch,
  ) {
    this.#addresses = addresses;
    this.#fragmenter = fragmenter;
    this.#domains = domains;
    this.#members = members;
    this.#slots = slots;
    this.#disposal = disposal;
    this.#bytes = disposal.pool.arena.bytes;
    this.#nobody = new NoDelivery(members, disposal);
    this.groups = new HostGroupService(slots, disposal);
    this.#outbound = new HostOutbound(this, domains, members, fdb, disposal, originator, toFlood);
  }

  set(path: HostPathSpec): void {
    this.remove(path.domain);
    this.#byDomain[path.domain] = path;
    this.#byPort[path.port] = path;
  }

  remove(domain: number): void {
    const path = this.#byDomain[domain];
    if (path === undefined) return;
    this.#byDomain[domain] = undefined;
    this.groups.forgetDomain(domain);
    if (this.#byPort[path.port] === path) this.#byPort[path.port] = undefined;
  }

  setSelf(spec: SelfSpec): void {
    const { services } = spec;
    this.#selfs.set(spec.name, { spec, lockdown: services === undefined ? NO_SERVICES : new PortLockdown(services) });
    this.#isIndexed = false;
  }

  removeSelf(name: string): void {
    this.#selfs.delete(name);
    this.#isIndexed = false;
  }

  /** To be called when domains or their route domains have changed. */
  domainsChanged(): void {
    this.#isIndexed = false;
  }

  /** Notes what sockets of this host were connected before. */
  seed(sockets: readonly HostSocketSpec[]): void {
    for (const { local, remote, ...flow } of sockets) this.flows.seed(flow, local, remote, this.second);
  }

  /** Whether this port leads to the host. */
  isHostPort(port: number): boolean {
    return this.#byPort[port] !== undefined;
  }

  /** Takes what the host has sent by a port of its own. */
  takeFromHost(slot: PortSlot, batch: FrameBatch): void {
    this.#outbound.take(this.#byPort[slot.port.index]!, slot, batch);
  }

  /**
   * As LocalDelivery says: a packet for one of our own addresses that nothing else of ours has taken.
   */
  accept(frame: Frame, domain: Domain): void {
    const packet = hostPacket;
    readHostPacket(this.#bytes, frame.start, frame.end);
    const self = this.#find(
      domain.routeDomain,
      packet.destination0,
      packet.destination1,
      packet.destination2,
      packet.destination3,
    );
    const path = self === undefined ? undefined : this.#byDomain[self.spec.domain];
    if (self === undefined || path === undefined) {
      this.#nobody.accept(frame);
    } else if (frame.outerStart !== 0 && this.#isOwnSource(domain)) {
      this.#drop(frame, Drop.ownPacketReturned);
    } else if (this.#admits(frame, domain, self.lockdown, path)) {
      this.#deliver(frame, path);
    } else {
      this.#drop(frame, Drop.portLockdown);
    }
  }

  /** Takes a fragment as it is where it may come in and no tunnel can be meant: the host puts its packets together itself. */
  acceptFragment(frame: Frame, domain: Domain): boolean {
    readHostPacket(this.#bytes, frame.start, frame.end);
    const { protocol, destination0, destination1, destination2, destination3, destinationPort } = hostPacket;
    const self = this.#find(domain.routeDomain, destination0, destination1, destination2, destination3);
    const path = self === undefined ? undefined : this.#byDomain[self.spec.domain];
    if (self === undefined || path === undefined || this.#isOwnSource(domain)) return false;
    const service = protocol === IpProtocol.udp ? udpService(destinationPort) : protocolService(protocol);
    const listener = this.#addresses.listener(
      domain.id,
      destination0,
      destination1,
      destination2,
      destination3,
      service,
    );
    if (listener !== -1 || !this.#admits(frame, domain, self.lockdown, path)) return false;
    this.#deliver(frame, path);
    return true;
  }

  /**
   * Takes a packet to a group that the host has joined on this domain, where a self IP of the domain, of the same IP version, lets
   * the service in.
   */
  acceptGroup(frame: Frame, domain: Domain): boolean {
    const path = this.#byDomain[domain.id];
    if (path === undefined) return false;
    readHostPacket(this.#bytes, frame.start, frame.end);
    const { isIpv4, destination0, destination1, destination2, destination3 } = hostPacket;
    if (!this.groups.groups.has(domain.id, destination0, destination1, destination2, destination3)) return false;
    if (this.#isOwnSource(domain)) {
      this.#drop(frame, Drop.ownPacketReturned);
    } else if (this.#admitsGroup(domain)) {
      const low = isIpv4 ? ipv4GroupMacLow(destination3) : destination3;
      this.#deliver(frame, path, isIpv4 ? IPV4_GROUP_MAC_HIGH : IPV6_GROUP_MAC_HIGH, low);
    } else {
      this.#drop(frame, Drop.portLockdown);
    }
    return true;
  }

  /** Asks the host which groups it has joined, when it is time; returns whether there are others than before. */
  tick(): boolean {
    this.groups.tick(this.#byDomain, this.second);
    return this.groups.groups.takeChange();
  }

  /** Whether an address, as four words, is a self IP of this domain. */
  isSelfOf(domain: Domain, word0: number, word1: number, word2: number, word3: number): boolean {
    return this.#find(domain.routeDomain, word0, word1, word2, word3)?.spec.domain === domain.id;
  }

  #isOwnSource({ routeDomain }: Domain): boolean {
    const { source0, source1, source2, source3 } = hostPacket;
    return this.#find(routeDomain, source0, source1, source2, source3) !== undefined;
  }

  #find(routeDomain: number, a: number, b: number, c: number, d: number): LocalSelf | undefined {
    if (!this.#isIndexed) this.#makeIndex();
    return this.#indexed[this.#index.get(routeDomain, a, b, c, d)];
  }

  #makeIndex(): void {
    this.#isIndexed = true;
    this.#index = new AddressMap(this.#selfs.size);
    this.#indexed = [...this.#selfs.values()];
    this.#selfsByDomain = [];
    for (const self of this.#indexed) (this.#selfsByDomain[self.spec.domain] ??= []).push(self);
    this.#indexed.forEach(({ spec }, position) => {
      const domain = this.#domains.get(spec.domain);
      if (domain !== undefined) this.#index.set(domain.routeDomain, ...spec.words, position);
    });
  }

  #admits(frame: Frame, domain: Domain, lockdown: PortLockdown, path: HostPathSpec): boolean {
    const { flows, second } = this;
    const packet = hostPacket;
    if (packet.kind === PacketKind.laterFragment) {
      return this.#fragments.isAdmitted(sourceHash(), destinationHash(domain), packet.identification, second);
    }
    if (packet.kind === PacketKind.error) {
      flows.describe(domain.routeDomain, packet.aboutProtocol, packet.aboutDestinationPort, packet.aboutSourcePort);
      flows.describeRemote(packet.about0, packet.about1, packet.about2, packet.about3);
      this.#describeLocal();
      return flows.find(second) !== NONE || lockdown.allows(packet.protocol, 0);
    }
    flows.describe(domain.routeDomain, packet.protocol, packet.destinationPort, packet.sourcePort);
    flows.describeRemote(packet.source0, packet.source1, packet.source2, packet.source3);
    this.#describeLocal();
    if (flows.find(second) === NONE && !lockdown.allows(packet.protocol, packet.destinationPort)) return false;
    const flow = flows.note(false, packet.tcpFlags, second);
    if (packet.isFragment) {
      this.#fragments.admit(sourceHash(), destinationHash(domain), packet.identification, second);
    }
    // What was begun here goes by the routes, like what else is sent from here.
    if (flow !== NONE && path.usesLastHop && !flows.isBegunHere(flow)) this.#noteLastHop(frame, flow);
    return true;
  }

  /** Whether a packet to a group may come in: it makes no flow, for what answers it goes to its sender. */
  #admitsGroup(domain: Domain): boolean {
    const { isIpv4, isFragment, kind, identification, protocol, destinationPort } = hostPacket;
    if (kind === PacketKind.laterFragment) {
      return this.#fragments.isAdmitted(sourceHash(), destinationHash(domain), identification, this.second);
    }
    if (!this.#isIndexed) this.#makeIndex();
    const selfs = this.#selfsByDomain[domain.id];
    if (selfs === undefined) return false;
    for (let index = 0; index < selfs.length; index++) {
      const { spec, lockdown } = selfs[index]!;
      if (spec.isIpv6 === isIpv4 || !lockdown.allows(protocol, destinationPort)) continue;
      if (isFragment) this.#fragments.admit(sourceHash(), destinationHash(domain), identification, this.second);
      return true;
    }
    return false;
  }

  #noteLastHop(frame: Frame, flow: number): void {
    const bytes = this.#bytes;
    const mac = frame.outerStart + ETHERNET_SOURCE;
    if (frame.outerStart !== 0) this.flows.setLastHop(flow, frame.member, macHigh16(bytes, mac), macLow32(bytes, mac));
    else if (this.#members[frame.member]?.domain.isLayer3) this.flows.setLastHop(flow, frame.member, 0, 0);
  }

  #describeLocal(): void {
    const { destination0, destination1, destination2, destination3 } = hostPacket;
    this.flows.describeLocal(destination0, destination1, destination2, destination3);
  }

  /** Sends a packet to the host, to the MAC of its end or of a group. */
  #deliver(frame: Frame, { port, mac, ownMac }: HostPathSpec, macHigh = mac.high, macLow = mac.low): void {
    const slot = this.#slots[port];
    if (slot === undefined) {
      this.#drop(frame, Drop.portDown);
      return;
    }
    if (frame.start - ETHERNET_HEADER_OCTETS < frame.headroomStart) {
      this.#drop(frame, Drop.noHeadroom);
      return;
    }
    frame.start -= ETHERNET_HEADER_OCTETS;
    frame.outerStart = 0;
    const type = hostPacket.isIpv4 ? EtherType.ipv4 : EtherType.ipv6;
    writeEthernet(this.#bytes, frame.start, macHigh, macLow, ownMac.high, ownMac.low, type);
    if (frame.offloadsUnknown !== 0) completeUnannouncedChecksum(this.#disposal.pool.arena, frame);
    if (frame.gsoType === Gso.none && frame.end - frame.start > slot.port.maxFrameOctets) this.#pushCut(frame, slot);
    else slot.push(frame);
  }

  /**
   * Sends a packet to the host that is larger than its device: an MTU is a limit for who sends, so whoever has a larger one may
   * send such packets here. Also what must not be cut on its way is cut on this last step, for the host puts it together.
   */
  #pushCut(frame: Frame, slot: PortSlot): void {
    const ip = frame.start + ETHERNET_HEADER_OCTETS;
    const mtu = slot.port.maxFrameOctets - ETHERNET_HEADER_OCTETS;
    const row = this.#members[frame.member]?.row ?? 0;
    if (!hostPacket.isIpv4 && ipv6NextHeader(this.#bytes, ip) === IPV6_HOP_BY_HOP) {
      this.#disposal.drop(frame, Drop.transmitTooLong, row);
      return;
    }
    const isWhole = !hostPacket.isIpv4 || !hostPacket.isFragment;
    const pieces = this.#fragmenter.cut(frame, ip, mtu, isWhole, row);
    for (let index = 0; index < pieces.length; index++) slot.push(pieces.frames[index]!);
  }

  #drop(frame: Frame, why: Verdict): void {
    this.#disposal.drop(frame, why, this.#members[frame.member]?.row ?? 0);
  }
}

function sourceHash(): number {
  const { source0, source1, source2, source3 } = hostPacket;
  return hashPair(hashPair(source0, source1), hashPair(source2, source3));
}

function destinationHash({ routeDomain }: Domain): number {
  const { destination0, destination1, destination2, destination3, protocol } = hostPacket;
  const address = hashPair(hashPair(destination0, destination1), hashPair(destination2, destination3));
  return hashPair(address, (routeDomain << 8) | protocol);
}
