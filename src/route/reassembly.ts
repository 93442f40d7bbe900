// Puts the fragments of packets for us together again: IPv4 (RFC 791, RFC 815), IPv6 (RFC 8200, section 4.5).
//
//   fragment ─► the packet that it belongs to, by (domain, source, destination, identification, protocol)
//            ─► copied to its place in that packet's buffer
//            ─► all there: the packet goes on, as if it had come in one piece
//
//   - Memory is bounded: so many packets at a time, the oldest makes room, and each has one buffer of the pool.
//   - Time is bounded too: what is not complete by then is dropped.
//   - A fragment that overlaps another condemns its packet: everything else of it is dropped as well (RFC 5722, here for
//     both versions). An exact duplicate is no overlap (RFC 8200).
//   - A fragment that is a whole packet (RFC 6946) meets no other.
//   - Congestion marks of fragments reach the packet (RFC 3168, section 5.3).
//   - Of IPv6 the first fragment must have all headers (RFC 7112), and the protocol that it names counts.
//
// In the books a packet that is being put together is held, and its fragments are consumed by it.
// The sender of one that was not complete in time is told, if its first fragment is there (RFC 792; RFC 8200, section 4.5).

import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { read16, read32, write16 } from '../core/octets.ts';
import { hashPair } from '../core/pair-map.ts';
import { copyMetadata, type Frame } from '../packet/frame.ts';
import { Book } from '../pipeline/books.ts';
import type { Disposal } from '../pipeline/disposal.ts';
import {
  IPV4_DESTINATION,
  IPV4_FLAGS,
  IPV4_IDENTIFICATION,
  IPV4_MORE_FRAGMENTS,
  IPV4_SOURCE,
  IPV4_TOS,
  IPV4_TOTAL_LENGTH,
  ipv4FragmentOffset,
  ipv4HeaderOctets,
  ipv4Protocol,
  ipv4Tos,
  ipv4TotalOctets,
  writeIpv4Checksum,
} from '../wire/ipv4.ts';
import {
  IPV6_DESTINATION,
  IPV6_HEADER_OCTETS,
  IPV6_PAYLOAD_LENGTH,
  IPV6_SOURCE,
  ipv6PayloadOctets,
  ipv6TrafficClass,
} from '../wire/ipv6.ts';
import {
  findUpperLayer,
  fragmentIdentification,
  fragmentOffset,
  hasMoreFragments,
  IPV6_FRAGMENT_HEADER_OCTETS,
  upperLayer,
} from '../wire/ipv6-extension.ts';
import { DUPLICATE, PartialPacket } from './partial-packet.ts';

/** Packets that may be put together at a time. */
const MAX_PACKETS = 128;
/** RFC 791, section 3.2, and RFC 8200, section 4.5. An identification of 16 bits is soon used again (RFC 4963). */
const V4_TIMEOUT_MS = 15_000;
const V6_TIMEOUT_MS = 60_000;

/** Room of a buffer in front of the fragmentable part; a multiple of 4 from the word boundary that frames leave before them. */
const HEADER_ROOM = 118;
const MAX_IP_OCTETS = 0xffff;
const OF_ANY_PROTOCOL = -1;

const ECN = 3;
const CONGESTION = 3;
const NOT_CAPABLE = 0;

export class Reassembly {
  /**
   * Told of the first fragment of a packet that was not complete in time, from its IP header on and behind its link header, if it
   * has one; the frame stays ours.
   */
  timedOut: (frame: Frame) => void = () => undefined;
  readonly #disposal: Disposal;
  readonly #bytes: Uint8Array;
  readonly #packets: readonly PartialPacket[];
  /** Octets of fragmentable part that have room in a buffer. */
  readonly #maxPayload: number;
  #inUse = 0;
  #number = 0;

  constructor(disposal: Disposal, limit = MAX_PACKETS) {
    this.#packets = Array.from({ length: limit }, () => new PartialPacket());
    this.#disposal = disposal;
    this.#bytes = disposal.pool.arena.bytes;
    this.#maxPayload = disposal.pool.largestOctets - HEADER_ROOM;
  }

  /**
   * Takes the checked fragment at `ip` in the frame, which came in on `domain`; returns the whole packet behind the same
   * link headers when this was the last piece of it. `row`: what is charged with drops.
   */
  acceptIpv4(frame: Frame, ip: number, domain: number, row: number, nowMs: number): Frame | undefined {
    const bytes = this.#bytes;
    const headerOctets = ipv4HeaderOctets(bytes, ip);
    const payload = ip + headerOctets;
    const octets = ipv4TotalOctets(bytes, ip) - headerOctets;
    const offset = ipv4FragmentOffset(bytes, ip);
    const more = (read16(bytes, ip + IPV4_FLAGS) & IPV4_MORE_FRAGMENTS) !== 0;
    if (octets === 0 || (more && (octets & 7) !== 0) || headerOctets + offset + octets > MAX_IP_OCTETS) {
      this.#disposal.drop(frame, Drop.fragmentInvalid, row);
      return undefined;
    }
    const [source, destination] = [ip + IPV4_SOURCE, ip + IPV4_DESTINATION];
    const protocol = ipv4Protocol(bytes, ip);
    const identification = read16(bytes, ip + IPV4_IDENTIFICATION);
    const packet =
      this.#find(domain, protocol, identification, source, destination, 1) ??
      this.#begin(domain, protocol, identification, source, destination, 1, row, nowMs + V4_TIMEOUT_MS);
    packet.marks |= 1 << (ipv4Tos(bytes, ip) & ECN);
    if (!this.#add(packet, frame, ip, payload, offset, octets, !more, row)) return undefined;
    return this.#finish(packet, true);
  }

  /** The same for an IPv6 packet with extension headers; without a fragment header among them it comes back as it is. */
  acceptIpv6(frame: Frame, ip: number, domain: number, row: number, nowMs: number): Frame | undefined {
    const bytes = this.#bytes;
    const end = ip + IPV6_HEADER_OCTETS + ipv6PayloadOctets(bytes, ip);
    if (!findUpperLayer(bytes, ip, end)) {
      this.#disposal.drop(frame, Drop.fragmentInvalid, row);
      return undefined;
    }
    const { fragmentAt, fragmentNextHeaderAt, start } = upperLayer;
    if (fragmentAt === 0) return frame;
    const payload = fragmentAt + IPV6_FRAGMENT_HEADER_OCTETS;
    const octets = end - payload;
    const offset = fragmentOffset(bytes, fragmentAt);
    const more = hasMoreFragments(bytes, fragmentAt);
    const reach = fragmentAt - ip - IPV6_HEADER_OCTETS + offset + octets;
    if (octets === 0 || (more && (octets & 7) !== 0) || reach > MAX_IP_OCTETS || start >= end) {
      this.#disposal.drop(frame, Drop.fragmentInvalid, row);
      return undefined;
    }
    if (offset === 0 && !more) {
      removeFragmentHeader(bytes, frame.start, ip, fragmentAt, fragmentNextHeaderAt);
      frame.start += IPV6_FRAGMENT_HEADER_OCTETS;
      return frame;
    }
    const [source, destination] = [ip + IPV6_SOURCE, ip + IPV6_DESTINATION];
    const identification = fragmentIdentification(bytes, fragmentAt);
    const packet =
      this.#find(domain, OF_ANY_PROTOCOL, identification, source, destination, 4) ??
      this.#begin(domain, OF_ANY_PROTOCOL, identification, source, destination, 4, row, nowMs + V6_TIMEOUT_MS);
    packet.marks |= 1 << (ipv6TrafficClass(bytes, ip) & ECN);
    if (!this.#add(packet, frame, ip, payload, offset, octets, !more, row)) return undefined;
    return this.#finish(packet, false);
  }

  /** Whether other fragments of the packet of the checked one at `ip` are here, and it has not gone on yet. */
  holdsIpv4(ip: number, domain: number): boolean {
    const bytes = this.#bytes;
    const identification = read16(bytes, ip + IPV4_IDENTIFICATION);
    const [source, destination] = [ip + IPV4_SOURCE, ip + IPV4_DESTINATION];
    return this.#find(domain, ipv4Protocol(bytes, ip), identification, source, destination, 1) !== undefined;
  }

  /** The same; `fragmentAt`: where the fragment header is. */
  holdsIpv6(ip: number, fragmentAt: number, domain: number): boolean {
    const identification = fragmentIdentification(this.#bytes, fragmentAt);
    const [source, destination] = [ip + IPV6_SOURCE, ip + IPV6_DESTINATION];
    return this.#find(domain, OF_ANY_PROTOCOL, identification, source, destination, 4) !== undefined;
  }

  /** Drops what was not complete in time; a few times a second. */
  tick(nowMs: number): void {
    if (this.#inUse === 0) return;
    for (const packet of this.#packets) {
      if (packet.isInUse && nowMs >= packet.deadlineMs) this.#timeOut(packet);
    }
  }

  /** Drops what came in by a member that goes. */
  forgetMember(member: number): void {
    for (const packet of this.#packets) {
      if (packet.isInUse && packet.frame?.member === member) this.#end(packet, Drop.memberDown);
    }
  }

  /** Addresses are offsets of as many words; there are few packets at a time, and their hashes are compared first. */
  #find(
    domain: number,
    protocol: number,
    identification: number,
    source: number,
    destination: number,
    addressWords: number,
  ): PartialPacket | undefined {
    if (this.#inUse === 0) return undefined;
    const bytes = this.#bytes;
    const hash = hashOf(bytes, identification, source, destination, addressWords);
    for (let index = 0; index < this.#packets.length; index++) {
      const packet = this.#packets[index]!;
      if (packet.hash !== hash || !packet.isInUse || packet.identification !== identification) continue;
      if (packet.domain !== domain || packet.protocol !== protocol) continue;
      const isSame =
        sameWords(packet.source, bytes, source, addressWords) &&
        sameWords(packet.destination, bytes, destination, addressWords);
      if (isSame) return packet;
    }
    return undefined;
  }

  #begin(
    domain: number,
    protocol: number,
    identification: number,
    source: number,
    destination: number,
    addressWords: number,
    row: number,
    deadlineMs: number,
  ): PartialPacket {
    const packet = this.#makeRoom();
    this.#inUse += 1;
    this.#number += 1;
    packet.begin(this.#number, deadlineMs, row);
    packet.hash = hashOf(this.#bytes, identification, source, destination, addressWords);
    packet.domain = domain;
    packet.protocol = protocol;
    packet.identification = identification;
    copyWords(packet.source, this.#bytes, source, addressWords);
    copyWords(packet.destination, this.#bytes, destination, addressWords);
    return packet;
  }

  /** A free place, if need be that of the oldest packet. */
  #makeRoom(): PartialPacket {
    let oldest = this.#packets[0]!;
    for (const packet of this.#packets) {
      if (!packet.isInUse) return packet;
      if (packet.number < oldest.number) oldest = packet;
    }
    this.#end(oldest, Drop.reassemblyFull);
    return oldest;
  }

  /** Copies the fragment to its place; true when the packet is whole. The frame is done with. */
  #add(
    packet: PartialPacket,
    frame: Frame,
    ip: number,
    payload: number,
    offset: number,
    octets: number,
    isLast: boolean,
    row: number,
  ): boolean {
    const disposal = this.#disposal;
    const bytes = this.#bytes;
    let why = packet.why;
    if (why === FORWARD) {
      // Headers of which no tunnel that we know of sends as many.
      const hasRoom = payload - frame.start <= HEADER_ROOM && offset + octets <= this.#maxPayload;
      const added = hasRoom ? packet.add(offset, offset + octets, isLast) : Drop.fragmentTooLarge;
      if (added === DUPLICATE) {
        if (sameOctets(bytes, packet.payloadAt + offset, payload, octets)) {
          disposal.consume(frame);
          return false;
        }
        why = Drop.fragmentOverlap;
      } else {
        why = added;
      }
      if (why === FORWARD && !this.#reserve(packet, frame, offset + octets)) {
        disposal.drop(frame, Drop.noBuffer, row);
        this.#end(packet, Drop.noBuffer);
        return false;
      }
    }
    if (why !== FORWARD) {
      disposal.drop(frame, why, row);
      this.#condemn(packet, why);
      return false;
    }
    if (offset === 0 || packet.lastPiece === 0) this.#takeHeaders(packet, frame, ip, payload);
    bytes.copyWithin(packet.payloadAt + offset, payload, payload + octets);
    disposal.consume(frame);
    return packet.isWhole;
  }

  /** Makes sure of a buffer for the fragmentable part up to `reach`. */
  #reserve(packet: PartialPacket, frame: Frame, reach: number): boolean {
    const { pool, books } = this.#disposal;
    const before = packet.frame;
    if (before !== undefined && HEADER_ROOM + reach <= pool.roomOf(before)) return true;
    const buffer = pool.acquireForPacket(HEADER_ROOM + reach);
    if (buffer === undefined) return false;
    if (before === undefined) {
      books[Book.originated]! += 1;
      books[Book.held]! += 1;
      copyMetadata(frame, buffer);
    } else {
      copyMetadata(before, buffer);
      // What it holds so far; the reach of the new fragment is already noted.
      const octets = Math.min(packet.reached, pool.roomOf(before) - HEADER_ROOM);
      this.#bytes.copyWithin(buffer.start, before.start, before.start + HEADER_ROOM + octets);
      pool.release(before);
    }
    packet.frame = buffer;
    packet.payloadAt = buffer.start + HEADER_ROOM;
    return true;
  }

  /** The headers of the packet are those of its first fragment, and until that comes those of the one that came first. */
  #takeHeaders(packet: PartialPacket, frame: Frame, ip: number, payload: number): void {
    const octets = payload - frame.start;
    this.#bytes.copyWithin(packet.payloadAt - octets, frame.start, payload);
    packet.linkOctets = ip - frame.start;
    packet.headerOctets = octets;
    packet.headerPiece = packet.lastPiece;
    packet.announcedAt = payload - upperLayer.fragmentNextHeaderAt;
    copyMetadata(frame, packet.frame!);
  }

  /** The packet as it was before it was cut. */
  #finish(packet: PartialPacket, isIpv4: boolean): Frame | undefined {
    const bytes = this.#bytes;
    const { payloadAt, marks, linkOctets } = packet;
    const isMarked = (marks & (1 << CONGESTION)) !== 0;
    // The headers of the first fragment may be longer than those of others, whose reach was looked at.
    const octets = packet.headerOctets - linkOctets + packet.reached;
    const isTooLong = octets > MAX_IP_OCTETS + (isIpv4 ? 0 : IPV6_HEADER_OCTETS + IPV6_FRAGMENT_HEADER_OCTETS);
    if (isTooLong || (isMarked && (marks & (1 << NOT_CAPABLE)) !== 0)) {
      this.#end(packet, Drop.fragmentInvalid);
      return undefined;
    }
    const whole = packet.frame!;
    whole.start = payloadAt - packet.headerOctets;
    whole.end = payloadAt + packet.reached;
    whole.checksumVerified = 0;
    const ip = whole.start + linkOctets;
    if (isIpv4) {
      write16(bytes, ip + IPV4_TOTAL_LENGTH, whole.end - ip);
      write16(bytes, ip + IPV4_FLAGS, 0);
      if (isMarked) bytes[ip + IPV4_TOS]! |= CONGESTION;
      writeIpv4Checksum(bytes, ip);
    } else {
      const fragmentAt = payloadAt - IPV6_FRAGMENT_HEADER_OCTETS;
      write16(bytes, ip + IPV6_PAYLOAD_LENGTH, whole.end - ip - IPV6_HEADER_OCTETS);
      if (isMarked) bytes[ip + 1]! |= CONGESTION << 4;
      removeFragmentHeader(bytes, whole.start, ip, fragmentAt, payloadAt - packet.announcedAt);
      whole.start += IPV6_FRAGMENT_HEADER_OCTETS;
    }
    this.#disposal.books[Book.held]! -= 1;
    this.#free(packet);
    return whole;
  }

  /** From now on every fragment of the packet is dropped; it keeps its place, so that none begins it anew. */
  #condemn(packet: PartialPacket, why: Verdict): void {
    packet.why = why;
    this.#dropBuffer(packet, why);
  }

  #end(packet: PartialPacket, why: Verdict): void {
    this.#dropBuffer(packet, why);
    this.#free(packet);
  }

  #free(packet: PartialPacket): void {
    packet.frame = undefined;
    packet.isInUse = false;
    this.#inUse -= 1;
  }

  #timeOut(packet: PartialPacket): void {
    const { frame, linkOctets } = packet;
    if (frame !== undefined && packet.startOf(packet.headerPiece) === 0) {
      this.#restoreFragment(packet, frame);
      const { start } = frame;
      frame.outerStart = linkOctets === 0 ? 0 : start;
      frame.start = start + linkOctets;
      this.timedOut(frame);
      frame.start = start;
    }
    this.#end(packet, Drop.reassemblyTimeout);
  }

  /** What a capture shows of the packet is the fragment whose headers are there. */
  #dropBuffer(packet: PartialPacket, why: Verdict): void {
    const { frame } = packet;
    if (frame === undefined) return;
    this.#restoreFragment(packet, frame);
    packet.frame = undefined;
    this.#disposal.books[Book.held]! -= 1;
    this.#disposal.drop(frame, why, packet.row);
  }

  /** Makes the frame hold the fragment whose headers are there; the rest of the packet is lost by that. */
  #restoreFragment(packet: PartialPacket, frame: Frame): void {
    const { payloadAt, headerPiece } = packet;
    const from = packet.startOf(headerPiece);
    const to = packet.endOf(headerPiece);
    if (from !== 0) this.#bytes.copyWithin(payloadAt, payloadAt + from, payloadAt + to);
    frame.start = payloadAt - packet.headerOctets;
    frame.end = payloadAt + to - from;
  }
}

/** Moves everything in front of the fragment header up over it; the packet then starts that much later. */
function removeFragmentHeader(
  bytes: Uint8Array,
  start: number,
  ip: number,
  fragmentAt: number,
  announced: number,
): void {
  bytes[announced] = bytes[fragmentAt]!;
  const payloadOctets = read16(bytes, ip + IPV6_PAYLOAD_LENGTH) - IPV6_FRAGMENT_HEADER_OCTETS;
  write16(bytes, ip + IPV6_PAYLOAD_LENGTH, payloadOctets);
  bytes.copyWithin(start + IPV6_FRAGMENT_HEADER_OCTETS, start, fragmentAt);
}

function hashOf(
  bytes: Uint8Array,
  identification: number,
  source: number,
  destination: number,
  addressWords: number,
): number {
  let hash = identification;
  for (let at = 0; at < addressWords * 4; at += 4) {
    hash = hashPair(hash, read32(bytes, source + at) ^ Math.imul(read32(bytes, destination + at), 0x01000193));
  }
  return hash | 0;
}

function sameWords(words: Int32Array, bytes: Uint8Array, at: number, count: number): boolean {
  for (let index = 0; index < count; index++) if (words[index] !== read32(bytes, at + index * 4)) return false;
  return true;
}

function copyWords(words: Int32Array, bytes: Uint8Array, at: number, count: number): void {
  for (let index = 0; index < count; index++) words[index] = read32(bytes, at + index * 4);
}

function sameOctets(bytes: Uint8Array, a: number, b: number, count: number): boolean {
  for (let index = 0; index < count; index++) if (bytes[a + index] !== bytes[b + index]) return false;
  return true;
}
