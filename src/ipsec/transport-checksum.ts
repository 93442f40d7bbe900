// The checksum of TCP and UDP anew, over the addresses that stand in the IP header now.

import { checksumAddWords, checksumFinish } from '../core/checksum.ts';
import { write16 } from '../core/octets.ts';
import type { Arena } from '../packet/arena.ts';
import type { Frame } from '../packet/frame.ts';
import { findTransportInPacket, transport } from '../packet/transport.ts';
import { IpProtocol } from '../wire/ipv4.ts';
import { TCP_CHECKSUM, TCP_HEADER_OCTETS } from '../wire/tcp.ts';
import { UDP_CHECKSUM, UDP_HEADER_OCTETS, udpHasChecksum } from '../wire/udp.ts';

/** Computes it for a packet that starts at its IP header; false for other protocols, fragments and UDP without a checksum. */
export function finishTransportChecksum({ bytes, words }: Arena, frame: Frame): boolean {
  if (!findTransportInPacket(bytes, frame.start, frame.end)) return false;
  const { protocol, start, end, pseudoHeaderSum } = transport;
  const isUdp = protocol === IpProtocol.udp;
  if (end - start < (isUdp ? UDP_HEADER_OCTETS : TCP_HEADER_OCTETS)) return false;
  if (isUdp && !udpHasChecksum(bytes, start)) return false;
  const field = start + (isUdp ? UDP_CHECKSUM : TCP_CHECKSUM);
  write16(bytes, field, 0);
  const checksum = checksumFinish(checksumAddWords(bytes, words, start, end, pseudoHeaderSum));
  // 0 would say that there is none (RFC 768).
  write16(bytes, field, checksum === 0 && isUdp ? 0xffff : checksum);
  return true;
}
