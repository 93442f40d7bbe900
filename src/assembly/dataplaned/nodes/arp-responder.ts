// ARP to us (RFC 826): hears who neighbours are, and answers for our own addresses.

import type { Domain, Member } from '../../../bridge/domain.ts';
import { FORWARD, type Verdict } from '../../../core/drop-reason.ts';
import { macHigh16, macLow32 } from '../../../core/mac.ts';
import type { Frame } from '../../../packet/frame.ts';
import type { Disposal } from '../../../pipeline/disposal.ts';
import type { AddressConflicts } from '../../../route/address-conflicts.ts';
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
  writeMac,
} from '../../../wire/ethernet.ts';
import type { LocalAddresses } from '../local-addresses.ts';
import type { OpaqueRouter } from '../opaque-router.ts';
import type { ReplyOutlet } from '../reply-outlet.ts';

export class ArpResponder {
  readonly #members: readonly (Member | undefined)[];
  readonly #addresses: LocalAddresses;
  readonly #neighbours: NeighbourTable;
  readonly #router: OpaqueRouter;
  readonly #conflicts: AddressConflicts;
  readonly #replies: ReplyOutlet;
  readonly #disposal: Disposal;
  readonly #bytes: Uint8Array;

  constructor(
    members: readonly (Member | undefined)[],
    addresses: LocalAddresses,
    neighbours: NeighbourTable,
    router: OpaqueRouter,
    conflicts: AddressConflicts,
    replies: ReplyOutlet,
    disposal: Disposal,
  ) {
    this.#members = members;
    this.#addresses = addresses;
    this.#neighbours = neighbours;
    this.#router = router;
    this.#conflicts = conflicts;
    this.#replies = replies;
    this.#disposal = disposal;
    this.#bytes = disposal.pool.arena.bytes;
  }

  /** Takes a frame that carries ARP; another verdict than FORWARD says why the frame, still the caller's, is none. */
  accept(frame: Frame, nowMs: number): Verdict {
    const bytes = this.#bytes;
    const arp = frame.start + ETHERNET_HEADER_OCTETS;
    const verdict = checkArp(bytes, arp, frame.end);
    if (verdict !== FORWARD) return verdict;
    const member = this.#members[frame.member]!;
    const { domain } = member;
    const sender = arp + ARP_SENDER_MAC;
    const neighbour = this.#neighbours.find(domain.id, 0, 0, 0, arpSenderIp(bytes, arp));
    if (neighbour !== undefined) {
      const [high, low] = [macHigh16(bytes, sender), macLow32(bytes, sender)];
      this.#neighbours.heard(neighbour, high, low, member.id, nowMs);
    }
    if (this.#addresses.hasIpv4(domain.id, arpSenderIp(bytes, arp))) this.#noteConflict(arp, domain, nowMs);
    const isForUs = this.#addresses.hasIpv4(domain.id, arpTargetIp(bytes, arp));
    if (domain.routes) this.#router.heard(frame, arp);
    if (domain.routes && !isForUs) {
      this.#router.answer(frame, arp);
    } else if (arpOperation(bytes, arp) !== ARP_REQUEST || !isForUs) {
      this.#disposal.consume(frame);
    } else {
      this.#answer(frame, arp, member);
    }
    return FORWARD;
  }

  /** Notes that the sender of a packet has an address of ours, unless what it says is an echo of what we said. */
  #noteConflict(arp: number, domain: Domain, nowMs: number): void {
    const bytes = this.#bytes;
    const sender = arp + ARP_SENDER_MAC;
    const [high, low] = [macHigh16(bytes, sender), macLow32(bytes, sender)];
    if (high === domain.macHigh && low === domain.macLow) return;
    this.#conflicts.heard(domain.id, 0, 0, 0, arpSenderIp(bytes, arp), high, low, Math.floor(nowMs / 1000));
  }

  /** Sends the reply back to the station that the request came from. */
  #answer(frame: Frame, arp: number, member: Member): void {
    const bytes = this.#bytes;
    const { domain } = member;
    turnIntoArpReply(bytes, arp, domain.macHigh, domain.macLow);
    frame.end = arp + ARP_OCTETS;
    copyMac(bytes, frame.start + ETHERNET_SOURCE, frame.start + ETHERNET_DESTINATION);
    writeMac(bytes, frame.start + ETHERNET_SOURCE, domain.macHigh, domain.macLow);
    frame.checksumStart = 0;
    this.#replies.send(frame, member);
  }
}
