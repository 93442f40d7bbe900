// Frames to our own MAC, and those to all that concern us: ARP and neighbour discovery are answered, packets for our
// addresses go to the receiver, and packets for others to the router.
//
// In the domain of an opaque VLAN group, what hosts send to each other by our MAC goes to the router of that group.

import { Drop, FORWARD, type Verdict } from '../../../core/drop-reason.ts';
import { isGroupMac } from '../../../core/mac.ts';
import { read32 } from '../../../core/octets.ts';
import type { Member } from '../../../bridge/domain.ts';
import type { Frame, FrameBatch } from '../../../packet/frame.ts';
import type { Disposal } from '../../../pipeline/disposal.ts';
import type { PipelineNode } from '../../../pipeline/node.ts';
import { ETHERNET_DESTINATION, ETHERNET_HEADER_OCTETS, EtherType, etherType } from '../../../wire/ethernet.ts';
import {
  checkIcmpv6,
  icmpv6Type,
  isDiscovery,
  ND_HOP_LIMIT,
  NEIGHBOUR_ADVERTISEMENT,
  NEIGHBOUR_SOLICITATION,
} from '../../../wire/icmpv6.ts';
import { checkIpv4, IPV4_HEADER_OCTETS, IpProtocol, ipv4Destination, ipv4Ttl } from '../../../wire/ipv4.ts';
import {
  checkIpv6,
  IPV6_DESTINATION,
  IPV6_HEADER_OCTETS,
  ipv6HopLimit,
  ipv6IsMulticast,
  ipv6NextHeader,
  ipv6PayloadOctets,
} from '../../../wire/ipv6.ts';
import type { LocalAddresses } from '../local-addresses.ts';
import type { OpaqueRouter } from '../opaque-router.ts';
import type { ArpResponder } from './arp-responder.ts';
import type { DiscoveryResponder } from './discovery-responder.ts';
import type { PacketReceiver } from './packet-receiver.ts';

export class LocalNode implements PipelineNode {
  readonly name = 'local';
  readonly input: FrameBatch;
  /** Milliseconds of the data plane's clock; set by the owner before a breath. */
  nowMs = 0;
  readonly #members: readonly (Member | undefined)[];
  readonly #addresses: LocalAddresses;
  readonly #router: OpaqueRouter;
  readonly #arp: ArpResponder;
  readonly #discovery: DiscoveryResponder;
  readonly #receiver: PacketReceiver;
  readonly #disposal: Disposal;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #toRoute: FrameBatch;

  constructor(
    input: FrameBatch,
    members: readonly (Member | undefined)[],
    addresses: LocalAddresses,
    router: OpaqueRouter,
    arp: ArpResponder,
    discovery: DiscoveryResponder,
    receiver: PacketReceiver,
    disposal: Disposal,
    toRoute: FrameBatch,
  ) {
    this.input = input;
    this.#members = members;
    this.#addresses = addresses;
    this.#router = router;
    this.#arp = arp;
    this.#discovery = discovery;
    this.#receiver = receiver;
    this.#disposal = disposal;
    this.#bytes = disposal.pool.arena.bytes;
    this.#words = disposal.pool.arena.words;
    this.#toRoute = toRoute;
  }

  process(): void {
    const { frames, length } = this.input;
    const bytes = this.#bytes;
    for (let index = 0; index < length; index++) {
      const frame = frames[index]!;
      const type = etherType(bytes, frame.start);
      if (type === EtherType.ipv4) {
        this.#ipv4(frame);
      } else if (type === EtherType.ipv6) {
        this.#ipv6(frame);
      } else {
        const verdict = type === EtherType.arp ? this.#arp.accept(frame, this.nowMs) : Drop.localUnsupported;
        if (verdict !== FORWARD) this.#drop(frame, verdict);
      }
    }
    this.input.clear();
  }

  #drop(frame: Frame, why: Verdict): void {
    this.#disposal.drop(frame, why, this.#members[frame.member]!.row);
  }

  #ipv4(frame: Frame): void {
    const bytes = this.#bytes;
    const ip = frame.start + ETHERNET_HEADER_OCTETS;
    if (frame.end - ip < IPV4_HEADER_OCTETS) {
      this.#drop(frame, Drop.ipHeaderInvalid);
      return;
    }
    const { domain } = this.#members[frame.member]!;
    const destination = ipv4Destination(bytes, ip);
    const owner = this.#addresses.ownerOf(domain.routeDomain, 0, 0, 0, destination);
    const isGroup = isIpv4Group(destination) || isGroupMac(bytes, frame.start + ETHERNET_DESTINATION);
    if (owner === -1 && !isGroup && !domain.routes) {
      this.#route(frame, ip);
      return;
    }
    const verdict = checkIpv4(bytes, ip, frame.end);
    if (verdict !== FORWARD) {
      this.#drop(frame, verdict);
      return;
    }
    if (owner === -1 && !isGroup) {
      if (ipv4Ttl(bytes, ip) === 0) this.#drop(frame, Drop.ttlExpired);
      else if (this.#isBeyond(frame, destination)) this.#route(frame, ip);
      else this.#router.forward(frame, ip);
      return;
    }
    frame.outerStart = frame.start;
    frame.start = ip;
    if (isGroup) this.#receiver.acceptGroupIpv4(frame);
    else this.#receiver.acceptIpv4(frame, owner);
  }

  #ipv6(frame: Frame): void {
    const bytes = this.#bytes;
    const ip = frame.start + ETHERNET_HEADER_OCTETS;
    const verdict = checkIpv6(bytes, ip, frame.end);
    if (verdict !== FORWARD) {
      this.#drop(frame, verdict);
      return;
    }
    const { domain } = this.#members[frame.member]!;
    const at = ip + IPV6_DESTINATION;
    const toGroup = ipv6IsMulticast(bytes, at) || isGroupMac(bytes, frame.start + ETHERNET_DESTINATION);
    const owner = this.#ownerOf(domain.routeDomain, at);
    const isOwn = owner !== -1 || this.#discovery.owns(domain, at);
    if (domain.routes) {
      frame.end = ip + IPV6_HEADER_OCTETS + ipv6PayloadOctets(bytes, ip);
      this.#hearHost(frame, ip);
      if (!toGroup && !isOwn) {
        this.#router.forwardV6(frame, ip);
        return;
      }
    }
    if (!isOwn && !toGroup && !isLinkLocal(bytes, at)) {
      this.#route(frame, ip);
      return;
    }
    frame.end = ip + IPV6_HEADER_OCTETS + ipv6PayloadOctets(bytes, ip);
    if (ipv6NextHeader(bytes, ip) === IpProtocol.icmpv6) {
      const checked = checkIcmpv6(bytes, this.#words, ip);
      const type = checked === FORWARD ? icmpv6Type(bytes, ip) : 0;
      if (checked !== FORWARD) this.#drop(frame, checked);
      if (checked !== FORWARD) return;
      if (type === NEIGHBOUR_SOLICITATION || type === NEIGHBOUR_ADVERTISEMENT) {
        const discovery = this.#discovery.accept(frame, this.nowMs);
        if (discovery !== FORWARD) this.#drop(frame, discovery);
        return;
      }
    }
    if (!isOwn && !toGroup) {
      this.#drop(frame, Drop.notForUs);
      return;
    }
    frame.outerStart = frame.start;
    frame.start = ip;
    if (isOwn) this.#receiver.acceptIpv6(frame, owner === -1 ? domain.id : owner);
    else this.#receiver.acceptGroupIpv6(frame);
  }

  /** In the domain of an opaque group: whether an address is neither on its networks nor that of a host heard there. */
  #isBeyond(frame: Frame, destination: number): boolean {
    const { domain } = this.#members[frame.member]!;
    return !this.#addresses.isOnLinkIpv4(domain.id, destination) && !this.#router.knows(domain.id, destination);
  }

  /** Hands the packet in a frame to the router. */
  #route(frame: Frame, ip: number): void {
    frame.outerStart = frame.start;
    frame.start = ip;
    this.#toRoute.push(frame);
  }

  /** In the domain of an opaque group: hears who speaks. */
  #hearHost(frame: Frame, ip: number): void {
    const bytes = this.#bytes;
    const isTold = isDiscovery(bytes, ip, frame.end) && ipv6HopLimit(bytes, ip) === ND_HOP_LIMIT;
    if (isTold && checkIcmpv6(bytes, this.#words, ip) === FORWARD) this.#router.heardV6(frame, ip);
  }

  #ownerOf(routeDomain: number, at: number): number {
    const bytes = this.#bytes;
    const word0 = read32(bytes, at);
    const word1 = read32(bytes, at + 4);
    const word2 = read32(bytes, at + 8);
    // Addresses of ::/96 are no host's; among ours they would be IPv4 ones.
    if ((word0 | word1 | word2) === 0) return -1;
    return this.#addresses.ownerOf(routeDomain, word0, word1, word2, read32(bytes, at + 12));
  }
}

/** 224.0.0.0/4, and 255.255.255.255. */
const isIpv4Group = (address: number): boolean => address >>> 28 === 0xe || address === -1;

/** fe80::/10, which no router forwards to (RFC 4291, section 2.5.6). */
const isLinkLocal = (bytes: Uint8Array, at: number): boolean => bytes[at] === 0xfe && (bytes[at + 1]! & 0xc0) === 0x80;
