// Lowers the maximum segment size that the two ends of a TCP connection offer each other (RFC 9293, section 3.7.1) to what
// a tunnel can carry, so that neither needs an ICMP error to find out.
//
// A SYN without the option stays as it is: its receiver sends segments of 536 octets (IPv4) or 1220 (IPv6) then.

import { checksumUpdate16 } from '../core/checksum.ts';
import { read16, write16 } from '../core/octets.ts';
import { IPV4_HEADER_OCTETS, IpProtocol, ipv4FragmentOffset, ipv4HeaderOctets, ipv4Protocol } from '../wire/ipv4.ts';
import { IPV6_HEADER_OCTETS, ipv6NextHeader } from '../wire/ipv6.ts';
import { findUpperLayer, fragmentOffset, upperLayer } from '../wire/ipv6-extension.ts';
import { TCP_CHECKSUM, TCP_FLAGS, TCP_HEADER_OCTETS, TCP_SYN, tcpHeaderOctets } from '../wire/tcp.ts';

const OPTION_END = 0;
const OPTION_NO_OPERATION = 1;
const OPTION_MSS = 2;
const MSS_OCTETS = 4;

/** The segments that fit into packets of `mtu` octets without options. */
export const mssOfIpv4 = (mtu: number): number => mtu - IPV4_HEADER_OCTETS - TCP_HEADER_OCTETS;
export const mssOfIpv6 = (mtu: number): number => mtu - IPV6_HEADER_OCTETS - TCP_HEADER_OCTETS;

/** Offset of the TCP header of a SYN whose IP header starts at `ip`; 0 for anything else. Any octets may stand there. */
export function findSyn(bytes: Uint8Array, ip: number, end: number): number {
  const tcp = bytes[ip]! >>> 4 === 4 ? findTcpV4(bytes, ip, end) : findTcpV6(bytes, ip, end);
  return tcp !== 0 && tcpHeaderOctets(bytes, tcp, end) !== 0 && (bytes[tcp + TCP_FLAGS]! & TCP_SYN) !== 0 ? tcp : 0;
}

function findTcpV4(bytes: Uint8Array, ip: number, end: number): number {
  if (end - ip < IPV4_HEADER_OCTETS || ipv4Protocol(bytes, ip) !== IpProtocol.tcp) return 0;
  return ipv4FragmentOffset(bytes, ip) === 0 ? ip + ipv4HeaderOctets(bytes, ip) : 0;
}

function findTcpV6(bytes: Uint8Array, ip: number, end: number): number {
  if (end - ip < IPV6_HEADER_OCTETS || bytes[ip]! >>> 4 !== 6) return 0;
  const next = ipv6NextHeader(bytes, ip);
  if (next === IpProtocol.tcp) return ip + IPV6_HEADER_OCTETS;
  if (next === IpProtocol.udp || next === IpProtocol.icmpv6 || !findUpperLayer(bytes, ip, end)) return 0;
  const { protocol, start, fragmentAt } = upperLayer;
  const isLater = fragmentAt !== 0 && fragmentOffset(bytes, fragmentAt) !== 0;
  return protocol === IpProtocol.tcp && !isLater ? start : 0;
}

/**
 * Lowers the option of a SYN that findSyn has found to `mss`. `correctsChecksum`: false while the checksum is still to be
 * computed over what then stands there.
 */
export function clampMss(bytes: Uint8Array, tcp: number, end: number, mss: number, correctsChecksum: boolean): void {
  const optionsEnd = tcp + tcpHeaderOctets(bytes, tcp, end);
  for (let at = tcp + TCP_HEADER_OCTETS; at < optionsEnd;) {
    const kind = bytes[at]!;
    if (kind === OPTION_END) return;
    if (kind === OPTION_NO_OPERATION) {
      at += 1;
      continue;
    }
    const octets = at + 1 < optionsEnd ? bytes[at + 1]! : 0;
    if (octets < 2 || at + octets > optionsEnd) return;
    if (kind === OPTION_MSS && octets === MSS_OCTETS) lower(bytes, tcp, at + 2, mss, correctsChecksum);
    at += octets;
  }
}

function lower(bytes: Uint8Array, tcp: number, at: number, mss: number, correctsChecksum: boolean): void {
  const before = read16(bytes, at);
  if (before <= mss) return;
  write16(bytes, at, mss);
  if (!correctsChecksum) return;
  const field = tcp + TCP_CHECKSUM;
  // At an odd place the two octets are parts of two words, each on the other side of its word.
  const isOdd = ((at - tcp) & 1) !== 0;
  const [from, to] = isOdd ? [swap16(before), swap16(mss)] : [before, mss];
  write16(bytes, field, checksumUpdate16(read16(bytes, field), from, to));
}

const swap16 = (value: number): number => ((value & 0xff) << 8) | (value >>> 8);
