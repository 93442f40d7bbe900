// Routing between the VLANs of an opaque VLAN group: hosts see each other with our MAC, and what they send to it for one
// another goes on to the one it is meant for (proxy ARP, RFC 1027; RFC 1812, section 5.3.1).
//
//   A asks for B       the bridge floods the request with our MAC as its sender (bridge/crossing.ts)
//   B answers to us    the answer goes on to A, with our MAC as that of B
//   A sends to B       the packet comes to our MAC; it leaves with our MAC as its source, to the MAC of B, one hop older
//
// With IPv6 it is the same, by neighbour discovery; its messages pass as what they are, no hop older, or nobody would
// believe them.
//
// Where A and B live is what their ARP packets and discovery messages say. A host that has not been heard over IPv4 is
// asked for on behalf of who sends to it, and the packet is dropped: ARP came before it, so this happens only after a
// restart or to a host that is gone. IPv4 to an address on none of the networks of the group's self IPs is routed, as from
// any VLAN, unless a host has been heard that has it.

import type { Domain, Member } from '../../bridge/domain.ts';
import { FdbField, type ForwardingDatabase } from '../../bridge/fdb.ts';
import { Drop } from '../../core/drop-reason.ts';
import { isGroupMac, macHigh16, macLow32 } from '../../core/mac.ts';
import { read32 } from '../../core/octets.ts';
import type { Frame, FrameBatch } from '../../packet/frame.ts';
import { Book } from '../../pipeline/books.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import { HostTable, IPV4_MARK } from '../../route/host-table.ts';
import {
  ARP_OCTETS,
  ARP_REPLY,
  ARP_REQUEST,
  ARP_SENDER_MAC,
  ARP_TARGET_MAC,
  arpOperation,
  arpSenderIp,
  arpTargetIp,
  writeArp,
} from '../../wire/arp.ts';
import {
  ETHERNET_DESTINATION,
  ETHERNET_HEADER_OCTETS,
  ETHERNET_SOURCE,
  EtherType,
  writeEthernet,
  writeMac,
} from '../../wire/ethernet.ts';
import { IcmpError } from '../../wire/icmp-error.ts';
import { isDiscovery, setLinkLayerOptions } from '../../wire/icmpv6.ts';
import { decrementTtl, ipv4Destination, ipv4Source, ipv4Ttl } from '../../wire/ipv4.ts';
import { IPV6_DESTINATION, IPV6_HOP_LIMIT, IPV6_SOURCE, ipv6HopLimit, ipv6IsUnspecified } from '../../wire/ipv6.ts';
import type { IcmpErrors } from './icmp-errors.ts';

/** Hosts over all opaque groups. */
const MAX_HOSTS = 16_384;
/** Hosts are asked for again by whoever uses them long before this. */
const FORGET_MS = 300_000;
const HOSTS_PER_TICK = 512;
/** Between two requests for hosts that have not been heard. */
const ASK_MS = 100;

export class OpaqueRouter {
  /** Milliseconds of the data plane's clock; set by the owner before a breath. */
  nowMs = 0;
  readonly #hosts = new HostTable(MAX_HOSTS);
  readonly #members: readonly (Member | undefined)[];
  readonly #fdb: ForwardingDatabase;
  readonly #errors: IcmpErrors;
  readonly #disposal: Disposal;
  readonly #bytes: Uint8Array;
  readonly #toFlood: FrameBatch;
  #askedMs = -Infinity;

  constructor(
    members: readonly (Member | undefined)[],
    fdb: ForwardingDatabase,
    errors: IcmpErrors,
    disposal: Disposal,
    toFlood: FrameBatch,
  ) {
    this.#members = members;
    this.#fdb = fdb;
    this.#toFlood = toFlood;
    this.#errors = errors;
    this.#disposal = disposal;
    this.#bytes = disposal.pool.arena.bytes;
  }

  /** Notes where the sender of a checked ARP packet lives. */
  heard(frame: Frame, arp: number): void {
    const bytes = this.#bytes;
    const { domain, id } = this.#members[frame.member]!;
    const address = arpSenderIp(bytes, arp);
    // A probe has no sender yet.
    if (address === 0) return;
    const sender = arp + ARP_SENDER_MAC;
    const high = macHigh16(bytes, sender);
    this.#hosts.heard(domain.id, 0, 0, IPV4_MARK, address, high, macLow32(bytes, sender), id, this.nowMs);
  }

  /** Notes where the sender of a checked discovery message lives. */
  heardV6(frame: Frame, ip: number): void {
    const bytes = this.#bytes;
    const { domain, id } = this.#members[frame.member]!;
    const source = ip + IPV6_SOURCE;
    // A probe has no sender yet.
    if (ipv6IsUnspecified(bytes, source)) return;
    const sender = frame.start + ETHERNET_SOURCE;
    this.#hosts.heard(
      domain.id,
      read32(bytes, source),
      read32(bytes, source + 4),
      read32(bytes, source + 8),
      read32(bytes, source + 12),
      macHigh16(bytes, sender),
      macLow32(bytes, sender),
      id,
      this.nowMs,
    );
  }

  /** Takes a checked ARP packet whose target is none of our addresses: passes on what was sent to us alone. */
  answer(frame: Frame, arp: number): void {
    const bytes = this.#bytes;
    const ingress = this.#members[frame.member]!;
    const { domain } = ingress;
    // The request to all is flooded beside this copy of it.
    if (isGroupMac(bytes, frame.start + ETHERNET_DESTINATION)) {
      this.#disposal.consume(frame);
      return;
    }
    const host = this.#hosts.find(domain.id, 0, 0, IPV4_MARK, arpTargetIp(bytes, arp));
    if (host === -1) {
      this.#disposal.drop(frame, Drop.hostUnresolved, ingress.row);
      return;
    }
    writeMac(bytes, arp + ARP_SENDER_MAC, domain.macHigh, domain.macLow);
    if (arpOperation(bytes, arp) === ARP_REPLY) {
      writeMac(bytes, arp + ARP_TARGET_MAC, this.#hosts.macHigh[host]!, this.#hosts.macLow[host]!);
    }
    this.#send(frame, host, ingress);
  }

  /** Takes a checked IPv4 packet to our MAC whose destination is none of our addresses. */
  forward(frame: Frame, ip: number): void {
    const bytes = this.#bytes;
    const ingress = this.#members[frame.member]!;
    const { domain } = ingress;
    const destination = ipv4Destination(bytes, ip);
    const host = this.#hosts.find(domain.id, 0, 0, IPV4_MARK, destination);
    if (host === -1) {
      this.#ask(domain, ipv4Source(bytes, ip), destination);
      this.#disposal.drop(frame, Drop.hostUnresolved, ingress.row);
    } else if (ipv4Ttl(bytes, ip) === 1) {
      this.#expire(frame, ip, ingress);
    } else {
      decrementTtl(bytes, ip);
      this.#send(frame, host, ingress);
    }
  }

  /** Takes a checked IPv6 packet to our MAC whose destination is none of our addresses. */
  forwardV6(frame: Frame, ip: number): void {
    const bytes = this.#bytes;
    const ingress = this.#members[frame.member]!;
    const { domain } = ingress;
    const destination = ip + IPV6_DESTINATION;
    const host = this.#hosts.find(
      domain.id,
      read32(bytes, destination),
      read32(bytes, destination + 4),
      read32(bytes, destination + 8),
      read32(bytes, destination + 12),
    );
    if (host === -1) {
      this.#disposal.drop(frame, Drop.hostUnresolved, ingress.row);
    } else if (isDiscovery(bytes, ip, frame.end)) {
      setLinkLayerOptions(bytes, ip, frame.end, frame.checksumStart === 0, domain.macHigh, domain.macLow);
      this.#send(frame, host, ingress);
    } else if (ipv6HopLimit(bytes, ip) <= 1) {
      this.#expire(frame, ip, ingress);
    } else {
      bytes[ip + IPV6_HOP_LIMIT]! -= 1;
      this.#send(frame, host, ingress);
    }
  }

  /** Drops a packet whose TTL runs out, and says so to its sender. */
  #expire(frame: Frame, ip: number, ingress: Member): void {
    frame.outerStart = frame.start;
    frame.start = ip;
    this.#errors.report(frame, IcmpError.timeExceeded, 0);
    this.#disposal.drop(frame, Drop.ttlExpired, ingress.row);
  }

  /** Whether a host is known that has this IPv4 address. */
  knows(domain: number, address: number): boolean {
    return this.#hosts.find(domain, 0, 0, IPV4_MARK, address) !== -1;
  }

  tick(): void {
    if (this.#hosts.size > 0) this.#hosts.age(this.nowMs - FORGET_MS, HOSTS_PER_TICK);
  }

  forgetMember(member: number): void {
    this.#hosts.forgetMember(member);
  }

  forgetDomain(domain: number): void {
    this.#hosts.forgetDomain(domain);
  }

  #send(frame: Frame, host: number, ingress: Member): void {
    const bytes = this.#bytes;
    const { domain } = ingress;
    const disposal = this.#disposal;
    const macHigh = this.#hosts.macHigh[host]!;
    const macLow = this.#hosts.macLow[host]!;
    // The bridge knows better where a station lives now, and behind which endpoint of a tunnel.
    const entry = this.#fdb.find(domain.id, macHigh, macLow);
    const target = this.#members[entry === -1 ? this.#hosts.member[host]! : this.#fdb.memberAt(entry)];
    if (domain.crossing?.isOpen !== true) {
      disposal.drop(frame, Drop.standbyNotBridged, ingress.row);
    } else if (!target?.enabled) {
      disposal.drop(frame, Drop.memberDown, target?.row ?? ingress.row);
    } else if (target.splitHorizonGroup !== 0 && target.splitHorizonGroup === ingress.splitHorizonGroup) {
      disposal.drop(frame, Drop.splitHorizon, ingress.row);
    } else {
      writeMac(bytes, frame.start + ETHERNET_DESTINATION, macHigh, macLow);
      writeMac(bytes, frame.start + ETHERNET_SOURCE, domain.macHigh, domain.macLow);
      frame.egress = target.id;
      frame.endpoint = entry === -1 ? -1 : this.#fdb.table[entry + FdbField.endpoint]!;
      target.outlet.push(frame);
    }
  }

  /** Asks all members for a host, on behalf of `source`; what it answers comes to us, and is heard. */
  #ask(domain: Domain, source: number, address: number): void {
    if (this.nowMs - this.#askedMs < ASK_MS) return;
    this.#askedMs = this.nowMs;
    const frame = this.#disposal.pool.acquire(ETHERNET_HEADER_OCTETS + ARP_OCTETS);
    if (frame === undefined) return;
    const bytes = this.#bytes;
    const arp = frame.start + ETHERNET_HEADER_OCTETS;
    writeEthernet(bytes, frame.start, 0xffff, -1, domain.macHigh, domain.macLow, EtherType.arp);
    writeArp(bytes, arp, ARP_REQUEST, domain.macHigh, domain.macLow, source, 0, 0, address);
    frame.end = arp + ARP_OCTETS;
    frame.member = domain.localMember;
    this.#disposal.books[Book.originated]! += 1;
    this.#toFlood.push(frame);
  }
}
