// Cuts an IP packet into fragments: IPv4 packets of anybody (RFC 791, section 3.2), IPv6 packets of our own (RFC 8200,
// section 4.5, as RFC 2473, section 7.1, has a tunnel do it).
//
//   1. each fragment is a frame of the pool: what stands in front of the IP header, the header, a piece of the payload
//   2. every piece but the last is a multiple of 8 octets, as long as the MTU allows
//   3. IPv4: options without the copied flag are in the first fragment only; a packet that is a fragment itself is cut
//      further, and its last piece is the last of the whole only if it was that before
//   4. IPv6: a fragment header stands behind the fixed header; what is a fragment itself is cut further as with IPv4, which only
//      the last hop to its receiver may do
//
// Not supported: IPv6 packets with headers that belong in front of a fragment header, super-frames and unfinished checksums,
// which are to be cut and finished first.

import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { read16, write16 } from '../core/octets.ts';
import {
  IPV4_FLAGS,
  IPV4_FRAGMENT_OFFSET,
  IPV4_HEADER_OCTETS,
  IPV4_IDENTIFICATION,
  IPV4_MORE_FRAGMENTS,
  IPV4_TOTAL_LENGTH,
  ipv4HeaderOctets,
  ipv4TotalOctets,
  writeIpv4Checksum,
} from '../wire/ipv4.ts';
import {
  IPV6_FRAGMENT,
  IPV6_HEADER_OCTETS,
  IPV6_NEXT_HEADER,
  IPV6_PAYLOAD_LENGTH,
  ipv6NextHeader,
  ipv6PayloadOctets,
} from '../wire/ipv6.ts';
import {
  fragmentIdentification,
  fragmentOffset,
  hasMoreFragments,
  IPV6_FRAGMENT_HEADER_OCTETS,
  writeFragmentHeader,
} from '../wire/ipv6-extension.ts';
import { copyMetadata, type Frame, type FrameBatch } from './frame.ts';
import type { FramePool } from './pool.ts';

const COPIED = 0x80;
const END_OF_OPTIONS = 0;
const NO_OPERATION = 1;

/** Keeps the identification that stands in the packet. */
export const KEEP_IDENTIFICATION = -1;

/**
 * Appends the fragments of the checked IPv4 packet at `ip` in the frame, which stays the caller's, each of at most `mtu`
 * octets of IP; with any other verdict than FORWARD `into` and the pool are as before. Whether the packet may be fragmented
 * is the caller's to know.
 */
export function fragmentIpv4(
  pool: FramePool,
  frame: Frame,
  ip: number,
  mtu: number,
  identification: number,
  into: FrameBatch,
): Verdict {
  const { bytes } = pool.arena;
  const headerOctets = ipv4HeaderOctets(bytes, ip);
  const end = ip + ipv4TotalOctets(bytes, ip);
  const linkOctets = ip - frame.start;
  const flags = read16(bytes, ip + IPV4_FLAGS);
  const isLastOfAll = (flags & IPV4_MORE_FRAGMENTS) === 0;
  const offsetOfAll = flags & IPV4_FRAGMENT_OFFSET;
  const payload = ip + headerOctets;
  const before = into.length;
  let at = payload;
  if (mtu - headerOctets < 8) return Drop.mtuTooSmall;
  do {
    const isFirst = at === payload;
    const left = end - at;
    const piece = pool.acquire(linkOctets + Math.min(mtu, headerOctets + left));
    if (piece === undefined) {
      while (into.length > before) pool.release(into.frames[--into.length]!);
      return Drop.noBuffer;
    }
    const header = piece.start + linkOctets;
    bytes.copyWithin(piece.start, frame.start, payload);
    const octetsHere = isFirst ? headerOctets : IPV4_HEADER_OCTETS + keepCopiedOptions(bytes, header, headerOctets);
    const octets = left <= mtu - octetsHere ? left : (mtu - octetsHere) & ~7;
    copyMetadata(frame, piece);
    piece.end = header + octetsHere + octets;
    bytes.copyWithin(header + octetsHere, at, at + octets);
    const offset = offsetOfAll + ((at - payload) >>> 3);
    at += octets;
    bytes[header] = 0x40 | (octetsHere >>> 2);
    write16(bytes, header + IPV4_TOTAL_LENGTH, octetsHere + octets);
    if (identification !== KEEP_IDENTIFICATION) write16(bytes, header + IPV4_IDENTIFICATION, identification);
    write16(bytes, header + IPV4_FLAGS, (at === end && isLastOfAll ? 0 : IPV4_MORE_FRAGMENTS) | offset);
    writeIpv4Checksum(bytes, header);
    into.push(piece);
  } while (at < end);
  return FORWARD;
}

/**
 * Moves the options that every fragment carries together and pads them; returns their octets. Options that are cut short
 * end the list, as they do for every receiver.
 */
function keepCopiedOptions(bytes: Uint8Array, header: number, headerOctets: number): number {
  const first = header + IPV4_HEADER_OCTETS;
  const end = header + headerOctets;
  let to = first;
  for (let at = first; at < end && bytes[at] !== END_OF_OPTIONS;) {
    if (bytes[at] === NO_OPERATION) {
      at += 1;
      continue;
    }
    const octets = at + 1 < end ? bytes[at + 1]! : 0;
    if (octets < 2 || at + octets > end) break;
    if ((bytes[at]! & COPIED) !== 0) {
      bytes.copyWithin(to, at, at + octets);
      to += octets;
    }
    at += octets;
  }
  while (((to - first) & 3) !== 0) bytes[to++] = END_OF_OPTIONS;
  return to - first;
}

/** The same for an IPv6 packet; `identification`: 32 bits, new for each packet, and unused for one that is a fragment. */
export function fragmentIpv6(
  pool: FramePool,
  frame: Frame,
  ip: number,
  mtu: number,
  identification: number,
  into: FrameBatch,
): Verdict {
  const { bytes } = pool.arena;
  const headerOctets = IPV6_HEADER_OCTETS + IPV6_FRAGMENT_HEADER_OCTETS;
  const behindFixed = ip + IPV6_HEADER_OCTETS;
  const end = behindFixed + ipv6PayloadOctets(bytes, ip);
  const linkOctets = ip - frame.start;
  const isFragment = ipv6NextHeader(bytes, ip) === IPV6_FRAGMENT;
  const payload = isFragment ? behindFixed + IPV6_FRAGMENT_HEADER_OCTETS : behindFixed;
  const nextHeader = isFragment ? bytes[behindFixed]! : ipv6NextHeader(bytes, ip);
  const number = isFragment ? fragmentIdentification(bytes, behindFixed) : identification;
  const offsetOfAll = isFragment ? fragmentOffset(bytes, behindFixed) : 0;
  const isLastOfAll = !isFragment || !hasMoreFragments(bytes, behindFixed);
  const room = (mtu - headerOctets) & ~7;
  if (room <= 0) return Drop.mtuTooSmall;
  const before = into.length;
  let at = payload;
  do {
    const octets = end - at <= mtu - headerOctets ? end - at : room;
    const piece = pool.acquire(linkOctets + headerOctets + octets);
    if (piece === undefined) {
      while (into.length > before) pool.release(into.frames[--into.length]!);
      return Drop.noBuffer;
    }
    copyMetadata(frame, piece);
    const header = piece.start + linkOctets;
    bytes.copyWithin(piece.start, frame.start, behindFixed);
    bytes.copyWithin(header + headerOctets, at, at + octets);
    piece.end = header + headerOctets + octets;
    bytes[header + IPV6_NEXT_HEADER] = IPV6_FRAGMENT;
    write16(bytes, header + IPV6_PAYLOAD_LENGTH, IPV6_FRAGMENT_HEADER_OCTETS + octets);
    const offset = offsetOfAll + at - payload;
    at += octets;
    writeFragmentHeader(bytes, header + IPV6_HEADER_OCTETS, nextHeader, offset, at < end || !isLastOfAll, number);
    into.push(piece);
  } while (at < end);
  return FORWARD;
}
