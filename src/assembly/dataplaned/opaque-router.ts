// Routing between the VLANs of an opaque VLAN group: hosts see each other with our MAC, and what they send to it for one
// another goes on to the one it is meant for (proxy ARP, RFC 1027; RFC 1812, section 5.3.1).
//
//   A asks for B       the bridge floods the request with our MAC as its sender (bridge/crossing.ts)
//   B answers to us    the answer goes on to A, with our MAC as that of B
//   A sends to B       the packet comes to our MAC; it leaves with our MAC as its source, to the MAC of B, one hop older
//
// Where A and B live is what their ARP packets say. A host that has not been heard is asked for on behalf of who sends to
// it, and the packet is dropped: ARP came before it, so this happens only after a restart or to a host that is gone.
//
// Not supported: IPv6, ICMP time exceeded.

import type { Domain, Member } from '../../bridge/domain.ts';
import { FdbField, type ForwardingDatabase } from '../../bridge/fdb.ts';
import { Drop } from '../../core/drop-reason.ts';
import { isGroupMac, macHigh16, macLow32 } from '../../core/mac.ts';
import type { Frame, FrameBatch } from '../../packet/frame.ts';
import { Book } from '../../pipeline/books.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import { HostTable } from '../../route/host-table.ts';
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
import { decrementTtl, ipv4Destination, ipv4Source, ipv4Ttl } from '../../wire/ipv4.ts';

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
  readonly #disposal: Disposal;
  readonly #bytes: Uint8Array;
  readonly #toFlood: FrameBatch;
  #askedMs = -Infinity;

  constructor(
    members: readonly (Member | undefined)[],
    fdb: ForwardingDatabase,
    disposal: Disposal,
    toFlood: FrameBatch,
  ) {
    this.#members = members;
    this.#fdb = fdb;
    this.#toFlood = toFlood;
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
    this.#hosts.heard(domain.id, address, macHigh16(bytes, sender), macLow32(bytes, sender), id, this.nowMs);
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
    const host = this.#hosts.find(domain.id, arpTargetIp(bytes, arp));
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
    const host = this.#hosts.find(domain.id, destination);
    if (host === -1) {
      this.#ask(domain, ipv4Source(bytes, ip), destination);
      this.#disposal.drop(frame, Drop.hostUnresolved, ingress.row);
    } else if (ipv4Ttl(bytes, ip) === 1) {
      this.#disposal.drop(frame, Drop.ttlExpired, ingress.row);
    } else {
      decrementTtl(bytes, ip);
      this.#send(frame, host, ingress);
    }
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
