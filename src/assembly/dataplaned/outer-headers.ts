// Ethernet, IPv4 and UDP headers for what a UDP socket carried, so that a reader of the capture can dissect it.
//
// The kernel has taken the real ones off: addresses, ports and TOS are true, MACs, TTL and identification are not known and
// stand as 0, 64 and 0.

import type { CaptureRecord } from '../../pipeline/capture.ts';
import { Direction } from '../../pipeline/tap.ts';
import { ETHERNET_HEADER_OCTETS, EtherType, writeEthernet } from '../../wire/ethernet.ts';
import { IPV4_HEADER_OCTETS, IpProtocol, writeIpv4 } from '../../wire/ipv4.ts';
import { UDP_HEADER_OCTETS, writeUdp } from '../../wire/udp.ts';
import { VXLAN_PORT } from '../../wire/vxlan.ts';

const IP = ETHERNET_HEADER_OCTETS;
const UDP = IP + IPV4_HEADER_OCTETS;
const OUTER_OCTETS = UDP + UDP_HEADER_OCTETS;
const TTL = 64;
const MAX_IP_OCTETS = 0xffff;

type Octets = { octets: Uint8Array; originalOctets: number };

/** The record's octets as an Ethernet frame; `socket`: our own end, at a point where the kernel keeps the headers. */
export function withOuterHeaders(record: CaptureRecord, socket: { address: number; port: number } | undefined): Octets {
  if (socket === undefined && !record.isDatagram) return record;
  const own = socket ?? { address: 0, port: VXLAN_PORT };
  const { outer, outerPort, outerTos } = record;
  // At a socket what is dropped on its way in is known as a datagram; what else is dropped there was on its way out.
  const isInbound = record.isDatagram || record.direction === Direction.inbound;
  const source = isInbound ? { address: outer[3], port: outerPort } : own;
  const destination = isInbound ? own : { address: outer[3], port: outerPort };
  const octets = new Uint8Array(OUTER_OCTETS + record.octets.length);
  const udpOctets = Math.min(record.originalOctets + UDP_HEADER_OCTETS, MAX_IP_OCTETS - IPV4_HEADER_OCTETS);
  writeEthernet(octets, 0, 0, 0, 0, 0, EtherType.ipv4);
  const ipOctets = IPV4_HEADER_OCTETS + udpOctets;
  writeIpv4(octets, IP, outerTos, ipOctets, 0, true, TTL, IpProtocol.udp, source.address, destination.address);
  writeUdp(octets, UDP, source.port, destination.port, udpOctets);
  octets.set(record.octets, OUTER_OCTETS);
  return { octets, originalOctets: record.originalOctets + OUTER_OCTETS };
}
