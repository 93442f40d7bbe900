// Cuts a super-frame of segmentation offload into the frames that a card would have sent (TSO, USO).
//
// Supported: TCP on IPv4 and IPv6, UDP (UDP_SEGMENT), VLAN tags in the octets or beside them. Not supported: UDP
// fragmentation offload, super-frames that are themselves encapsulated, IPv6 extension headers.
//
// Per segment, as RFC 9293 and the Linux kernel have it:
//   1. the headers are copied, and gsoSize octets of payload behind them (less in the last);
//   2. the lengths in IP and UDP are those of the segment, the IPv4 identification counts up;
//   3. the TCP sequence number advances by the payload before it; FIN and PSH stay on the last segment only, CWR on the
//      first only (RFC 3168, section 6.1.2);
//   4. both checksums are complete.

import { checksumAddWords, checksumFinish, checksumFold } from '../core/checksum.ts';
import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { read16, read32, write16, write32 } from '../core/octets.ts';
import {
  IPV4_IDENTIFICATION,
  IPV4_TOTAL_LENGTH,
  IpProtocol,
  ipv4PseudoHeaderSum,
  writeIpv4Checksum,
} from '../wire/ipv4.ts';
import { IPV6_HEADER_OCTETS, IPV6_PAYLOAD_LENGTH, ipv6PseudoHeaderSum } from '../wire/ipv6.ts';
import { TCP_CHECKSUM, TCP_CWR, TCP_FIN, TCP_FLAGS, TCP_PSH, TCP_SEQUENCE, tcpHeaderOctets } from '../wire/tcp.ts';
import { UDP_CHECKSUM, UDP_HEADER_OCTETS, UDP_LENGTH } from '../wire/udp.ts';
import type { Arena } from './arena.ts';
import { copyMetadata, Gso, type Frame, type FrameBatch } from './frame.ts';
import { LARGE_FRAME_OCTETS, type FramePool } from './pool.ts';
import { findTransport, findTransportInPacket, transport } from './transport.ts';

/** Set beside the type when a segment carries CWR (linux/virtio_net.h); segmentation looks at the header itself. */
export const GSO_ECN = 0x80;

/** Octets of the largest frame that a super-frame's segments will have, from the start of its Ethernet header. */
export function segmentOctets(bytes: Uint8Array, frame: Frame): number {
  const { start, end, checksumStart, gsoSize } = frame;
  // A super-frame always announces where its transport header, with the unfinished checksum, begins.
  const headerOctets = frame.gsoType === Gso.udpL4 ? UDP_HEADER_OCTETS : tcpHeaderOctets(bytes, checksumStart, end);
  return Math.min(end - start, checksumStart - start + headerOctets + gsoSize);
}

/**
 * Whether the frame is a super-frame that can be cut; on FORWARD `transport` has been found. `isPacket`, here and below: it
 * starts at its IP header.
 */
export function checkSuperFrame(bytes: Uint8Array, frame: Frame, isPacket = false): Verdict {
  const { start, end, gsoSize } = frame;
  if (frame.truncatedFrom !== 0) return Drop.frameTooLong;
  const isFound = isPacket ? findTransportInPacket(bytes, start, end) : findTransport(bytes, start, end);
  if (gsoSize <= 0 || !isFound || !isSupported(frame.gsoType & ~GSO_ECN)) return Drop.gsoUnsupported;
  const headerOctets = transportHeaderOctets(bytes);
  const payload = transport.start + headerOctets;
  if (headerOctets === 0 || transport.end < payload || payload - start + gsoSize > LARGE_FRAME_OCTETS) {
    return Drop.gsoUnsupported;
  }
  return FORWARD;
}

/** Octets of the TCP or UDP header that `transport` has found; 0 when it is none. */
export const transportHeaderOctets = (bytes: Uint8Array): number =>
  transport.protocol === IpProtocol.tcp ? tcpHeaderOctets(bytes, transport.start, transport.end) : UDP_HEADER_OCTETS;

/**
 * Appends the segments of the frame, which stays the caller's, to `into`; with any other verdict than FORWARD `into` and
 * the pool are as before.
 */
export function segment(pool: FramePool, frame: Frame, into: FrameBatch, isPacket = false): Verdict {
  const { bytes } = pool.arena;
  const verdict = beginCut(bytes, frame, isPacket);
  if (verdict !== FORWARD) return verdict;
  const before = into.length;
  for (let index = 0; index < cut.segments; index++) {
    const octets = cutOctets(index);
    const piece = pool.acquire(octets);
    if (piece === undefined) {
      while (into.length > before) pool.release(into.frames[--into.length]!);
      return Drop.noBuffer;
    }
    // So that the IP header lies on a word boundary either way.
    if (isPacket) piece.start += 2;
    copyMetadata(frame, piece);
    piece.checksumVerified = 1;
    piece.end = piece.start + octets;
    writeCut(pool.arena, index, piece.start);
    into.push(piece);
  }
  return FORWARD;
}

/** The super-frame that is being cut: what `beginCut` has found, until the next one. */
export const cut = {
  segments: 0,
  /** Arena offsets of its first octet, its payload, and behind that. */
  start: 0,
  payload: 0,
  payloadEnd: 0,
  gsoSize: 0,
  /** Octets from the first to the headers. */
  ipOffset: 0,
  transportOffset: 0,
  isIpv4: false,
  isTcp: false,
  hasChecksum: false,
};

/** Whether the frame can be cut; on FORWARD `cut` says into what. */
export function beginCut(bytes: Uint8Array, frame: Frame, isPacket: boolean): Verdict {
  const verdict = checkSuperFrame(bytes, frame, isPacket);
  if (verdict !== FORWARD) return verdict;
  const { start, gsoSize } = frame;
  cut.start = start;
  cut.gsoSize = gsoSize;
  cut.isIpv4 = transport.isIpv4;
  cut.isTcp = transport.protocol === IpProtocol.tcp;
  cut.payload = transport.start + transportHeaderOctets(bytes);
  cut.payloadEnd = transport.end;
  cut.ipOffset = transport.ipStart - start;
  cut.transportOffset = transport.start - start;
  cut.hasChecksum = cut.isTcp || frame.checksumStart !== 0 || read16(bytes, transport.start + UDP_CHECKSUM) !== 0;
  cut.segments = Math.max(1, Math.ceil((cut.payloadEnd - cut.payload) / gsoSize));
  return FORWARD;
}

/** Octets of a segment of `cut`, headers counted. */
export function cutOctets(index: number): number {
  const { payload, payloadEnd, gsoSize } = cut;
  return payload - cut.start + Math.min(gsoSize, payloadEnd - payload - index * gsoSize);
}

/**
 * Writes a segment of `cut` to `target`, which lies apart from the super-frame. Without `finishes` its checksum field holds the sum
 * of the pseudo-header.
 */
export function writeCut(arena: Arena, index: number, target: number, finishes = true): void {
  const { bytes } = arena;
  const { start, payload, isIpv4, isTcp } = cut;
  const before = index * cut.gsoSize;
  const end = target + cutOctets(index);
  const at = payload + before;
  bytes.copyWithin(target, start, payload);
  bytes.copyWithin(target + payload - start, at, at + end - target - (payload - start));
  const ip = target + cut.ipOffset;
  if (isIpv4) setIpv4Segment(bytes, ip, end, index);
  else write16(bytes, ip + IPV6_PAYLOAD_LENGTH, end - ip - IPV6_HEADER_OCTETS);
  const header = target + cut.transportOffset;
  if (isTcp) setTcpSegment(bytes, header, before, index === cut.segments - 1);
  else write16(bytes, header + UDP_LENGTH, end - header);
  if (cut.hasChecksum) setChecksum(arena, ip, header, end, isIpv4, isTcp, finishes);
}

/** Whether `transport` is what the type of offload says. */
function isSupported(gsoType: number): boolean {
  const { isIpv4, protocol } = transport;
  if (gsoType === Gso.tcp4) return isIpv4 && protocol === IpProtocol.tcp;
  if (gsoType === Gso.tcp6) return !isIpv4 && protocol === IpProtocol.tcp;
  return gsoType === Gso.udpL4 && protocol === IpProtocol.udp;
}

function setIpv4Segment(bytes: Uint8Array, ip: number, end: number, index: number): void {
  write16(bytes, ip + IPV4_TOTAL_LENGTH, end - ip);
  write16(bytes, ip + IPV4_IDENTIFICATION, read16(bytes, ip + IPV4_IDENTIFICATION) + index);
  writeIpv4Checksum(bytes, ip);
}

function setTcpSegment(bytes: Uint8Array, tcp: number, payloadBefore: number, isLast: boolean): void {
  write32(bytes, tcp + TCP_SEQUENCE, (read32(bytes, tcp + TCP_SEQUENCE) + payloadBefore) | 0);
  let flags = bytes[tcp + TCP_FLAGS]!;
  if (!isLast) flags &= ~(TCP_FIN | TCP_PSH);
  if (payloadBefore > 0) flags &= ~TCP_CWR;
  bytes[tcp + TCP_FLAGS] = flags;
}

function setChecksum(
  arena: Arena,
  ip: number,
  start: number,
  end: number,
  isIpv4: boolean,
  isTcp: boolean,
  finishes: boolean,
): void {
  const { bytes, words } = arena;
  const field = start + (isTcp ? TCP_CHECKSUM : UDP_CHECKSUM);
  const protocol = isTcp ? IpProtocol.tcp : IpProtocol.udp;
  const pseudo = isIpv4
    ? ipv4PseudoHeaderSum(bytes, ip, protocol, end - start)
    : ipv6PseudoHeaderSum(bytes, ip, protocol, end - start);
  if (!finishes) {
    write16(bytes, field, checksumFold(pseudo));
    return;
  }
  write16(bytes, field, 0);
  const checksum = checksumFinish(checksumAddWords(bytes, words, start, end, pseudo));
  // For UDP 0 would mean that there is none (RFC 768); TCP has no such meaning, and no other form of it (RFC 1624).
  write16(bytes, field, checksum === 0 && !isTcp ? 0xffff : checksum);
}
