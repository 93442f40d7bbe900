// What the sockets of this host send: by the routes, or back to where a request came from.
//
// To the host every address lies behind one gateway, and dataplaned answers for any address that it asks for: so there is one
// table of neighbours and one of routes, ours.

import type { Domain, Member } from '../../bridge/domain.ts';
import { FdbField, type ForwardingDatabase } from '../../bridge/fdb.ts';
import { Drop, FORWARD } from '../../core/drop-reason.ts';
import { macHigh16, macLow32 } from '../../core/mac.ts';
import { read32 } from '../../core/octets.ts';
import { type Frame, type FrameBatch, Gso } from '../../packet/frame.ts';
import { segmentOctets } from '../../packet/segment.ts';
import { Book } from '../../pipeline/books.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import { type HostFlows, NONE } from '../../route/host-flows.ts';
import {
  ARP_OCTETS,
  ARP_REQUEST,
  arpOperation,
  arpSenderIp,
  arpTargetIp,
  checkArp,
  turnIntoArpReply,
} from '../../wire/arp.ts';
import {
  ETHERNET_HEADER_OCTETS,
  ETHERNET_SOURCE,
  EtherType,
  etherType,
  writeEthernet,
  writeMac,
  copyMac,
  ETHERNET_DESTINATION,
} from '../../wire/ethernet.ts';
import {
  checkIcmpv6,
  checkNeighbourDiscovery,
  icmpv6Type,
  isDiscovery,
  ND_PACKET_OCTETS,
  ND_TARGET,
  NEIGHBOUR_SOLICITATION,
  writeNeighbourAdvertisement,
} from '../../wire/icmpv6.ts';
import { checkIpv4, IpProtocol, ipv4Protocol, ipv4TotalOctets } from '../../wire/ipv4.ts';
import { checkIpv6, IPV6_HEADER_OCTETS, IPV6_SOURCE, ipv6IsUnspecified, ipv6PayloadOctets } from '../../wire/ipv6.ts';
import { findMld } from '../../wire/mld.ts';
import type { HostGroupService } from './host-group-service.ts';
import { hostPacket, PacketKind, readHostPacket } from './host-packet.ts';
import type { PortSlot } from './port-slot.ts';
import type { HostPathSpec } from './spec.ts';

/** Sends packets that were made on this host; `start` is the IP header, `member` the local one of the domain. */
export interface Originator {
  originate(frame: Frame, domain: Domain): void;
  /** Takes the packet at `frame.start` if IPsec protects or discards it; false: it goes as it is. */
  protect(frame: Frame, domain: Domain): boolean;
}

/** What is shared with the other direction. */
export interface HostState {
  readonly flows: HostFlows;
  /** What the host has joined. */
  readonly groups: HostGroupService;
  /** Seconds of the data plane's clock. */
  readonly second: number;
  /** Whether an address, as four words, is a self IP of this domain. */
  isSelfOf(domain: Domain, word0: number, word1: number, word2: number, word3: number): boolean;
}

export class HostOutbound {
  readonly #state: HostState;
  readonly #domains: ReadonlyMap<number, Domain>;
  readonly #members: readonly (Member | undefined)[];
  readonly #fdb: ForwardingDatabase;
  readonly #disposal: Disposal;
  readonly #bytes: Uint8Array;
  readonly #originator: Originator;
  readonly #toFlood: FrameBatch;

  constructor(
    state: HostState,
    domains: ReadonlyMap<number, Domain>,
    members: readonly (Member | undefined)[],
    fdb: ForwardingDatabase,
    disposal: Disposal,
    originator: Originator,
    toFlood: FrameBatch,
  ) {
    this.#state = state;
    this.#domains = domains;
    this.#members = members;
    this.#fdb = fdb;
    this.#disposal = disposal;
    this.#bytes = disposal.pool.arena.bytes;
    this.#originator = originator;
    this.#toFlood = toFlood;
  }

  /** Takes the frames that the host has sent by the port of a path. */
  take(path: HostPathSpec, slot: PortSlot, { frames, length }: FrameBatch): void {
    const domain = this.#domains.get(path.domain)!;
    for (let index = 0; index < length; index++) {
      const frame = frames[index]!;
      frame.member = domain.localMember;
      frame.endpoint = -1;
      frame.vlanTpid = 0;
      if (frame.truncatedFrom !== 0) this.#disposal.drop(frame, Drop.frameTooLong, slot.row);
      else if (frame.end - frame.start < ETHERNET_HEADER_OCTETS) {
        this.#disposal.drop(frame, Drop.frameTooShort, slot.row);
      } else {
        this.#takeFrame(frame, domain, path, slot);
      }
    }
  }

  #takeFrame(frame: Frame, domain: Domain, path: HostPathSpec, slot: PortSlot): void {
    const bytes = this.#bytes;
    const at = frame.start + ETHERNET_HEADER_OCTETS;
    switch (etherType(bytes, frame.start)) {
      case EtherType.ipv4: {
        const verdict = checkIpv4(bytes, at, frame.end);
        if (verdict !== FORWARD) {
          this.#disposal.drop(frame, verdict, slot.row);
          return;
        }
        frame.end = at + ipv4TotalOctets(bytes, at);
        if (ipv4Protocol(bytes, at) === IpProtocol.igmp) {
          this.#state.groups.hearIgmp(at, domain.id, this.#state.second);
          this.#disposal.consume(frame);
        } else {
          this.#send(frame, domain, path, slot);
        }
        return;
      }
      case EtherType.ipv6: {
        const verdict = checkIpv6(bytes, at, frame.end);
        if (verdict !== FORWARD) {
          this.#disposal.drop(frame, verdict, slot.row);
          return;
        }
        frame.end = at + IPV6_HEADER_OCTETS + ipv6PayloadOctets(bytes, at);
        this.#sendIpv6(frame, domain, path, slot);
        return;
      }
      case EtherType.arp:
        this.#arp(frame, domain, path, slot);
        return;
      default:
        this.#disposal.drop(frame, Drop.hostUnsupported, slot.row);
    }
  }

  #sendIpv6(frame: Frame, domain: Domain, path: HostPathSpec, slot: PortSlot): void {
    const bytes = this.#bytes;
    const ip = frame.start + ETHERNET_HEADER_OCTETS;
    const mld = findMld(bytes, ip);
    if (isDiscovery(bytes, ip, frame.end)) {
      this.#discovery(frame, domain, path, slot);
    } else if (mld !== 0) {
      this.#state.groups.hearMld(ip, mld, domain.id, this.#state.second);
      this.#disposal.consume(frame);
    } else if (bytes[ip + IPV6_SOURCE] === 0xfe) {
      // A host that speaks IPv6 also looks for routers: that concerns nobody here.
      this.#disposal.consume(frame);
    } else {
      this.#send(frame, domain, path, slot);
    }
  }

  /** Answers for every address but those of the host itself. */
  #arp(frame: Frame, domain: Domain, { ownMac }: HostPathSpec, slot: PortSlot): void {
    const bytes = this.#bytes;
    const arp = frame.start + ETHERNET_HEADER_OCTETS;
    const verdict = checkArp(bytes, arp, frame.end);
    if (verdict !== FORWARD) {
      this.#disposal.drop(frame, verdict, slot.row);
      return;
    }
    const target = arpTargetIp(bytes, arp);
    const isAnswered = arpOperation(bytes, arp) === ARP_REQUEST && target !== arpSenderIp(bytes, arp);
    if (!isAnswered || this.#state.isSelfOf(domain, 0, 0, 0, target)) {
      this.#disposal.consume(frame);
      return;
    }
    turnIntoArpReply(bytes, arp, ownMac.high, ownMac.low);
    copyMac(bytes, frame.start + ETHERNET_SOURCE, frame.start + ETHERNET_DESTINATION);
    writeMac(bytes, frame.start + ETHERNET_SOURCE, ownMac.high, ownMac.low);
    frame.end = arp + ARP_OCTETS;
    slot.push(frame);
  }

  #discovery(frame: Frame, domain: Domain, { ownMac }: HostPathSpec, slot: PortSlot): void {
    const disposal = this.#disposal;
    const { words } = disposal.pool.arena;
    const bytes = this.#bytes;
    const ip = frame.start + ETHERNET_HEADER_OCTETS;
    const target = ip + IPV6_HEADER_OCTETS + ND_TARGET;
    const isSolicitation = icmpv6Type(bytes, ip) === NEIGHBOUR_SOLICITATION;
    if (
      !isSolicitation ||
      checkIcmpv6(bytes, words, ip) !== FORWARD ||
      checkNeighbourDiscovery(bytes, ip) !== FORWARD
    ) {
      disposal.consume(frame);
      return;
    }
    // A probe for a duplicate comes from nobody and is about the host's own address.
    if (ipv6IsUnspecified(bytes, ip + IPV6_SOURCE) || this.#isSelf(domain, target)) {
      disposal.consume(frame);
      return;
    }
    const reply = disposal.pool.acquire(ETHERNET_HEADER_OCTETS + ND_PACKET_OCTETS);
    if (reply === undefined) {
      disposal.drop(frame, Drop.noBuffer, slot.row);
      return;
    }
    const asking = frame.start + ETHERNET_SOURCE;
    const [high, low] = [macHigh16(bytes, asking), macLow32(bytes, asking)];
    writeEthernet(bytes, reply.start, high, low, ownMac.high, ownMac.low, EtherType.ipv6);
    const packet = reply.start + ETHERNET_HEADER_OCTETS;
    writeNeighbourAdvertisement(bytes, words, packet, ip, ownMac.high, ownMac.low);
    reply.end = packet + ND_PACKET_OCTETS;
    reply.member = domain.localMember;
    disposal.books[Book.originated]! += 1;
    disposal.consume(frame);
    slot.push(reply);
  }

  #isSelf(domain: Domain, at: number): boolean {
    const bytes = this.#bytes;
    const [a, b, c, d] = [read32(bytes, at), read32(bytes, at + 4), read32(bytes, at + 8), read32(bytes, at + 12)];
    return this.#state.isSelfOf(domain, a, b, c, d);
  }

  /** Sends a checked packet of the host out. */
  #send(frame: Frame, domain: Domain, path: HostPathSpec, slot: PortSlot): void {
    const packet = hostPacket;
    const ip = frame.start + ETHERNET_HEADER_OCTETS;
    readHostPacket(this.#bytes, ip, frame.end);
    const { source0, source1, source2, source3, destination0, destination3 } = packet;
    const isBroadcast = packet.isIpv4 && destination3 >>> 28 === 0xf;
    if (isBroadcast || !this.#state.isSelfOf(domain, source0, source1, source2, source3)) {
      this.#disposal.drop(frame, Drop.hostUnsupported, slot.row);
      return;
    }
    if (packet.isIpv4 ? destination3 >>> 28 === 0xe : destination0 >>> 24 === 0xff) {
      this.#sendToGroup(frame, domain, slot);
      return;
    }
    const flow = this.#noteFlow(domain);
    frame.start = ip;
    if (this.#originator.protect(frame, domain)) return;
    frame.start = ip - ETHERNET_HEADER_OCTETS;
    if (flow !== NONE && path.usesLastHop && this.#sendBack(frame, flow)) return;
    frame.start = ip;
    this.#originator.originate(frame, domain);
  }

  /** Sends a packet to a group to every member of the domain, as any station there would; no route leads to a group. */
  #sendToGroup(frame: Frame, domain: Domain, slot: PortSlot): void {
    const [first] = domain.members;
    if (!domain.isLayer3) {
      writeMac(this.#bytes, frame.start + ETHERNET_SOURCE, domain.macHigh, domain.macLow);
      this.#toFlood.push(frame);
    } else if (first === undefined || !this.#sendIntoTunnel(frame, first)) {
      this.#disposal.drop(frame, Drop.hostUnsupported, slot.row);
    }
  }

  /** Notes the flow of the packet that was read, and returns it; NONE for one that has none. */
  #noteFlow(domain: Domain): number {
    const packet = hostPacket;
    const { flows, second } = this.#state;
    if (packet.kind === PacketKind.laterFragment) return NONE;
    flows.describeLocal(packet.source0, packet.source1, packet.source2, packet.source3);
    flows.describeRemote(packet.destination0, packet.destination1, packet.destination2, packet.destination3);
    if (packet.kind === PacketKind.error) {
      flows.describe(domain.routeDomain, packet.aboutProtocol, packet.aboutSourcePort, packet.aboutDestinationPort);
      return flows.find(second);
    }
    flows.describe(domain.routeDomain, packet.protocol, packet.sourcePort, packet.destinationPort);
    return flows.note(true, packet.tcpFlags, second);
  }

  /** Sends the frame to the last hop of its flow; false when there is none, or when the packet does not fit there. */
  #sendBack(frame: Frame, flow: number): boolean {
    const { flows } = this.#state;
    const last = this.#members[flows.lastMember(flow)];
    if (last === undefined) return false;
    if (last.domain.isLayer3) return this.#sendIntoTunnel(frame, last);
    const high = flows.lastMacHigh(flow);
    const low = flows.lastMacLow(flow);
    // The station may have moved, and a number may have been given to another member: the bridge knows.
    const entry = this.#fdb.find(last.domain.id, high, low);
    const member = entry === -1 ? undefined : this.#members[this.#fdb.memberAt(entry)];
    if (!member?.enabled || member.domain !== last.domain) return false;
    const bytes = this.#bytes;
    const octets = frame.gsoType === Gso.none ? frame.end - frame.start : segmentOctets(bytes, frame);
    if (octets - ETHERNET_HEADER_OCTETS > member.mtu) return false;
    const { domain } = member;
    writeMac(bytes, frame.start + ETHERNET_DESTINATION, high, low);
    writeMac(bytes, frame.start + ETHERNET_SOURCE, domain.macHigh, domain.macLow);
    frame.member = domain.localMember;
    frame.endpoint = this.#fdb.table[entry + FdbField.endpoint]!;
    frame.egress = member.id;
    member.outlet.push(frame);
    return true;
  }

  /** Sends the packet in the frame by the layer 3 tunnel that the question came from, if that has one end only. */
  #sendIntoTunnel(frame: Frame, member: Member): boolean {
    if (!member.enabled || member.replicates) return false;
    const octets = frame.gsoType === Gso.none ? frame.end - frame.start : segmentOctets(this.#bytes, frame);
    if (octets - ETHERNET_HEADER_OCTETS > member.mtu) return false;
    frame.start += ETHERNET_HEADER_OCTETS;
    frame.member = member.domain.localMember;
    frame.egress = member.id;
    member.outlet.push(frame);
    return true;
  }
}
