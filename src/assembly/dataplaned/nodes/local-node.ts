// What is sent to us: ARP, neighbour discovery, echo, group membership queries, and the datagrams of tunnels.
//
// In the domain of an opaque VLAN group, what hosts send to each other by our MAC goes to the router of that group.
//
// Replies go back by the member that the question came in by (auto last hop), in the question's own buffer. Everything
// else that is addressed to a self IP has no receiver here and is dropped by name.

import { Drop, FORWARD, type Verdict } from '../../../core/drop-reason.ts';
import { isGroupMac, macHigh16, macLow32 } from '../../../core/mac.ts';
import { read16, read32 } from '../../../core/octets.ts';
import type { Domain, Member } from '../../../bridge/domain.ts';
import { completeUnannouncedChecksum } from '../../../packet/complete-checksum.ts';
import type { Frame, FrameBatch } from '../../../packet/frame.ts';
import { Book } from '../../../pipeline/books.ts';
import type { Disposal } from '../../../pipeline/disposal.ts';
import type { PipelineNode } from '../../../pipeline/node.ts';
import type { NeighbourTable } from '../../../route/neighbour-table.ts';
import { udpService } from '../../../tunnel/service.ts';
import {
  ARP_OCTETS,
  ARP_REQUEST,
  ARP_SENDER_MAC,
  arpOperation,
  arpSenderIp,
  arpTargetIp,
  checkArp,
  turnIntoArpReply,
} from '../../../wire/arp.ts';
import {
  copyMac,
  ETHERNET_DESTINATION,
  ETHERNET_HEADER_OCTETS,
  ETHERNET_SOURCE,
  EtherType,
  etherType,
  writeEthernet,
  writeMac,
} from '../../../wire/ethernet.ts';
import { checkIcmpv4, isEchoRequestV4, turnIntoEchoReplyV4 } from '../../../wire/icmpv4.ts';
import {
  advertisementOverrides,
  checkIcmpv6,
  checkNeighbourDiscovery,
  findLinkLayerOption,
  ICMPV6_ECHO_REQUEST,
  icmpv6Type,
  isDiscovery,
  ND_HOP_LIMIT,
  ND_PACKET_OCTETS,
  ND_TARGET,
  NEIGHBOUR_ADVERTISEMENT,
  NEIGHBOUR_SOLICITATION,
  OPTION_SOURCE_LINK_LAYER,
  OPTION_TARGET_LINK_LAYER,
  turnIntoEchoReplyV6,
  writeNeighbourAdvertisement,
} from '../../../wire/icmpv6.ts';
import {
  checkIpv4,
  IpProtocol,
  ipv4Destination,
  ipv4HeaderOctets,
  ipv4IsFragment,
  ipv4Protocol,
  ipv4PseudoHeaderSum,
  ipv4Source,
  ipv4Tos,
  ipv4TotalOctets,
  ipv4Ttl,
} from '../../../wire/ipv4.ts';
import {
  checkIpv6,
  IPV6_DESTINATION,
  IPV6_FRAGMENT,
  IPV6_HEADER_OCTETS,
  IPV6_HOP_BY_HOP,
  IPV6_SOURCE,
  ipv6HopLimit,
  ipv6IsMulticast,
  ipv6NextHeader,
  ipv6PayloadOctets,
  ipv6PseudoHeaderSum,
  ipv6TrafficClass,
} from '../../../wire/ipv6.ts';
import { findMld } from '../../../wire/mld.ts';
import {
  checkUdp,
  checkUdpChecksum,
  UDP_HEADER_OCTETS,
  udpDestinationPort,
  udpHasChecksum,
  udpOctets,
  udpSourcePort,
} from '../../../wire/udp.ts';
import { type GroupService, linkLocalOf } from '../group-service.ts';
import { VXLAN_HEADER_OCTETS } from '../../../wire/vxlan.ts';
import type { LocalAddresses } from '../local-addresses.ts';
import type { OpaqueRouter } from '../opaque-router.ts';

export class LocalNode implements PipelineNode {
  readonly name = 'local';
  readonly input: FrameBatch;
  /** Milliseconds of the data plane's clock; set by the owner before a breath. */
  nowMs = 0;
  readonly #members: readonly (Member | undefined)[];
  readonly #addresses: LocalAddresses;
  readonly #neighbours: NeighbourTable;
  readonly #router: OpaqueRouter;
  readonly #disposal: Disposal;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #groups: GroupService;
  readonly #toDecapsulate: FrameBatch;

  constructor(
    input: FrameBatch,
    members: readonly (Member | undefined)[],
    addresses: LocalAddresses,
    neighbours: NeighbourTable,
    router: OpaqueRouter,
    groups: GroupService,
    disposal: Disposal,
    toDecapsulate: FrameBatch,
  ) {
    this.input = input;
    this.#members = members;
    this.#addresses = addresses;
    this.#neighbours = neighbours;
    this.#router = router;
    this.#groups = groups;
    this.#disposal = disposal;
    this.#bytes = disposal.pool.arena.bytes;
    this.#words = disposal.pool.arena.words;
    this.#toDecapsulate = toDecapsulate;
  }

  process(): void {
    const { frames, length } = this.input;
    const bytes = this.#bytes;
    for (let index = 0; index < length; index++) {
      const frame = frames[index]!;
      const type = etherType(bytes, frame.start);
      if (type === EtherType.ipv4) this.#ipv4(frame);
      else if (type === EtherType.arp) this.#arp(frame);
      else if (type === EtherType.ipv6) this.#ipv6(frame);
      else this.#drop(frame, Drop.localUnsupported);
    }
    this.input.clear();
  }

  #drop(frame: Frame, why: Verdict): void {
    this.#disposal.drop(frame, why, this.#members[frame.member]!.row);
  }

  #ipv4(frame: Frame): void {
    const bytes = this.#bytes;
    const ip = frame.start + ETHERNET_HEADER_OCTETS;
    const verdict = checkIpv4(bytes, ip, frame.end);
    if (verdict !== FORWARD) {
      this.#drop(frame, verdict);
      return;
    }
    if (ipv4Ttl(bytes, ip) === 0) {
      this.#drop(frame, Drop.ttlExpired);
      return;
    }
    const { domain } = this.#members[frame.member]!;
    if (domain.routes && !this.#addresses.hasIpv4(domain.id, ipv4Destination(bytes, ip))) {
      this.#router.forward(frame, ip);
      return;
    }
    if (ipv4IsFragment(bytes, ip)) {
      this.#drop(frame, Drop.ipFragment);
      return;
    }
    frame.end = ip + ipv4TotalOctets(bytes, ip);
    const protocol = ipv4Protocol(bytes, ip);
    const payload = ip + ipv4HeaderOctets(bytes, ip);
    const destination = ipv4Destination(bytes, ip);
    if (protocol === IpProtocol.udp) {
      this.#udpOverIpv4(frame, ip, payload, domain.id, destination);
    } else if (protocol === IpProtocol.igmp) {
      const heard = this.#groups.hearIgmp(frame, domain.id, payload, this.nowMs);
      if (heard === FORWARD) this.#disposal.consume(frame);
      else this.#drop(frame, heard);
    } else if (isIpv4Group(destination)) {
      this.#disposal.consume(frame);
    } else if (!this.#addresses.hasIpv4(domain.id, destination)) {
      this.#drop(frame, Drop.notForUs);
    } else if (protocol === IpProtocol.icmp) {
      this.#echoV4(frame, ip, payload);
    } else {
      this.#drop(frame, Drop.localUnsupported);
    }
  }

  #udpOverIpv4(frame: Frame, ip: number, udp: number, domain: number, destination: number): void {
    const bytes = this.#bytes;
    const verdict = checkUdp(bytes, udp, frame.end);
    if (verdict !== FORWARD) {
      this.#drop(frame, verdict);
      return;
    }
    const listener = this.#addresses.listener(domain, 0, 0, 0, destination, udpService(udpDestinationPort(bytes, udp)));
    if (listener === -1) {
      if (isIpv4Group(destination)) this.#disposal.consume(frame);
      else this.#drop(frame, this.#addresses.hasIpv4(domain, destination) ? Drop.unknownTunnelPort : Drop.notForUs);
      return;
    }
    const octets = udpOctets(bytes, udp);
    if (this.#hasToVerify(frame, udp)) {
      const sum = ipv4PseudoHeaderSum(bytes, ip, IpProtocol.udp, octets);
      const checked = checkUdpChecksum(bytes, this.#words, udp, sum);
      if (checked !== FORWARD && !(frame.offloadsUnknown !== 0 && this.#isRightOnceFinished(frame, udp, sum))) {
        this.#drop(frame, checked);
        return;
      }
    }
    frame.outer0 = 0;
    frame.outer1 = 0;
    frame.outer2 = 0;
    frame.outer3 = ipv4Source(bytes, ip);
    frame.outerTos = ipv4Tos(bytes, ip);
    this.#decapsulate(frame, udp, octets, listener);
  }

  #udpOverIpv6(frame: Frame, ip: number, domain: Domain): void {
    const bytes = this.#bytes;
    const udp = ip + IPV6_HEADER_OCTETS;
    const verdict = checkUdp(bytes, udp, frame.end);
    if (verdict !== FORWARD) {
      this.#drop(frame, verdict);
      return;
    }
    const at = ip + IPV6_DESTINATION;
    const word0 = read32(bytes, at);
    const word1 = read32(bytes, at + 4);
    const word2 = read32(bytes, at + 8);
    const word3 = read32(bytes, at + 12);
    const service = udpService(udpDestinationPort(bytes, udp));
    // Addresses of ::/96 are ours on no link; among the listeners they would be IPv4 ones.
    const isIpv6 = (word0 | word1 | word2) !== 0;
    const listener = isIpv6 ? this.#addresses.listener(domain.id, word0, word1, word2, word3, service) : -1;
    if (listener === -1) {
      if (ipv6IsMulticast(bytes, at)) this.#disposal.consume(frame);
      else this.#drop(frame, this.#ownsIpv6(domain, at) ? Drop.unknownTunnelPort : Drop.notForUs);
      return;
    }
    const octets = udpOctets(bytes, udp);
    if (this.#hasToVerify(frame, udp)) {
      const sum = ipv6PseudoHeaderSum(bytes, ip, IpProtocol.udp, octets);
      const checked = checkUdpChecksum(bytes, this.#words, udp, sum);
      if (checked !== FORWARD && !(frame.offloadsUnknown !== 0 && this.#isRightOnceFinished(frame, udp, sum))) {
        this.#drop(frame, checked);
        return;
      }
    }
    const source = ip + IPV6_SOURCE;
    frame.outer0 = read32(bytes, source);
    frame.outer1 = read32(bytes, source + 4);
    frame.outer2 = read32(bytes, source + 8);
    frame.outer3 = read32(bytes, source + 12);
    frame.outerTos = ipv6TrafficClass(bytes, ip);
    this.#decapsulate(frame, udp, octets, listener);
  }

  /** What a local kernel has not finished was never on a wire and cannot have been damaged there. */
  #hasToVerify(frame: Frame, udp: number): boolean {
    return udpHasChecksum(this.#bytes, udp) && frame.checksumVerified === 0 && frame.checksumStart === 0;
  }

  /** Hands the payload of a checked datagram on. */
  #decapsulate(frame: Frame, udp: number, octets: number, listener: number): void {
    frame.listener = listener;
    frame.outerPort = udpSourcePort(this.#bytes, udp);
    frame.outerStart = frame.start;
    frame.start = udp + UDP_HEADER_OCTETS;
    frame.end = udp + octets;
    this.#toDecapsulate.push(frame);
  }

  /**
   * Whether the datagram's checksum is that of what it carries once that is finished: a kernel that leaves the checksum of
   * an inner frame to its card computes the outer one as if it were there. The inner one then is there.
   */
  #isRightOnceFinished(frame: Frame, udp: number, pseudoHeaderSum: number): boolean {
    const { start, end } = frame;
    frame.start = udp + UDP_HEADER_OCTETS + VXLAN_HEADER_OCTETS;
    frame.end = udp + udpOctets(this.#bytes, udp);
    completeUnannouncedChecksum(this.#disposal.pool.arena, frame);
    frame.start = start;
    frame.end = end;
    return checkUdpChecksum(this.#bytes, this.#words, udp, pseudoHeaderSum) === FORWARD;
  }

  #echoV4(frame: Frame, ip: number, icmp: number): void {
    const bytes = this.#bytes;
    const verdict = checkIcmpv4(bytes, this.#words, icmp, frame.end);
    if (verdict !== FORWARD) {
      this.#drop(frame, verdict);
    } else if (isEchoRequestV4(bytes, icmp)) {
      turnIntoEchoReplyV4(bytes, ip);
      this.#sendBack(frame);
    } else {
      this.#drop(frame, Drop.localUnsupported);
    }
  }

  #arp(frame: Frame): void {
    const bytes = this.#bytes;
    const arp = frame.start + ETHERNET_HEADER_OCTETS;
    const verdict = checkArp(bytes, arp, frame.end);
    if (verdict !== FORWARD) {
      this.#drop(frame, verdict);
      return;
    }
    const member = this.#members[frame.member]!;
    const domain = member.domain;
    const sender = arp + ARP_SENDER_MAC;
    const neighbour = this.#neighbours.find(domain.id, 0, 0, 0, arpSenderIp(bytes, arp));
    if (neighbour !== undefined) {
      const [high, low] = [macHigh16(bytes, sender), macLow32(bytes, sender)];
      this.#neighbours.heard(neighbour, high, low, member.id, this.nowMs);
    }
    if (domain.routes) {
      this.#router.heard(frame, arp);
      if (!this.#addresses.hasIpv4(domain.id, arpTargetIp(bytes, arp))) {
        this.#router.answer(frame, arp);
        return;
      }
    }
    if (arpOperation(bytes, arp) !== ARP_REQUEST || !this.#addresses.hasIpv4(domain.id, arpTargetIp(bytes, arp))) {
      this.#disposal.consume(frame);
      return;
    }
    turnIntoArpReply(bytes, arp, domain.macHigh, domain.macLow);
    frame.end = arp + ARP_OCTETS;
    this.#sendBack(frame);
  }

  #ipv6(frame: Frame): void {
    const bytes = this.#bytes;
    const ip = frame.start + ETHERNET_HEADER_OCTETS;
    const verdict = checkIpv6(bytes, ip, frame.end);
    if (verdict !== FORWARD) {
      this.#drop(frame, verdict);
      return;
    }
    frame.end = ip + IPV6_HEADER_OCTETS + ipv6PayloadOctets(bytes, ip);
    const { domain } = this.#members[frame.member]!;
    if (domain.routes && this.#route(frame, ip)) return;
    const toGroup = isGroupMac(bytes, frame.start + ETHERNET_DESTINATION);
    const nextHeader = ipv6NextHeader(bytes, ip);
    if (nextHeader !== IpProtocol.icmpv6) {
      if (ipv6HopLimit(bytes, ip) === 0) this.#drop(frame, Drop.ttlExpired);
      else if (nextHeader === IpProtocol.udp) this.#udpOverIpv6(frame, ip, domain);
      else if (nextHeader === IPV6_HOP_BY_HOP && toGroup) this.#mld(frame, ip, domain.id);
      else if (nextHeader === IPV6_FRAGMENT && !toGroup) this.#drop(frame, Drop.ipFragment);
      else this.#ignore(frame, toGroup);
      return;
    }
    const checked = checkIcmpv6(bytes, this.#words, ip);
    if (checked !== FORWARD) {
      this.#drop(frame, checked);
      return;
    }
    const type = icmpv6Type(bytes, ip);
    if (type === NEIGHBOUR_SOLICITATION || type === NEIGHBOUR_ADVERTISEMENT) {
      const discovery = checkNeighbourDiscovery(bytes, ip);
      if (discovery === FORWARD) this.#hearNeighbour(frame, ip, type);
      if (discovery !== FORWARD) this.#drop(frame, discovery);
      else if (type === NEIGHBOUR_ADVERTISEMENT) this.#disposal.consume(frame);
      else if (this.#ownsIpv6(domain, ip + IPV6_HEADER_OCTETS + ND_TARGET)) this.#advertise(frame, ip);
      else this.#disposal.consume(frame);
    } else if (type === ICMPV6_ECHO_REQUEST && this.#ownsIpv6(domain, ip + IPV6_DESTINATION)) {
      turnIntoEchoReplyV6(bytes, ip);
      this.#sendBack(frame);
    } else {
      this.#ignore(frame, toGroup);
    }
  }

  /** Group membership; other packets with a hop-by-hop header are for others. */
  #mld(frame: Frame, ip: number, domain: number): void {
    const start = findMld(this.#bytes, ip);
    const verdict = start === 0 ? FORWARD : this.#groups.hearMld(domain, ip, start, this.nowMs);
    if (verdict === FORWARD) this.#disposal.consume(frame);
    else this.#drop(frame, verdict);
  }

  /** In the domain of an opaque group: hears who speaks, and takes what is for another host; true when it has. */
  #route(frame: Frame, ip: number): boolean {
    const bytes = this.#bytes;
    const isTold = isDiscovery(bytes, ip, frame.end) && ipv6HopLimit(bytes, ip) === ND_HOP_LIMIT;
    if (isTold && checkIcmpv6(bytes, this.#words, ip) === FORWARD) this.#router.heardV6(frame, ip);
    const toGroup = isGroupMac(bytes, frame.start + ETHERNET_DESTINATION);
    if (toGroup || this.#ownsIpv6(this.#members[frame.member]!.domain, ip + IPV6_DESTINATION)) return false;
    this.#router.forwardV6(frame, ip);
    return true;
  }

  /** What a checked solicitation says of its sender, or an advertisement of its target (RFC 4861, sections 7.2.3 and 7.2.5). */
  #hearNeighbour(frame: Frame, ip: number, type: number): void {
    const bytes = this.#bytes;
    const isAdvertisement = type === NEIGHBOUR_ADVERTISEMENT;
    const at = isAdvertisement ? ip + IPV6_HEADER_OCTETS + ND_TARGET : ip + IPV6_SOURCE;
    const member = this.#members[frame.member]!;
    const neighbour = this.#neighbours.find(
      member.domain.id,
      read32(bytes, at),
      read32(bytes, at + 4),
      read32(bytes, at + 8),
      read32(bytes, at + 12),
    );
    if (neighbour === undefined) return;
    const option = isAdvertisement ? OPTION_TARGET_LINK_LAYER : OPTION_SOURCE_LINK_LAYER;
    const mac = findLinkLayerOption(bytes, ip, option);
    // Without the option an advertisement confirms what is known.
    if (mac === 0 && !(isAdvertisement && neighbour.isResolved)) return;
    const high = mac === 0 ? neighbour.macHigh : macHigh16(bytes, mac);
    const low = mac === 0 ? neighbour.macLow : macLow32(bytes, mac);
    const isOther = high !== neighbour.macHigh || low !== neighbour.macLow;
    if (isAdvertisement && neighbour.isResolved && isOther && !advertisementOverrides(bytes, ip)) return;
    this.#neighbours.heard(neighbour, high, low, member.id, this.nowMs);
  }

  /** Whether the address is a self IP, or the link-local address from which we report groups. */
  #ownsIpv6(domain: Domain, at: number): boolean {
    const bytes = this.#bytes;
    const word0 = read32(bytes, at);
    const word1 = read32(bytes, at + 4);
    const word2 = read32(bytes, at + 8);
    const word3 = read32(bytes, at + 12);
    if (this.#addresses.hasIpv6(domain.id, word0, word1, word2, word3)) return true;
    if (word0 >>> 16 !== 0xfe80 || !this.#addresses.speaksIpv6(domain.id)) return false;
    const own = linkLocalOf(domain);
    return word0 === own[0] && word1 === own[1] && word2 === own[2] && word3 === own[3];
  }

  /** Multicast that concerns others is our copy of it and ends here; a packet for us that nobody serves is dropped. */
  #ignore(frame: Frame, toGroup: boolean): void {
    if (toGroup) this.#disposal.consume(frame);
    else this.#drop(frame, Drop.localUnsupported);
  }

  #advertise(frame: Frame, ip: number): void {
    const disposal = this.#disposal;
    const reply = disposal.pool.acquire(ETHERNET_HEADER_OCTETS + ND_PACKET_OCTETS);
    if (reply === undefined) {
      this.#drop(frame, Drop.noBuffer);
      return;
    }
    const bytes = this.#bytes;
    const { domain } = this.#members[frame.member]!;
    const start = reply.start;
    const asking = frame.start + ETHERNET_SOURCE;
    // To a probe for a duplicate (from ::) the answer goes to all nodes; its MAC group then is 33:33:00:00:00:01.
    const isProbe = read16(bytes, ip + 8) === 0 && read32(bytes, ip + 20) === 0;
    const high = isProbe ? 0x3333 : macHigh16(bytes, asking);
    const low = isProbe ? 1 : macLow32(bytes, asking);
    writeEthernet(bytes, start, high, low, domain.macHigh, domain.macLow, EtherType.ipv6);
    const packet = start + ETHERNET_HEADER_OCTETS;
    writeNeighbourAdvertisement(bytes, this.#words, packet, ip, domain.macHigh, domain.macLow);
    reply.end = packet + ND_PACKET_OCTETS;
    reply.member = frame.member;
    reply.endpoint = frame.endpoint;
    disposal.books[Book.originated]! += 1;
    disposal.consume(frame);
    this.#leave(reply);
  }

  /** Sends the frame back to the station that it came from. */
  #sendBack(frame: Frame): void {
    const bytes = this.#bytes;
    const { domain } = this.#members[frame.member]!;
    copyMac(bytes, frame.start + ETHERNET_SOURCE, frame.start + ETHERNET_DESTINATION);
    writeMac(bytes, frame.start + ETHERNET_SOURCE, domain.macHigh, domain.macLow);
    frame.checksumStart = 0;
    this.#leave(frame);
  }

  #leave(frame: Frame): void {
    const member = this.#members[frame.member]!;
    frame.egress = member.id;
    member.outlet.push(frame);
  }
}

/** 224.0.0.0/4. */
const isIpv4Group = (address: number): boolean => address >>> 28 === 0xe;
