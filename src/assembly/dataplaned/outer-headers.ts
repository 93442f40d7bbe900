// Ethernet, IP and UDP headers for what a UDP socket carried, so that a reader of the capture can dissect it.
//
// The kernel has taken the real ones off: addresses, ports and TOS are true, MACs, TTL, identification and checksum are not
// known and stand as 0, 64, 0 and 0.

import { type AddressWords, wordsAreIpv6 } from '../../core/address.ts';
import type { CaptureRecord } from '../../pipeline/capture.ts';
import { Direction } from '../../pipeline/tap.ts';
import { ETHERNET_HEADER_OCTETS, EtherType, writeEthernet } from '../../wire/ethernet.ts';
import { IPV4_HEADER_OCTETS, IpProtocol, writeIpv4 } from '../../wire/ipv4.ts';
import { IPV6_DESTINATION, IPV6_HEADER_OCTETS, IPV6_SOURCE, writeIpv6, writeIpv6Address } from '../../wire/ipv6.ts';
import { UDP_HEADER_OCTETS, writeUdp } from '../../wire/udp.ts';
import { VXLAN_PORT } from '../../wire/vxlan.ts';

const IP = ETHERNET_HEADER_OCTETS;
const TTL = 64;
const MAX_IP_OCTETS = 0xffff;
const NO_ADDRESS: AddressWords = [0, 0, 0, 0];

type Octets = { octets: Uint8Array; originalOctets: number };
type End = { address: AddressWords; port: number };

/** The record's octets as an Ethernet frame; `socket`: our own end, at a point where the kernel keeps the headers. */
export function withOuterHeaders(record: CaptureRecord, socket: End | undefined): Octets {
  if (socket === undefined && !record.isDatagram) return record;
  const own = socket ?? { address: NO_ADDRESS, port: VXLAN_PORT };
  const { outer, outerPort, outerTos } = record;
  const other = { address: outer, port: outerPort };
  // At a socket what is dropped on its way in is known as a datagram; what else is dropped there was on its way out.
  const isInbound = record.isDatagram || record.direction === Direction.inbound;
  const [source, destination] = isInbound ? [other, own] : [own, other];
  const isIpv6 = wordsAreIpv6(outer);
  const ipOctets = isIpv6 ? IPV6_HEADER_OCTETS : IPV4_HEADER_OCTETS;
  const udp = IP + ipOctets;
  const outerOctets = udp + UDP_HEADER_OCTETS;
  const octets = new Uint8Array(outerOctets + record.octets.length);
  const udpOctets = Math.min(record.originalOctets + UDP_HEADER_OCTETS, MAX_IP_OCTETS - IPV4_HEADER_OCTETS);
  writeEthernet(octets, 0, 0, 0, 0, 0, isIpv6 ? EtherType.ipv6 : EtherType.ipv4);
  if (isIpv6) {
    writeIpv6(octets, IP, outerTos, 0, udpOctets, IpProtocol.udp, TTL);
    writeIpv6Address(octets, IP + IPV6_SOURCE, source.address);
    writeIpv6Address(octets, IP + IPV6_DESTINATION, destination.address);
  } else {
    const [from, to] = [source.address[3], destination.address[3]];
    writeIpv4(octets, IP, outerTos, ipOctets + udpOctets, 0, true, TTL, IpProtocol.udp, from, to);
  }
  writeUdp(octets, udp, source.port, destination.port, udpOctets);
  octets.set(record.octets, outerOctets);
  return { octets, originalOctets: record.originalOctets + outerOctets };
}
