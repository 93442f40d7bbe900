// Routing (RFC 1812, section 5; RFC 8200): from a packet to the frame that carries it on, or to the tunnel that does.
//
//   1. the header is right, and its source and destination are addresses that packets may be forwarded from and to
//   2. the longest prefix of its route domain says where to: to ourselves, onto a link, by a gateway, nowhere
//   3. its TTL or hop limit is one less, and it fits the MTU of the way out, or may be cut to fit (IPv4 without DF)
//   4. it leaves with the prepared header of the next hop, or waits until that has said its MAC
//
// A frame here starts at its IP header. Where it came by the bridge its Ethernet header is still in front of that, and
// `outerStart` says where, which captures of drops and ICMP errors look at.
//
// Not supported: IP options and hop-by-hop options are passed on unread; redirects are not sent.

import type { Domain, Member } from '../../../bridge/domain.ts';
import { Drop, FORWARD, type Verdict } from '../../../core/drop-reason.ts';
import { read32, write16 } from '../../../core/octets.ts';
import { type Frame, type FrameBatch, Gso } from '../../../packet/frame.ts';
import { segmentOctets } from '../../../packet/segment.ts';
import { Book } from '../../../pipeline/books.ts';
import type { Disposal } from '../../../pipeline/disposal.ts';
import type { PipelineNode } from '../../../pipeline/node.ts';
import { packetFlowHash } from '../../../route/flow.ts';
import { MAX_WAITING, type Neighbour } from '../../../route/neighbour-table.ts';
import { NextHop } from '../../../route/next-hop.ts';
import { FIRST_ROUTE, RouteResult } from '../../../route/route-table.ts';
import { ETHERNET_HEADER_OCTETS, EtherType } from '../../../wire/ethernet.ts';
import { IcmpError } from '../../../wire/icmp-error.ts';
import {
  checkIpv4,
  decrementTtl,
  ipv4Destination,
  ipv4DontFragment,
  ipv4Source,
  ipv4TotalOctets,
  ipv4Ttl,
} from '../../../wire/ipv4.ts';
import {
  checkIpv6,
  IPV6_DESTINATION,
  IPV6_HEADER_OCTETS,
  IPV6_HOP_LIMIT,
  IPV6_SOURCE,
  ipv6HopLimit,
  ipv6PayloadOctets,
} from '../../../wire/ipv6.ts';
import type { Fragmenter } from '../fragmenter.ts';
import type { IcmpErrors } from '../icmp-errors.ts';
import type { IpsecGate } from '../ipsec-gate.ts';
import type { LocalAddresses } from '../local-addresses.ts';
import type { NeighbourService, WaitingRouted } from '../neighbour-service.ts';
import type { NextHops } from '../next-hops.ts';
import type { Routes } from '../routes.ts';
import type { PacketReceiver } from './packet-receiver.ts';

export class RouteNode implements PipelineNode, WaitingRouted {
  readonly name = 'route';
  readonly input: FrameBatch;
  /** Milliseconds of the data plane's clock; set by the owner before a breath. */
  nowMs = 0;
  readonly #members: readonly (Member | undefined)[];
  readonly #addresses: LocalAddresses;
  readonly #routes: Routes;
  readonly #hops: NextHops;
  readonly #neighbours: NeighbourService;
  readonly #receiver: PacketReceiver;
  readonly #errors: IcmpErrors;
  readonly #fragmenter: Fragmenter;
  readonly #ipsec: IpsecGate;
  readonly #disposal: Disposal;
  readonly #bytes: Uint8Array;

  // The destination that was looked up last, and its only next hop: bursts go to one. `#lastDomain` is -1 while it is none.
  #lastDomain = -1;
  #last0 = 0;
  #last1 = 0;
  #last2 = 0;
  #last3 = 0;
  #lastHop: NextHop | undefined;
  #lastMtu = 0;
  #lastVersion = 0;
  #lastRemovals = 0;
  /** MTU of the route that was chosen last; 0: what the way out carries. */
  #routeMtu = 0;
  /** What the packet that was looked at last is to be cut to; 0: it fits. */
  #cutTo = 0;
  /** Whether it was sealed here: then it is us who cut it, also if it is of IPv6 (RFC 8200, section 5). */
  #isOwn = false;

  constructor(
    input: FrameBatch,
    members: readonly (Member | undefined)[],
    addresses: LocalAddresses,
    routes: Routes,
    hops: NextHops,
    neighbours: NeighbourService,
    receiver: PacketReceiver,
    errors: IcmpErrors,
    fragmenter: Fragmenter,
    ipsec: IpsecGate,
    disposal: Disposal,
  ) {
    this.input = input;
    this.#members = members;
    this.#addresses = addresses;
    this.#routes = routes;
    this.#hops = hops;
    this.#neighbours = neighbours;
    this.#receiver = receiver;
    this.#errors = errors;
    this.#fragmenter = fragmenter;
    this.#ipsec = ipsec;
    this.#disposal = disposal;
    this.#bytes = disposal.pool.arena.bytes;
  }

  process(): void {
    const { frames, length } = this.input;
    const bytes = this.#bytes;
    if (this.#lastVersion !== this.#routes.version || this.#lastRemovals !== this.#hops.removals) {
      this.#lastDomain = -1;
      this.#lastVersion = this.#routes.version;
      this.#lastRemovals = this.#hops.removals;
    }
    for (let index = 0; index < length; index++) {
      const frame = frames[index]!;
      const version = frame.end > frame.start ? bytes[frame.start]! >>> 4 : 0;
      if (version === 4) this.#forwardIpv4(frame);
      else if (version === 6) this.#forwardIpv6(frame);
      else this.#drop(frame, Drop.ipHeaderInvalid);
    }
    // What an ICMP error or a tunnel has pushed meanwhile waits for the next round.
    this.input.removeFirst(length);
  }

  /**
   * Sends a packet that was made here, or that comes from the host, by the routes of a domain. It starts at its IP header,
   * which is right, and is of the domain's local member.
   */
  originate(frame: Frame, domain: Domain): void {
    frame.member = domain.localMember;
    const selector = this.#ipsec.matchOwn(frame, domain.routeDomain);
    if (selector === undefined) this.#originate(frame, domain);
    else this.#ipsec.take(frame, selector);
  }

  /** Sends a packet that IPsec has made, and has nothing more to do with; what is too large is cut here (RFC 4303, section 3.3.4). */
  originateSealed(frame: Frame, domain: Domain): void {
    this.#isOwn = true;
    this.#originate(frame, domain);
    this.#isOwn = false;
  }

  #originate(frame: Frame, domain: Domain): void {
    const bytes = this.#bytes;
    const { start } = frame;
    frame.member = domain.localMember;
    if (bytes[start]! >>> 4 === 4) {
      const destination = ipv4Destination(bytes, start);
      const found = this.#routes.findIpv4(domain.routeDomain, destination);
      // An error about a packet of a socket of this host.
      if (found !== RouteResult.local) this.#go(frame, domain, found, 0, 0, 0, destination);
      else this.#receiver.acceptIpv4(frame, this.#addresses.ownerOf(domain.routeDomain, 0, 0, 0, destination));
      return;
    }
    const at = start + IPV6_DESTINATION;
    const word0 = read32(bytes, at);
    const word1 = read32(bytes, at + 4);
    const word2 = read32(bytes, at + 8);
    const word3 = read32(bytes, at + 12);
    const result = isLinkLocal6(word0)
      ? RouteResult.none
      : this.#routes.findIpv6(domain.routeDomain, word0, word1, word2, word3);
    if (result !== RouteResult.local) this.#go(frame, domain, result, word0, word1, word2, word3);
    else this.#receiver.acceptIpv6(frame, this.#addresses.ownerOf(domain.routeDomain, word0, word1, word2, word3));
  }

  /** Sends a packet that has waited for its next hop. */
  resume(frame: Frame, neighbour: Neighbour): void {
    for (const user of neighbour.users) {
      if (!(user instanceof NextHop) || !user.isReady) continue;
      this.#routeMtu = 0;
      if (this.#fits(frame, user)) this.#leave(frame, user);
      return;
    }
    this.#drop(frame, Drop.neighbourUnresolved);
  }

  /** Drops a packet whose next hop did not answer. */
  giveUp(frame: Frame): void {
    this.#errors.report(frame, IcmpError.hostUnreachable, 0);
    this.#drop(frame, Drop.neighbourUnresolved);
  }

  #drop(frame: Frame, why: Verdict): void {
    this.#disposal.drop(frame, why, this.#members[frame.member]?.row ?? 0);
  }

  #refuse(frame: Frame, why: Verdict, error: IcmpError): void {
    this.#errors.report(frame, error, 0);
    this.#drop(frame, why);
  }

  #forwardIpv4(frame: Frame): void {
    const bytes = this.#bytes;
    const { start } = frame;
    const verdict = checkIpv4(bytes, start, frame.end);
    if (verdict !== FORWARD) {
      this.#drop(frame, verdict);
      return;
    }
    // Behind the packet there may be padding of the link.
    if (frame.gsoType === Gso.none) frame.end = start + ipv4TotalOctets(bytes, start);
    const { domain } = this.#members[frame.member]!;
    const { routeDomain } = domain;
    const destination = ipv4Destination(bytes, start);
    let hop: NextHop | undefined;
    if (!isForwardableSource(ipv4Source(bytes, start))) {
      this.#drop(frame, Drop.sourceNotForwarded);
      return;
    }
    const isLast =
      destination === this.#last3 &&
      routeDomain === this.#lastDomain &&
      (this.#last0 | this.#last1 | this.#last2) === 0;
    let result: number = RouteResult.none;
    if (!isLast) {
      if (!isForwardableDestination(destination)) {
        if (!this.#receiver.offerGroup(frame)) this.#drop(frame, Drop.notForwarded);
        return;
      }
      result = this.#routes.findIpv4(routeDomain, destination);
      if (result === RouteResult.local) {
        this.#receiver.acceptIpv4(frame, this.#addresses.ownerOf(routeDomain, 0, 0, 0, destination));
        return;
      }
    }
    if (this.#ipsec.isActive && !this.#isForRouting(frame, routeDomain)) return;
    if (isLast) {
      hop = this.#lastHop;
      this.#routeMtu = this.#lastMtu;
    } else {
      hop = this.#choose(frame, routeDomain, result, 0, 0, 0, destination);
      if (hop === undefined) return;
    }
    if (ipv4Ttl(bytes, start) <= 1) {
      this.#refuse(frame, Drop.ttlExpired, IcmpError.timeExceeded);
      return;
    }
    if (!this.#fits(frame, hop!)) return;
    decrementTtl(bytes, start);
    this.#leave(frame, hop!);
  }

  #forwardIpv6(frame: Frame): void {
    const bytes = this.#bytes;
    const { start } = frame;
    const verdict = checkIpv6(bytes, start, frame.end);
    if (verdict !== FORWARD) {
      this.#drop(frame, verdict);
      return;
    }
    if (frame.gsoType === Gso.none) frame.end = start + IPV6_HEADER_OCTETS + ipv6PayloadOctets(bytes, start);
    const { domain } = this.#members[frame.member]!;
    const { routeDomain } = domain;
    const at = start + IPV6_DESTINATION;
    const word0 = read32(bytes, at);
    const word1 = read32(bytes, at + 4);
    const word2 = read32(bytes, at + 8);
    const word3 = read32(bytes, at + 12);
    let hop: NextHop | undefined;
    if (!isForwardableSource6(bytes, start + IPV6_SOURCE)) {
      this.#refuse(frame, Drop.sourceNotForwarded, IcmpError.prohibited);
      return;
    }
    const isLast =
      word3 === this.#last3 &&
      word2 === this.#last2 &&
      word1 === this.#last1 &&
      word0 === this.#last0 &&
      routeDomain === this.#lastDomain &&
      word0 !== 0;
    let result: number = RouteResult.none;
    if (!isLast) {
      if (!isForwardableDestination6(word0, word1, word2)) {
        if (!this.#receiver.offerGroup(frame)) this.#drop(frame, Drop.notForwarded);
        return;
      }
      result = this.#routes.findIpv6(routeDomain, word0, word1, word2, word3);
      if (result === RouteResult.local) {
        this.#receiver.acceptIpv6(frame, this.#addresses.ownerOf(routeDomain, word0, word1, word2, word3));
        return;
      }
    }
    if (this.#ipsec.isActive && !this.#isForRouting(frame, routeDomain)) return;
    if (isLast) {
      hop = this.#lastHop;
      this.#routeMtu = this.#lastMtu;
    } else {
      hop = this.#choose(frame, routeDomain, result, word0, word1, word2, word3);
      if (hop === undefined) return;
    }
    if (ipv6HopLimit(bytes, start) <= 1) {
      this.#refuse(frame, Drop.ttlExpired, IcmpError.timeExceeded);
      return;
    }
    if (!this.#fits(frame, hop!)) return;
    bytes[start + IPV6_HOP_LIMIT]! -= 1;
    this.#leave(frame, hop!);
  }

  /** Whether IPsec lets the packet pass as it is; if not it has been dropped, or is on its way to be sealed. */
  #isForRouting(frame: Frame, routeDomain: number): boolean {
    const verdict = this.#ipsec.admit(frame, routeDomain, false);
    if (verdict !== FORWARD) {
      this.#drop(frame, verdict);
      return false;
    }
    const selector = this.#ipsec.match(frame, routeDomain);
    if (selector === undefined) return true;
    const bytes = this.#bytes;
    const { start } = frame;
    // A gateway of IPsec is a router as well (RFC 4301, section 5.1.2.1).
    const isIpv4 = bytes[start]! >>> 4 === 4;
    if ((isIpv4 ? ipv4Ttl(bytes, start) : ipv6HopLimit(bytes, start)) <= 1) {
      this.#refuse(frame, Drop.ttlExpired, IcmpError.timeExceeded);
      return false;
    }
    if (isIpv4) decrementTtl(bytes, start);
    else bytes[start + IPV6_HOP_LIMIT]! -= 1;
    this.#ipsec.take(frame, selector);
    return false;
  }

  /** The rest of the way of a packet that was made here. */
  #go(frame: Frame, domain: Domain, result: number, a: number, b: number, c: number, d: number): void {
    const hop = this.#choose(frame, domain.routeDomain, result, a, b, c, d);
    if (hop !== undefined && this.#fits(frame, hop)) this.#leave(frame, hop);
  }

  /** The next hop by the result of a search; without one the packet has been dropped. */
  #choose(
    frame: Frame,
    routeDomain: number,
    result: number,
    word0: number,
    word1: number,
    word2: number,
    word3: number,
  ): NextHop | undefined {
    if (result < FIRST_ROUTE) {
      this.#stop(frame, result);
      return undefined;
    }
    const route = this.#routes.route(result);
    if (route === undefined) {
      this.#stop(frame, RouteResult.none);
      return undefined;
    }
    this.#routeMtu = route.mtu;
    const isSingle = route.onLink !== -1 || route.hops.length === 1;
    let hop: NextHop | undefined;
    if (route.onLink === -1) {
      hop = isSingle ? route.hops[0] : route.select(packetFlowHash(this.#bytes, frame.start, frame.end));
      if (hop === undefined) {
        this.#stop(frame, RouteResult.none);
        return undefined;
      }
    } else {
      hop = this.#hops.host(route.onLink, word0, word1, word2, word3);
      if (hop === undefined) {
        this.#drop(frame, Drop.tooManyHosts);
        return undefined;
      }
    }
    if (isSingle) {
      this.#last0 = word0;
      this.#last1 = word1;
      this.#last2 = word2;
      this.#last3 = word3;
      this.#lastDomain = routeDomain;
      this.#lastHop = hop;
      this.#lastMtu = route.mtu;
    }
    return hop;
  }

  /** Ends a packet that no route leads on. */
  #stop(frame: Frame, result: number): void {
    switch (result) {
      case RouteResult.blackhole:
        this.#drop(frame, Drop.blackhole);
        break;
      case RouteResult.broadcast:
        this.#drop(frame, Drop.notForwarded);
        break;
      case RouteResult.isolated:
        this.#refuse(frame, Drop.strictIsolation, IcmpError.prohibited);
        break;
      default:
        this.#refuse(frame, Drop.noRoute, IcmpError.netUnreachable);
    }
  }

  /** Whether the packet fits the MTU of the way out, or may be cut to it; if not it has been dropped. */
  #fits(frame: Frame, hop: NextHop): boolean {
    this.#cutTo = 0;
    if (!hop.isReady) return true;
    const mtu = this.#routeMtu === 0 ? hop.mtu : Math.min(hop.mtu, this.#routeMtu);
    if (frame.end - frame.start <= mtu) return true;
    const isWhole = frame.gsoType === Gso.none;
    if (!isWhole && this.#segmentPacketOctets(frame) <= mtu) return true;
    const bytes = this.#bytes;
    const mayBeCut = bytes[frame.start]! >>> 4 === 4 ? !ipv4DontFragment(bytes, frame.start) : this.#isOwn;
    if (isWhole && mayBeCut) {
      this.#cutTo = mtu;
      return true;
    }
    this.#errors.report(frame, IcmpError.tooBig, mtu);
    this.#drop(frame, Drop.routeMtuExceeded);
    return false;
  }

  /** Octets of the IP packet of the largest segment of a super-frame. */
  #segmentPacketOctets(frame: Frame): number {
    const packet = frame.start;
    // In front of a packet that came without an Ethernet header, its type is what the headroom happens to hold.
    write16(this.#bytes, packet - 2, this.#bytes[packet]! >>> 4 === 4 ? EtherType.ipv4 : EtherType.ipv6);
    frame.start = packet - ETHERNET_HEADER_OCTETS;
    const octets = segmentOctets(this.#bytes, frame) - ETHERNET_HEADER_OCTETS;
    frame.start = packet;
    return octets;
  }

  #leave(frame: Frame, hop: NextHop): void {
    if (!hop.isReady) this.#wait(frame, hop);
    else if (this.#cutTo === 0) this.#send(frame, hop);
    else this.#sendPieces(frame, hop);
  }

  #sendPieces(frame: Frame, hop: NextHop): void {
    const row = this.#members[frame.member]?.row ?? 0;
    const isIpv6 = this.#bytes[frame.start]! >>> 4 === 6;
    const pieces = this.#fragmenter.cut(frame, frame.start, this.#cutTo, isIpv6, row);
    for (let index = 0; index < pieces.length; index++) this.#send(pieces.frames[index]!, hop);
  }

  #send(frame: Frame, hop: NextHop): void {
    const disposal = this.#disposal;
    let outgoing = frame;
    if (frame.start - ETHERNET_HEADER_OCTETS < frame.headroomStart) {
      const moved = disposal.pool.copy(frame);
      if (moved === undefined) {
        this.#drop(frame, Drop.noBuffer);
        return;
      }
      disposal.books[Book.copies]! += 1;
      disposal.consume(frame);
      outgoing = moved;
    }
    outgoing.outerStart = 0;
    hop.usedSecond = this.#hops.second;
    hop.prepend(disposal.pool.arena, outgoing);
    outgoing.egress = hop.egress;
    outgoing.endpoint = hop.endpoint;
    hop.outlet!.push(outgoing);
  }

  #wait(frame: Frame, hop: NextHop): void {
    const disposal = this.#disposal;
    const { neighbour } = hop;
    hop.usedSecond = this.#hops.second;
    if (neighbour === undefined) {
      this.#drop(frame, Drop.tunnelDisabled);
      return;
    }
    if (neighbour.waiting.length >= MAX_WAITING) {
      this.#drop(frame, Drop.neighbourQueueFull);
      return;
    }
    const kept = disposal.pool.copy(frame);
    if (kept === undefined) {
      // Where only packets come that are too large to be kept, the next one shall find a neighbour.
      this.#neighbours.table.need(neighbour, this.nowMs);
      this.#drop(frame, Drop.noBuffer);
      return;
    }
    // The copy takes the frame's place in the books.
    kept.egress = -1;
    disposal.books[Book.copies]! += 1;
    disposal.books[Book.held]! += 1;
    disposal.consume(frame);
    neighbour.waiting.push(kept);
    this.#neighbours.table.need(neighbour, this.nowMs);
  }
}

/** Not of 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16 (RFC 3927, section 2.7), nor a group or reserved address. */
function isForwardableSource(address: number): boolean {
  const first = address >>> 24;
  return first !== 0 && first !== 127 && first < 224 && address >>> 16 !== 0xa9fe;
}

const isForwardableDestination = isForwardableSource;

const isLinkLocal6 = (word0: number): boolean => (word0 & 0xffc0_0000) === (0xfe80_0000 | 0);

/** Not ::/96, to which `::` and `::1` belong, not fe80::/10 (RFC 4291, section 2.5.6), and no group. */
const isForwardableDestination6 = (word0: number, word1: number, word2: number): boolean =>
  (word0 | word1 | word2) !== 0 && !isLinkLocal6(word0) && word0 >>> 24 !== 0xff;

function isForwardableSource6(bytes: Uint8Array, at: number): boolean {
  const word0 = read32(bytes, at);
  // Nearly all addresses are of 2000::/3 or fc00::/7.
  if (word0 >>> 29 === 1) return true;
  return isForwardableDestination6(word0, read32(bytes, at + 4), read32(bytes, at + 8));
}
