// Says of a packet why it could not go on (RFC 1812, section 4.3; RFC 4443), to the host that sent it, seldom enough.
//
// The error comes from a self IP of the domain that the packet came in by; without one nothing is said. It leaves by the
// member and to the MAC that the packet came from (auto last hop), or, where that is not known any more, by the routes.

import type { Domain, Member } from '../../bridge/domain.ts';
import type { AddressWords } from '../../core/address.ts';
import { read32 } from '../../core/octets.ts';
import type { Frame } from '../../packet/frame.ts';
import { Book } from '../../pipeline/books.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import { ErrorLimiter } from '../../route/error-limiter.ts';
import { ETHERNET_DESTINATION, ETHERNET_HEADER_OCTETS, ETHERNET_SOURCE, copyMac } from '../../wire/ethernet.ts';
import { ETHERNET_TYPE, writeMac } from '../../wire/ethernet.ts';
import { IcmpError, icmpErrorOctets, mayReport, writeIcmpError } from '../../wire/icmp-error.ts';
import { ipv4Destination, ipv4Source } from '../../wire/ipv4.ts';
import { IPV6_DESTINATION, IPV6_SOURCE } from '../../wire/ipv6.ts';
import type { LocalAddresses } from './local-addresses.ts';
import type { ReplyOutlet } from './reply-outlet.ts';

export class IcmpErrors {
  /** Milliseconds of the data plane's clock; set by the owner before a breath. */
  nowMs = 0;
  /** Sends a packet of our own by the routes of a domain. */
  originate: (frame: Frame, domain: Domain) => void = () => undefined;
  readonly #members: readonly (Member | undefined)[];
  readonly #addresses: LocalAddresses;
  readonly #replies: ReplyOutlet;
  readonly #disposal: Disposal;
  readonly #limiter = new ErrorLimiter();

  constructor(
    members: readonly (Member | undefined)[],
    addresses: LocalAddresses,
    replies: ReplyOutlet,
    disposal: Disposal,
  ) {
    this.#members = members;
    this.#addresses = addresses;
    this.#replies = replies;
    this.#disposal = disposal;
  }

  /**
   * Reports on a packet with a checked header, from its IP header on, which stays the caller's. `mtu`: that of the way out,
   * with tooBig.
   */
  report(frame: Frame, error: IcmpError, mtu: number): void {
    const disposal = this.#disposal;
    const { pool } = disposal;
    const { bytes, words } = pool.arena;
    const member = this.#members[frame.member];
    const { start, end } = frame;
    if (member === undefined || !mayReport(bytes, start, end)) return;
    const { domain } = member;
    const isIpv4 = bytes[start]! >>> 4 === 4;
    const at = start + IPV6_SOURCE;
    const word0 = isIpv4 ? 0 : read32(bytes, at);
    const word1 = isIpv4 ? 0 : read32(bytes, at + 4);
    const word2 = isIpv4 ? 0 : read32(bytes, at + 8);
    const word3 = isIpv4 ? ipv4Source(bytes, start) : read32(bytes, at + 12);
    if (!this.#limiter.allows(word0, word1, word2, word3, this.nowMs)) return;
    // What is put together here was sent to us, and the answer comes from where it was sent (RFC 4443, section 2.2 a).
    // About what came by a security association the side speaks that it was meant for: its selectors name that one.
    const source =
      error === IcmpError.reassemblyTimeExceeded
        ? destinationOf(bytes, start, isIpv4)
        : ((frame.protection > 0
            ? this.#addresses.neighbourOf(domain.routeDomain, destinationOf(bytes, start, isIpv4), !isIpv4)
            : undefined) ?? this.#addresses.sourceFor(domain.id, [word0, word1, word2, word3], !isIpv4));
    if (source === undefined) return;
    const octets = icmpErrorOctets(bytes, start, end);
    const reply = pool.acquire(ETHERNET_HEADER_OCTETS + octets);
    if (reply === undefined) return;
    disposal.books[Book.originated]! += 1;
    const packet = reply.start + ETHERNET_HEADER_OCTETS;
    writeIcmpError(bytes, words, packet, start, end, error, mtu, source);
    reply.end = packet + octets;
    // A frame in flight has its Ethernet header in front of the packet; one that has waited has none.
    if (frame.outerStart === 0 || domain.isLayer3) {
      reply.start = packet;
      reply.member = domain.localMember;
      this.originate(reply, domain);
      return;
    }
    const header = start - ETHERNET_HEADER_OCTETS;
    copyMac(bytes, header + ETHERNET_SOURCE, reply.start + ETHERNET_DESTINATION);
    writeMac(bytes, reply.start + ETHERNET_SOURCE, domain.macHigh, domain.macLow);
    bytes[reply.start + ETHERNET_TYPE] = bytes[header + ETHERNET_TYPE]!;
    bytes[reply.start + ETHERNET_TYPE + 1] = bytes[header + ETHERNET_TYPE + 1]!;
    reply.member = member.id;
    reply.endpoint = frame.endpoint;
    this.#replies.send(reply, member);
  }
}

function destinationOf(bytes: Uint8Array, ip: number, isIpv4: boolean): AddressWords {
  if (isIpv4) return [0, 0, 0, ipv4Destination(bytes, ip)];
  const at = ip + IPV6_DESTINATION;
  return [read32(bytes, at), read32(bytes, at + 4), read32(bytes, at + 8), read32(bytes, at + 12)];
}
