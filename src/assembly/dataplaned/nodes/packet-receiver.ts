// Packets for our own addresses and for groups that we listen to: echo, group membership queries, the packets of tunnels.
//
// A frame here starts at the IP header, whose check is done. Replies go back by the member that the question came in by
// (auto last hop), in the question's own buffer. What nothing here takes goes to the local delivery.
//
// Fragments of packets for our addresses are put together first, unless the host takes them as they are: it does where the
// first one comes first and says who the packet is for. Those of packets to groups are not put together.

import type { Domain, Member } from '../../../bridge/domain.ts';
import { Drop, FORWARD, type Verdict } from '../../../core/drop-reason.ts';
import { read32 } from '../../../core/octets.ts';
import { completeUnannouncedChecksum } from '../../../packet/complete-checksum.ts';
import { canSplit, type DatagramFrames } from '../../../packet/datagrams.ts';
import { type Frame, type FrameBatch, Gso } from '../../../packet/frame.ts';
import { Book } from '../../../pipeline/books.ts';
import type { Disposal } from '../../../pipeline/disposal.ts';
import type { Reassembly } from '../../../route/reassembly.ts';
import { udpService } from '../../../tunnel/service.ts';
import {
  copyMac,
  ETHERNET_DESTINATION,
  ETHERNET_HEADER_OCTETS,
  ETHERNET_SOURCE,
  writeMac,
} from '../../../wire/ethernet.ts';
import { readIcmpv4Error, readIcmpv6Error } from '../../../wire/icmp-error.ts';
import { checkIcmpv4, isEchoRequestV4, turnIntoEchoReplyV4 } from '../../../wire/icmpv4.ts';
import { checkIcmpv6, ICMPV6_ECHO_REQUEST, icmpv6Type, turnIntoEchoReplyV6 } from '../../../wire/icmpv6.ts';
import {
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
  IPV6_DESTINATION,
  IPV6_HEADER_OCTETS,
  IPV6_HOP_BY_HOP,
  IPV6_SOURCE,
  ipv6HopLimit,
  ipv6NextHeader,
  ipv6PseudoHeaderSum,
  ipv6TrafficClass,
} from '../../../wire/ipv6.ts';
import { findUpperLayer, findUpperLayerOrAh, isIpv6Extension, upperLayer } from '../../../wire/ipv6-extension.ts';
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
import { VXLAN_HEADER_OCTETS } from '../../../wire/vxlan.ts';
import type { Fragmenter } from '../fragmenter.ts';
import type { GroupService } from '../group-service.ts';
import { type IpsecErrors, NOT_OF_AN_ASSOCIATION } from '../ipsec-errors.ts';
import type { IpsecGate } from '../ipsec-gate.ts';
import type { LocalAddresses } from '../local-addresses.ts';
import type { LocalDelivery } from '../local-delivery.ts';
import type { ReplyOutlet } from '../reply-outlet.ts';
import { NOT_OF_A_TUNNEL, type TunnelErrors } from '../tunnel-errors.ts';
import { TunnelDemultiplexer } from './tunnel-demultiplexer.ts';

export class PacketReceiver {
  /** Milliseconds of the data plane's clock; set by the owner before a breath. */
  nowMs = 0;
  /** Sends a packet by the routes; set by the owner. */
  originate: (frame: Frame, domain: Domain) => void = () => undefined;
  readonly #members: readonly (Member | undefined)[];
  readonly #domains: ReadonlyMap<number, Domain>;
  readonly #addresses: LocalAddresses;
  readonly #groups: GroupService;
  readonly #delivery: LocalDelivery;
  readonly #reassembly: Reassembly;
  readonly #fragmenter: Fragmenter;
  readonly #tunnelErrors: TunnelErrors;
  readonly #ipsecErrors: IpsecErrors;
  readonly #replies: ReplyOutlet;
  readonly #ipsec: IpsecGate;
  readonly #disposal: Disposal;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #toDecapsulate: FrameBatch;
  readonly #demultiplexer: TunnelDemultiplexer;
  readonly #datagrams: DatagramFrames;

  constructor(
    members: readonly (Member | undefined)[],
    domains: ReadonlyMap<number, Domain>,
    addresses: LocalAddresses,
    groups: GroupService,
    delivery: LocalDelivery,
    replies: ReplyOutlet,
    reassembly: Reassembly,
    fragmenter: Fragmenter,
    tunnelErrors: TunnelErrors,
    ipsec: IpsecGate,
    ipsecErrors: IpsecErrors,
    disposal: Disposal,
    toDecapsulate: FrameBatch,
    datagrams: DatagramFrames,
  ) {
    this.#datagrams = datagrams;
    this.#members = members;
    this.#domains = domains;
    this.#addresses = addresses;
    this.#groups = groups;
    this.#delivery = delivery;
    this.#reassembly = reassembly;
    this.#fragmenter = fragmenter;
    this.#tunnelErrors = tunnelErrors;
    this.#replies = replies;
    this.#ipsec = ipsec;
    this.#ipsecErrors = ipsecErrors;
    this.#disposal = disposal;
    this.#bytes = disposal.pool.arena.bytes;
    this.#words = disposal.pool.arena.words;
    this.#toDecapsulate = toDecapsulate;
    this.#demultiplexer = new TunnelDemultiplexer(addresses, this.#bytes, toDecapsulate);
  }

  #drop(frame: Frame, why: Verdict): void {
    this.#disposal.drop(frame, why, this.#members[frame.member]?.row ?? 0);
  }

  /** Takes an IPv4 packet for an address that is ours on the domain `owner`. */
  acceptIpv4(frame: Frame, owner: number): void {
    const bytes = this.#bytes;
    const ip = frame.start;
    if (!this.#isAlive(frame)) return;
    if (ipv4IsFragment(bytes, ip)) {
      if (!this.#isFragmentAdmitted(frame, owner)) return;
      const isHeld = this.#reassembly.holdsIpv4(ip, owner);
      if (isHeld || !this.#isTakenByHost(frame, owner)) this.#putTogether(frame, owner, true);
      return;
    }
    const protocol = ipv4Protocol(bytes, ip);
    const payload = ip + ipv4HeaderOctets(bytes, ip);
    if (this.#ipsec.takeProtected(frame, protocol, payload) || !this.#isAdmitted(frame, owner)) return;
    if (protocol === IpProtocol.udp) {
      if (!this.#toTunnelIpv4(frame, payload, owner)) this.#deliver(frame, owner);
    } else if (protocol === IpProtocol.igmp) {
      this.#igmp(frame, payload);
    } else if (protocol === IpProtocol.icmp) {
      this.#echoV4(frame, payload, owner);
    } else if (!this.#demultiplexer.takeIpv4(frame, owner)) {
      this.#deliver(frame, owner);
    }
  }

  /** Takes an IPv4 packet to a group or to all: others get it too, and our copy ends here unless we or the host listen. */
  acceptGroupIpv4(frame: Frame): void {
    const bytes = this.#bytes;
    const ip = frame.start;
    if (!this.#isAlive(frame)) return;
    const { domain } = this.#members[frame.member]!;
    if (ipv4IsFragment(bytes, ip)) {
      if (!this.#delivery.acceptGroup(frame, domain)) this.#drop(frame, Drop.ipFragment);
      return;
    }
    const protocol = ipv4Protocol(bytes, ip);
    const payload = ip + ipv4HeaderOctets(bytes, ip);
    if (protocol === IpProtocol.igmp) this.#igmp(frame, payload);
    else if (protocol !== IpProtocol.udp || !this.#toTunnelIpv4(frame, payload, domain.id)) {
      if (!this.#delivery.acceptGroup(frame, domain)) this.#disposal.consume(frame);
    }
  }

  /** Takes an IPv6 packet other than neighbour discovery, for an address that is ours on the domain `owner`. */
  acceptIpv6(frame: Frame, owner: number): void {
    const bytes = this.#bytes;
    const ip = frame.start;
    const nextHeader = ipv6NextHeader(bytes, ip);
    if (ipv6HopLimit(bytes, ip) === 0) {
      this.#drop(frame, Drop.ttlExpired);
      return;
    }
    if (this.#takeProtectedIpv6(frame, nextHeader)) return;
    const fragmentAt = isIpv6Extension(nextHeader) && findUpperLayer(bytes, ip, frame.end) ? upperLayer.fragmentAt : 0;
    if (fragmentAt !== 0) {
      if (!this.#isFragmentAdmitted(frame, owner)) return;
      const isHeld = this.#reassembly.holdsIpv6(ip, fragmentAt, owner);
      if (isHeld || !this.#isTakenByHost(frame, owner)) this.#putTogether(frame, owner, false);
      return;
    }
    if (!this.#isAdmitted(frame, owner)) return;
    if (nextHeader === IpProtocol.udp) {
      if (!this.#toTunnelIpv6(frame, owner)) this.#deliver(frame, owner);
    } else if (nextHeader === IpProtocol.icmpv6) {
      this.#echoV6(frame, owner);
    } else if (isIpv6Extension(nextHeader) || !this.#demultiplexer.takeIpv6(frame, owner)) {
      this.#deliver(frame, owner);
    }
  }

  /** As acceptGroupIpv4. */
  acceptGroupIpv6(frame: Frame): void {
    const bytes = this.#bytes;
    const ip = frame.start;
    const nextHeader = ipv6NextHeader(bytes, ip);
    const { domain } = this.#members[frame.member]!;
    if (nextHeader !== IpProtocol.icmpv6 && ipv6HopLimit(bytes, ip) === 0) {
      this.#drop(frame, Drop.ttlExpired);
    } else if (nextHeader === IPV6_HOP_BY_HOP) {
      const start = findMld(bytes, ip);
      const verdict = start === 0 ? FORWARD : this.#groups.hearMld(domain.id, ip, start, this.nowMs);
      if (verdict === FORWARD) this.#disposal.consume(frame);
      else this.#drop(frame, verdict);
    } else if (nextHeader !== IpProtocol.udp || !this.#toTunnelIpv6(frame, domain.id)) {
      if (!this.#delivery.acceptGroup(frame, domain)) this.#disposal.consume(frame);
    }
  }

  /** As IpsecGate.takeProtected; ESP and AH may stand behind extension headers (RFC 4303, section 3.1.1). */
  #takeProtectedIpv6(frame: Frame, nextHeader: number): boolean {
    const ipsec = this.#ipsec;
    if (!ipsec.opens) return false;
    if (!isIpv6Extension(nextHeader)) {
      return ipsec.takeProtected(frame, nextHeader, frame.start + IPV6_HEADER_OCTETS);
    }
    // Fragments come back once they have been put together.
    if (!findUpperLayerOrAh(this.#bytes, frame.start, frame.end) || upperLayer.fragmentAt !== 0) return false;
    return ipsec.takeProtected(frame, upperLayer.protocol, upperLayer.start);
  }

  #isFragmentAdmitted(frame: Frame, owner: number): boolean {
    const verdict = this.#ipsec.admitFragment(frame, this.#domains.get(owner)?.routeDomain ?? 0);
    if (verdict === FORWARD) return true;
    this.#drop(frame, verdict);
    return false;
  }

  /** Whether a packet for us may come unprotected, or did not; if not it has been dropped. */
  #isAdmitted(frame: Frame, owner: number): boolean {
    const verdict = this.#ipsec.admit(frame, this.#domains.get(owner)?.routeDomain ?? 0, true);
    if (verdict === FORWARD) return true;
    this.#drop(frame, verdict);
    return false;
  }

  /** Hands a packet to a group that came by a layer 3 tunnel to who has joined it; false: nobody has. */
  offerGroup(frame: Frame): boolean {
    const { domain } = this.#members[frame.member]!;
    return domain.isLayer3 && this.#delivery.acceptGroup(frame, domain);
  }

  #deliver(frame: Frame, owner: number): void {
    const domain = this.#domains.get(owner);
    if (domain === undefined) this.#drop(frame, Drop.notForUs);
    else this.#delivery.accept(frame, domain);
  }

  /** Whether the host has taken a fragment; otherwise, and where one of its packet is here already, it is put together here. */
  #isTakenByHost(frame: Frame, owner: number): boolean {
    const domain = this.#domains.get(owner);
    if (domain === undefined || this.#ipsec.ownsFragment(frame)) return false;
    return this.#delivery.acceptFragment(frame, domain);
  }

  /** Whether an IPv4 packet is alive; if not it has been dropped. What follows it is cut off. */
  #isAlive(frame: Frame): boolean {
    const bytes = this.#bytes;
    const ip = frame.start;
    if (ipv4Ttl(bytes, ip) === 0) {
      this.#drop(frame, Drop.ttlExpired);
      return false;
    }
    frame.end = ip + ipv4TotalOctets(bytes, ip);
    return true;
  }

  /** Takes a fragment, and the whole packet once it is there. */
  #putTogether(frame: Frame, owner: number, isIpv4: boolean): void {
    const ip = frame.start;
    const row = this.#members[frame.member]?.row ?? 0;
    // A reply needs the link header again, and a capture shows it.
    if (frame.outerStart !== 0) frame.start = frame.outerStart;
    const linkOctets = ip - frame.start;
    const reassembly = this.#reassembly;
    const whole = isIpv4
      ? reassembly.acceptIpv4(frame, ip, owner, row, this.nowMs)
      : reassembly.acceptIpv6(frame, ip, owner, row, this.nowMs);
    if (whole === undefined) return;
    whole.outerStart = linkOctets === 0 ? 0 : whole.start;
    whole.start += linkOctets;
    if (isIpv4) this.acceptIpv4(whole, owner);
    else this.acceptIpv6(whole, owner);
  }

  #igmp(frame: Frame, payload: number): void {
    const { domain } = this.#members[frame.member]!;
    const heard = this.#groups.hearIgmp(frame, domain.id, payload, this.nowMs);
    if (heard === FORWARD) this.#disposal.consume(frame);
    else this.#drop(frame, heard);
  }

  /** Hands a datagram to the tunnel that listens for it, or drops it; false: no tunnel does. */
  #toTunnelIpv4(frame: Frame, udp: number, domain: number): boolean {
    const bytes = this.#bytes;
    const ip = frame.start;
    const verdict = checkUdp(bytes, udp, frame.end);
    if (verdict !== FORWARD) {
      this.#drop(frame, verdict);
      return true;
    }
    const service = udpService(udpDestinationPort(bytes, udp));
    const listener = this.#addresses.listener(domain, 0, 0, 0, ipv4Destination(bytes, ip), service);
    if (listener === -1) return false;
    const octets = udpOctets(bytes, udp);
    if (this.#hasToVerify(frame, udp)) {
      const sum = ipv4PseudoHeaderSum(bytes, ip, IpProtocol.udp, octets);
      if (!this.#isRight(frame, udp, sum)) return true;
    }
    frame.outer0 = 0;
    frame.outer1 = 0;
    frame.outer2 = 0;
    frame.outer3 = ipv4Source(bytes, ip);
    frame.outerTos = ipv4Tos(bytes, ip);
    this.#decapsulate(frame, udp, octets, listener);
    return true;
  }

  #toTunnelIpv6(frame: Frame, domain: number): boolean {
    const bytes = this.#bytes;
    const ip = frame.start;
    const udp = ip + IPV6_HEADER_OCTETS;
    const verdict = checkUdp(bytes, udp, frame.end);
    if (verdict !== FORWARD) {
      this.#drop(frame, verdict);
      return true;
    }
    const at = ip + IPV6_DESTINATION;
    const word0 = read32(bytes, at);
    const word1 = read32(bytes, at + 4);
    const word2 = read32(bytes, at + 8);
    const service = udpService(udpDestinationPort(bytes, udp));
    // Addresses of ::/96 are ours on no link; among the listeners they would be IPv4 ones.
    const isIpv6 = (word0 | word1 | word2) !== 0;
    const listener = isIpv6
      ? this.#addresses.listener(domain, word0, word1, word2, read32(bytes, at + 12), service)
      : -1;
    if (listener === -1) return false;
    const octets = udpOctets(bytes, udp);
    if (this.#hasToVerify(frame, udp)) {
      const sum = ipv6PseudoHeaderSum(bytes, ip, IpProtocol.udp, octets);
      if (!this.#isRight(frame, udp, sum)) return true;
    }
    const source = ip + IPV6_SOURCE;
    frame.outer0 = read32(bytes, source);
    frame.outer1 = read32(bytes, source + 4);
    frame.outer2 = read32(bytes, source + 8);
    frame.outer3 = read32(bytes, source + 12);
    frame.outerTos = ipv6TrafficClass(bytes, ip);
    this.#decapsulate(frame, udp, octets, listener);
    return true;
  }

  /** What a local kernel has not finished was never on a wire and cannot have been damaged there. */
  #hasToVerify(frame: Frame, udp: number): boolean {
    return udpHasChecksum(this.#bytes, udp) && frame.checksumVerified === 0 && frame.checksumStart === 0;
  }

  /** Whether the checksum of a datagram is right; if not it has been dropped. */
  #isRight(frame: Frame, udp: number, pseudoHeaderSum: number): boolean {
    const checked = checkUdpChecksum(this.#bytes, this.#words, udp, pseudoHeaderSum);
    if (checked === FORWARD) return true;
    if (frame.offloadsUnknown !== 0 && this.#isRightOnceFinished(frame, udp, pseudoHeaderSum)) return true;
    this.#drop(frame, checked);
    return false;
  }

  /** Hands the payload of a checked datagram on. */
  #decapsulate(frame: Frame, udp: number, octets: number, listener: number): void {
    frame.listener = listener;
    frame.outerPort = udpSourcePort(this.#bytes, udp);
    if (frame.outerStart === 0) frame.outerStart = frame.start;
    frame.start = udp + UDP_HEADER_OCTETS;
    frame.end = udp + octets;
    // A super-frame of the packet inside goes on as it is: its checksum starts there, that of joined datagrams at our UDP header.
    if (frame.gsoType === Gso.udpL4 && frame.checksumStart === udp) this.#decapsulateJoined(frame);
    else this.#toDecapsulate.push(frame);
  }

  /** Hands datagrams on that came joined. */
  #decapsulateJoined(frame: Frame): void {
    if (!canSplit(frame, frame.start)) {
      this.#drop(frame, Drop.gsoUnsupported);
      return;
    }
    const batch = this.#toDecapsulate;
    const before = batch.length;
    this.#datagrams.split(frame, frame.start, batch);
    for (let index = before; index < batch.length; index++) {
      const datagram = batch.frames[index]!;
      datagram.outerStart = datagram.start;
    }
    this.#disposal.books[Book.originated]! += batch.length - before;
    this.#disposal.consume(frame);
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

  #echoV4(frame: Frame, icmp: number, owner: number): void {
    const bytes = this.#bytes;
    const verdict = checkIcmpv4(bytes, this.#words, icmp, frame.end);
    if (verdict !== FORWARD) {
      this.#drop(frame, verdict);
    } else if (isEchoRequestV4(bytes, icmp)) {
      turnIntoEchoReplyV4(bytes, frame.start);
      this.#sendBack(frame);
    } else if (!readIcmpv4Error(bytes, icmp, frame.end) || !this.#hearError(frame, owner)) {
      this.#deliver(frame, owner);
    }
  }

  #echoV6(frame: Frame, owner: number): void {
    const bytes = this.#bytes;
    const ip = frame.start;
    const verdict = checkIcmpv6(bytes, this.#words, ip);
    if (verdict !== FORWARD) {
      this.#drop(frame, verdict);
    } else if (icmpv6Type(bytes, ip) === ICMPV6_ECHO_REQUEST) {
      turnIntoEchoReplyV6(bytes, ip);
      this.#sendBack(frame);
    } else if (!readIcmpv6Error(bytes, ip + IPV6_HEADER_OCTETS, frame.end) || !this.#hearError(frame, owner)) {
      this.#deliver(frame, owner);
    }
  }

  /** Takes an ICMP error, which has been read, if it is about a packet of a tunnel of ours; returns whether it was. */
  #hearError(frame: Frame, owner: number): boolean {
    const routeDomain = this.#domains.get(owner)?.routeDomain ?? 0;
    let verdict = this.#tunnelErrors.hear(owner, routeDomain, this.nowMs);
    if (verdict === NOT_OF_A_TUNNEL) verdict = this.#ipsecErrors.hear(routeDomain, this.nowMs);
    if (verdict === NOT_OF_AN_ASSOCIATION) return false;
    if (verdict === FORWARD) this.#disposal.consume(frame);
    else this.#drop(frame, verdict);
    return true;
  }

  /** Sends the packet back to the station, or into the layer 3 tunnel, that it came from; in fragments if it came in such. */
  #sendBack(frame: Frame): void {
    const bytes = this.#bytes;
    const member = this.#members[frame.member]!;
    const { domain } = member;
    const ip = frame.start;
    frame.checksumStart = 0;
    frame.outerStart = 0;
    const selector = this.#ipsec.matchOwn(frame, domain.routeDomain);
    if (selector !== undefined) {
      this.#ipsec.take(frame, selector);
      return;
    }
    if (frame.protection > 0 && !domain.isLayer3) {
      // It came out of a security association: there is no station in front of it to answer to.
      this.originate(frame, domain);
      return;
    }
    if (!domain.isLayer3) {
      frame.start -= ETHERNET_HEADER_OCTETS;
      copyMac(bytes, frame.start + ETHERNET_SOURCE, frame.start + ETHERNET_DESTINATION);
      writeMac(bytes, frame.start + ETHERNET_SOURCE, domain.macHigh, domain.macLow);
    }
    if (frame.end - ip <= member.mtu) {
      this.#replies.send(frame, member);
      return;
    }
    const pieces = this.#fragmenter.cut(frame, ip, member.mtu, true, member.row);
    for (let index = 0; index < pieces.length; index++) this.#replies.send(pieces.frames[index]!, member);
  }
}
