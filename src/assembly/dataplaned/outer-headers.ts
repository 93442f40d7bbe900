// Ethernet and IP headers, and a UDP header, for what a UDP socket or a raw one carried, so that a reader of the capture can
// dissect it.
//
// The kernel has taken the real ones off: addresses, ports and TOS are true, MACs, TTL, identification and checksum are not
// known and stand as 0, 64, 0 and 0.

import { type AddressWords, wordsAreIpv6 } from '../../core/address.ts';
import { read16 } from '../../core/octets.ts';
import type { CaptureRecord } from '../../pipeline/capture.ts';
import { Direction } from '../../pipeline/tap.ts';
import { protocolService, serviceIsUdp, serviceNumber, udpService } from '../../tunnel/service.ts';
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
type End = { address: AddressWords; service: number };

const GRE = 47;
const ETHERIP = 97;
/** Version 3 and nothing else (RFC 3378); in GRE it would be a key and a sequence number, which hardly anybody uses. */
const ETHERIP_HEADER = 0x3000;

/** The record's octets as an Ethernet frame; `socket`: our own end, at a point where the kernel keeps the headers. */
export function withOuterHeaders(record: CaptureRecord, socket: End | undefined): Octets {
  if (socket === undefined && !record.isDatagram) return record;
  const { outer, outerPort, outerTos } = record;
  const own = socket ?? { address: NO_ADDRESS, service: likelyService(record) };
  const isUdp = serviceIsUdp(own.service);
  const protocol = isUdp ? IpProtocol.udp : serviceNumber(own.service);
  const other = { address: outer, service: outerPort };
  // At a socket what is dropped on its way in is known as a datagram; what else is dropped there was on its way out.
  const isInbound = record.isDatagram || record.direction === Direction.inbound;
  const [source, destination] = isInbound ? [other, own] : [own, other];
  const isIpv6 = wordsAreIpv6(outer);
  const ipOctets = isIpv6 ? IPV6_HEADER_OCTETS : IPV4_HEADER_OCTETS;
  const udp = IP + ipOctets;
  const outerOctets = isUdp ? udp + UDP_HEADER_OCTETS : udp;
  const octets = new Uint8Array(outerOctets + record.octets.length);
  const payloadOctets = Math.min(record.originalOctets + outerOctets - udp, MAX_IP_OCTETS - IPV4_HEADER_OCTETS);
  writeEthernet(octets, 0, 0, 0, 0, 0, isIpv6 ? EtherType.ipv6 : EtherType.ipv4);
  if (isIpv6) {
    writeIpv6(octets, IP, outerTos, 0, payloadOctets, protocol, TTL);
    writeIpv6Address(octets, IP + IPV6_SOURCE, source.address);
    writeIpv6Address(octets, IP + IPV6_DESTINATION, destination.address);
  } else {
    const [from, to] = [source.address[3], destination.address[3]];
    writeIpv4(octets, IP, outerTos, ipOctets + payloadOctets, 0, true, TTL, protocol, from, to);
  }
  if (isUdp) writeUdp(octets, udp, serviceNumber(source.service), serviceNumber(destination.service), payloadOctets);
  octets.set(record.octets, outerOctets);
  return { octets, originalOctets: record.originalOctets + outerOctets };
}

/** What was dropped at a tunnel does not say by which socket it came. */
function likelyService({ octets, outerPort }: CaptureRecord): number {
  if (outerPort !== 0) return udpService(VXLAN_PORT);
  return protocolService(octets.length >= 2 && read16(octets, 0) === ETHERIP_HEADER ? ETHERIP : GRE);
}

/** A packet that starts at its IP header as an Ethernet frame, without MACs. */
export function withEthernetHeader({ octets: packet, originalOctets }: CaptureRecord): Octets {
  const octets = new Uint8Array(ETHERNET_HEADER_OCTETS + packet.length);
  writeEthernet(octets, 0, 0, 0, 0, 0, (packet[0] ?? 0) >>> 4 === 6 ? EtherType.ipv6 : EtherType.ipv4);
  octets.set(packet, ETHERNET_HEADER_OCTETS);
  return { octets, originalOctets: originalOctets + ETHERNET_HEADER_OCTETS };
}
