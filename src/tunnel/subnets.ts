// Inbound NVGRE: which subnet the packet in a frame comes from.
//
// Distributed routers of Hyper-V Network Virtualization send what they route to a gateway with one VSID, whatever subnet it
// comes from. The gateway takes it as if it had come by the tunnel of that subnet, which it knows by its own addresses there.

import type { AddressWords } from '../core/address.ts';
import { read32 } from '../core/octets.ts';
import { EtherType, ETHERNET_HEADER_OCTETS, etherType } from '../wire/ethernet.ts';
import { IPV4_HEADER_OCTETS, ipv4Source } from '../wire/ipv4.ts';
import { IPV6_HEADER_OCTETS, IPV6_SOURCE } from '../wire/ipv6.ts';

/** `member`: bridge member that stands for the tunnel of the subnet. */
export type Subnet = { words: AddressWords; isIpv6: boolean; prefixBits: number; member: number };

/** The member of the subnet, by the longest prefix, that an untagged frame's source IP address is in; -1: none. */
export function subnetMember(bytes: Uint8Array, start: number, end: number, subnets: readonly Subnet[]): number {
  const ip = start + ETHERNET_HEADER_OCTETS;
  const type = etherType(bytes, start);
  const isIpv6 = type === EtherType.ipv6;
  if (!isIpv6 && type !== EtherType.ipv4) return -1;
  if (end - ip < (isIpv6 ? IPV6_HEADER_OCTETS : IPV4_HEADER_OCTETS)) return -1;
  let member = -1;
  let longest = -1;
  for (const subnet of subnets) {
    if (subnet.isIpv6 !== isIpv6 || subnet.prefixBits <= longest) continue;
    if (isIpv6 ? !holdsIpv6(subnet, bytes, ip + IPV6_SOURCE) : !holdsIpv4(subnet, ipv4Source(bytes, ip))) continue;
    longest = subnet.prefixBits;
    member = subnet.member;
  }
  return member;
}

const holdsIpv4 = ({ words, prefixBits }: Subnet, source: number): boolean => sharesBits(words[3], source, prefixBits);

const holdsIpv6 = ({ words, prefixBits }: Subnet, bytes: Uint8Array, at: number): boolean =>
  sharesBits(words[0], read32(bytes, at), prefixBits) &&
  sharesBits(words[1], read32(bytes, at + 4), prefixBits - 32) &&
  sharesBits(words[2], read32(bytes, at + 8), prefixBits - 64) &&
  sharesBits(words[3], read32(bytes, at + 12), prefixBits - 96);

/** Whether the first `bits` of two words are the same; up to none of them, and up to all. */
const sharesBits = (one: number, other: number, bits: number): boolean =>
  bits <= 0 || (one ^ other) >>> Math.max(0, 32 - bits) === 0;
