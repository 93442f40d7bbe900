// Neighbour discovery to us (RFC 4861): hears who neighbours are, and answers for our own addresses.

import type { Domain, Member } from '../../../bridge/domain.ts';
import { Drop, FORWARD, type Verdict } from '../../../core/drop-reason.ts';
import { macHigh16, macLow32 } from '../../../core/mac.ts';
import { read16, read32 } from '../../../core/octets.ts';
import type { Frame } from '../../../packet/frame.ts';
import { Book } from '../../../pipeline/books.ts';
import type { Disposal } from '../../../pipeline/disposal.ts';
import type { AddressConflicts } from '../../../route/address-conflicts.ts';
import type { NeighbourTable } from '../../../route/neighbour-table.ts';
import { ETHERNET_HEADER_OCTETS, ETHERNET_SOURCE, EtherType, writeEthernet } from '../../../wire/ethernet.ts';
import {
  advertisementOverrides,
  checkNeighbourDiscovery,
  findLinkLayerOption,
  icmpv6Type,
  ND_PACKET_OCTETS,
  ND_TARGET,
  NEIGHBOUR_ADVERTISEMENT,
  OPTION_SOURCE_LINK_LAYER,
  OPTION_TARGET_LINK_LAYER,
  writeNeighbourAdvertisement,
} from '../../../wire/icmpv6.ts';
import { IPV6_HEADER_OCTETS, IPV6_SOURCE } from '../../../wire/ipv6.ts';
import { linkLocalOf } from '../group-service.ts';
import type { LocalAddresses } from '../local-addresses.ts';
import type { ReplyOutlet } from '../reply-outlet.ts';

export class DiscoveryResponder {
  readonly #members: readonly (Member | undefined)[];
  readonly #addresses: LocalAddresses;
  readonly #neighbours: NeighbourTable;
  readonly #conflicts: AddressConflicts;
  readonly #replies: ReplyOutlet;
  readonly #disposal: Disposal;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;

  constructor(
    members: readonly (Member | undefined)[],
    addresses: LocalAddresses,
    neighbours: NeighbourTable,
    conflicts: AddressConflicts,
    replies: ReplyOutlet,
    disposal: Disposal,
  ) {
    this.#members = members;
    this.#addresses = addresses;
    this.#neighbours = neighbours;
    this.#conflicts = conflicts;
    this.#replies = replies;
    this.#disposal = disposal;
    this.#bytes = disposal.pool.arena.bytes;
    this.#words = disposal.pool.arena.words;
  }

  /**
   * Takes a frame with a solicitation or advertisement whose checksum is right; another verdict than FORWARD says why the
   * frame, still the caller's, is none.
   */
  accept(frame: Frame, nowMs: number): Verdict {
    const bytes = this.#bytes;
    const ip = frame.start + ETHERNET_HEADER_OCTETS;
    const verdict = checkNeighbourDiscovery(bytes, ip);
    if (verdict !== FORWARD) return verdict;
    const isAdvertisement = icmpv6Type(bytes, ip) === NEIGHBOUR_ADVERTISEMENT;
    this.#hear(frame, ip, isAdvertisement, nowMs);
    const { domain } = this.#members[frame.member]!;
    if (isAdvertisement) this.#noteConflict(ip, domain, nowMs);
    if (isAdvertisement || !this.owns(domain, ip + IPV6_HEADER_OCTETS + ND_TARGET)) this.#disposal.consume(frame);
    else return this.#advertise(frame, ip);
    return FORWARD;
  }

  /** Whether the address is a self IP of the domain, or the link-local address from which we report groups. */
  owns(domain: Domain, at: number): boolean {
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

  /** What a checked solicitation says of its sender, or an advertisement of its target (RFC 4861, sections 7.2.3 and 7.2.5). */
  #hear(frame: Frame, ip: number, isAdvertisement: boolean, nowMs: number): void {
    const bytes = this.#bytes;
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
    this.#neighbours.heard(neighbour, high, low, member.id, nowMs);
  }

  /** Notes that another station advertises an address of ours (RFC 4862, section 5.4.4). */
  #noteConflict(ip: number, domain: Domain, nowMs: number): void {
    const bytes = this.#bytes;
    const at = ip + IPV6_HEADER_OCTETS + ND_TARGET;
    const mac = findLinkLayerOption(bytes, ip, OPTION_TARGET_LINK_LAYER);
    if (mac === 0 || !this.owns(domain, at)) return;
    const [high, low] = [macHigh16(bytes, mac), macLow32(bytes, mac)];
    if (high === domain.macHigh && low === domain.macLow) return;
    const [a, b] = [read32(bytes, at), read32(bytes, at + 4)];
    const [c, d] = [read32(bytes, at + 8), read32(bytes, at + 12)];
    this.#conflicts.heard(domain.id, a, b, c, d, high, low, Math.floor(nowMs / 1000));
  }

  #advertise(frame: Frame, ip: number): Verdict {
    const disposal = this.#disposal;
    const reply = disposal.pool.acquire(ETHERNET_HEADER_OCTETS + ND_PACKET_OCTETS);
    if (reply === undefined) return Drop.noBuffer;
    const bytes = this.#bytes;
    const member = this.#members[frame.member]!;
    const { domain } = member;
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
    this.#replies.send(reply, member);
    return FORWARD;
  }
}
