// What is sent to us: ARP, neighbour discovery, echo, and the datagrams of tunnels.
//
// Replies go back by the member that the question came in by (auto last hop), in the question's own buffer. Everything
// else that is addressed to a self IP has no receiver here and is dropped by name.

import { Drop, FORWARD, type Verdict } from '../../../core/drop-reason.ts';
import { isGroupMac, macHigh16, macLow32 } from '../../../core/mac.ts';
import { read16, read32 } from '../../../core/octets.ts';
import type { Member } from '../../../bridge/domain.ts';
import { completeUnannouncedChecksum } from '../../../packet/complete-checksum.ts';
import type { Frame, FrameBatch } from '../../../packet/frame.ts';
import { Book } from '../../../pipeline/books.ts';
import type { Disposal } from '../../../pipeline/disposal.ts';
import type { PipelineNode } from '../../../pipeline/node.ts';
import type { NeighbourTable } from '../../../route/neighbour-table.ts';
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
  checkIcmpv6,
  checkNeighbourDiscovery,
  ICMPV6_ECHO_REQUEST,
  icmpv6Type,
  ND_PACKET_OCTETS,
  ND_TARGET,
  NEIGHBOUR_SOLICITATION,
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
  IPV6_HEADER_OCTETS,
  ipv6NextHeader,
  ipv6PayloadOctets,
} from '../../../wire/ipv6.ts';
import {
  checkUdp,
  checkUdpChecksum,
  UDP_HEADER_OCTETS,
  udpDestinationPort,
  udpHasChecksum,
  udpOctets,
  udpSourcePort,
} from '../../../wire/udp.ts';
import { VXLAN_HEADER_OCTETS } from '../../../wire/vxlan.ts';
import type { LocalAddresses } from '../local-addresses.ts';

export class LocalNode implements PipelineNode {
  readonly name = 'local';
  readonly input: FrameBatch;
  /** Milliseconds of the data plane's clock; set by the owner before a breath. */
  nowMs = 0;
  readonly #members: readonly (Member | undefined)[];
  readonly #addresses: LocalAddresses;
  readonly #neighbours: NeighbourTable;
  readonly #disposal: Disposal;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #toDecapsulate: FrameBatch;

  constructor(
    input: FrameBatch,
    members: readonly (Member | undefined)[],
    addresses: LocalAddresses,
    neighbours: NeighbourTable,
    disposal: Disposal,
    toDecapsulate: FrameBatch,
  ) {
    this.input = input;
    this.#members = members;
    this.#addresses = addresses;
    this.#neighbours = neighbours;
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
    if (ipv4IsFragment(bytes, ip)) {
      this.#drop(frame, Drop.ipFragment);
      return;
    }
    frame.end = ip + ipv4TotalOctets(bytes, ip);
    const { domain } = this.#members[frame.member]!;
    const protocol = ipv4Protocol(bytes, ip);
    const payload = ip + ipv4HeaderOctets(bytes, ip);
    const destination = ipv4Destination(bytes, ip);
    if (protocol === IpProtocol.udp) {
      this.#udp(frame, ip, payload, domain.id, destination);
    } else if (!this.#addresses.hasIpv4(domain.id, destination)) {
      this.#drop(frame, Drop.notForUs);
    } else if (protocol === IpProtocol.icmp) {
      this.#echoV4(frame, ip, payload);
    } else {
      this.#drop(frame, Drop.localUnsupported);
    }
  }

  #udp(frame: Frame, ip: number, udp: number, domain: number, destination: number): void {
    const bytes = this.#bytes;
    const verdict = checkUdp(bytes, udp, frame.end);
    if (verdict !== FORWARD) {
      this.#drop(frame, verdict);
      return;
    }
    const listener = this.#addresses.listener(domain, destination, udpDestinationPort(bytes, udp));
    if (listener === -1) {
      this.#drop(frame, this.#addresses.hasIpv4(domain, destination) ? Drop.unknownTunnelPort : Drop.notForUs);
      return;
    }
    const octets = udpOctets(bytes, udp);
    // What a local kernel has not finished was never on a wire and cannot have been damaged there.
    if (udpHasChecksum(bytes, udp) && frame.checksumVerified === 0 && frame.checksumStart === 0) {
      const sum = ipv4PseudoHeaderSum(bytes, ip, IpProtocol.udp, octets);
      const checked = checkUdpChecksum(bytes, this.#words, udp, sum);
      if (checked !== FORWARD && !(frame.offloadsUnknown !== 0 && this.#isRightOnceFinished(frame, udp, sum))) {
        this.#drop(frame, checked);
        return;
      }
    }
    frame.listener = listener;
    frame.outer0 = 0;
    frame.outer1 = 0;
    frame.outer2 = 0;
    frame.outer3 = ipv4Source(bytes, ip);
    frame.outerPort = udpSourcePort(bytes, udp);
    frame.outerTos = ipv4Tos(bytes, ip);
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
    this.#neighbours.heard(
      domain.id,
      arpSenderIp(bytes, arp),
      macHigh16(bytes, sender),
      macLow32(bytes, sender),
      member.id,
      this.nowMs,
    );
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
    const toGroup = isGroupMac(bytes, frame.start + ETHERNET_DESTINATION);
    if (ipv6NextHeader(bytes, ip) !== IpProtocol.icmpv6) {
      this.#ignore(frame, toGroup);
      return;
    }
    const checked = checkIcmpv6(bytes, this.#words, ip);
    if (checked !== FORWARD) {
      this.#drop(frame, checked);
      return;
    }
    const type = icmpv6Type(bytes, ip);
    const { domain } = this.#members[frame.member]!;
    if (type === NEIGHBOUR_SOLICITATION) {
      const discovery = checkNeighbourDiscovery(bytes, ip);
      if (discovery !== FORWARD) this.#drop(frame, discovery);
      else if (this.#ownsIpv6(domain.id, ip + IPV6_HEADER_OCTETS + ND_TARGET)) this.#advertise(frame, ip);
      else this.#disposal.consume(frame);
    } else if (type === ICMPV6_ECHO_REQUEST && this.#ownsIpv6(domain.id, ip + IPV6_DESTINATION)) {
      turnIntoEchoReplyV6(bytes, ip);
      this.#sendBack(frame);
    } else {
      this.#ignore(frame, toGroup);
    }
  }

  #ownsIpv6(domain: number, at: number): boolean {
    const bytes = this.#bytes;
    return this.#addresses.hasIpv6(
      domain,
      read32(bytes, at),
      read32(bytes, at + 4),
      read32(bytes, at + 8),
      read32(bytes, at + 12),
    );
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
