// Finishes TCP and UDP checksums that a sender left to its network card, when no card will.
//
// Two forms arrive. A packet ring says that a frame's checksum is unfinished and where (Frame.checksumStart). Behind a UDP
// socket, an AF_XDP socket or libpcap nothing says so: a sender on the same host hands over frames whose checksum field
// holds no more than the sum of the pseudo-header, and a receiver that is not on this host would drop each one.

import { checksumAddWords, checksumFinish, checksumFold } from '../core/checksum.ts';
import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { read16, write16 } from '../core/octets.ts';
import { IpProtocol } from '../wire/ipv4.ts';
import { TCP_CHECKSUM, TCP_HEADER_OCTETS, tcpHeaderOctets } from '../wire/tcp.ts';
import { UDP_CHECKSUM, UDP_HEADER_OCTETS } from '../wire/udp.ts';
import type { Arena } from './arena.ts';
import { type Frame, Gso } from './frame.ts';
import { findTransport, findTransportInPacket, transport } from './transport.ts';

/** Finishes the checksum that the frame announces, if it does, and takes the announcement back. */
export function completeChecksum(arena: Arena, frame: Frame): Verdict {
  const { checksumStart, end } = frame;
  if (checksumStart === 0) return FORWARD;
  const field = checksumStart + frame.checksumOffset;
  if (checksumStart < frame.start || field + 2 > end) return Drop.checksumOffsetInvalid;
  finish(arena, checksumStart, field, end);
  frame.checksumStart = 0;
  return FORWARD;
}

/**
 * Finishes the checksum of a frame that announces nothing, if it holds only the sum of the pseudo-header; any other
 * checksum, right or wrong, stays as it is. Of 65536 finished checksums one looks unfinished, so those are verified
 * in full first. `isPacket`, here and below: the frame starts at its IP header.
 */
export function completeUnannouncedChecksum(arena: Arena, frame: Frame, isPacket = false): void {
  const { bytes, words } = arena;
  if (!find(bytes, frame, isPacket)) return;
  const { start, end, pseudoHeaderSum, protocol } = transport;
  const isTcp = protocol === IpProtocol.tcp;
  if (end - start < (isTcp ? TCP_HEADER_OCTETS : UDP_HEADER_OCTETS)) return;
  const field = start + (isTcp ? TCP_CHECKSUM : UDP_CHECKSUM);
  if (read16(bytes, field) !== checksumFold(pseudoHeaderSum)) return;
  if (checksumFinish(checksumAddWords(bytes, words, start, end, pseudoHeaderSum)) === 0) return;
  finish(arena, start, field, end);
}

/**
 * Finishes what a sender on this host has left unfinished without saying so: a frame larger than `maxFrameOctets` may be a
 * super-frame, which is marked to be cut to `mtu`; any other may lack its checksum.
 */
export function finishUnannouncedOffloads(
  arena: Arena,
  frame: Frame,
  mtu: number,
  maxFrameOctets: number,
  isPacket = false,
): void {
  const isLarge = frame.end - frame.start > maxFrameOctets;
  if (!isLarge || !recognizeSuperFrame(arena, frame, mtu, isPacket))
    completeUnannouncedChecksum(arena, frame, isPacket);
}

const find = (bytes: Uint8Array, { start, end }: Frame, isPacket: boolean): boolean =>
  isPacket ? findTransportInPacket(bytes, start, end) : findTransport(bytes, start, end);

/**
 * Recognises a super-frame that arrived without its marks: a TCP packet larger than `mtu` whose checksum is unfinished. A
 * VXLAN peer on the same host hands over such frames through a UDP socket. How the sender wanted it segmented is lost;
 * it is marked to be cut into packets of `mtu` octets.
 */
export function recognizeSuperFrame(arena: Arena, frame: Frame, mtu: number, isPacket = false): boolean {
  const { bytes } = arena;
  if (!find(bytes, frame, isPacket)) return false;
  const { start, end, ipStart, isIpv4, protocol, pseudoHeaderSum } = transport;
  const headerOctets = protocol === IpProtocol.tcp ? tcpHeaderOctets(bytes, start, end) : 0;
  if (headerOctets === 0) return false;
  if (read16(bytes, start + TCP_CHECKSUM) !== checksumFold(pseudoHeaderSum)) return false;
  const segmentOctets = mtu - (start - ipStart) - headerOctets;
  if (segmentOctets <= 0) return false;
  frame.gsoType = isIpv4 ? Gso.tcp4 : Gso.tcp6;
  frame.gsoSize = segmentOctets;
  frame.checksumStart = start;
  frame.checksumOffset = TCP_CHECKSUM;
  return true;
}

/** Replaces the field by the checksum over [start, end), to which the field itself contributes what it holds. */
function finish(arena: Arena, start: number, field: number, end: number): void {
  const checksum = checksumFinish(checksumAddWords(arena.bytes, arena.words, start, end, 0));
  // For UDP 0 would mean that there is none (RFC 768); TCP has no such meaning, and no other form of it (RFC 1624).
  const isUdp = field - start === UDP_CHECKSUM;
  write16(arena.bytes, field, checksum === 0 && isUdp ? 0xffff : checksum);
}
