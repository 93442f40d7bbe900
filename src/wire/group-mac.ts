// The MAC address that a multicast group has on Ethernet: 01:00:5e and the last 23 bits of an IPv4 group (RFC 1112,
// section 6.4), 33:33 and the last 32 bits of an IPv6 group (RFC 2464, section 7).

import { type AddressWords, wordsAreIpv6 } from '../core/address.ts';

export const IPV4_GROUP_MAC_HIGH = 0x0100;
export const IPV6_GROUP_MAC_HIGH = 0x3333;

const IPV4_GROUP_MAC_LOW = 0x5e00_0000;
const IPV4_GROUP_BITS = 0x007f_ffff;

/** The first 16 bits. */
export function groupMacHigh(group: AddressWords): number {
  return wordsAreIpv6(group) ? IPV6_GROUP_MAC_HIGH : IPV4_GROUP_MAC_HIGH;
}

/** The last 32 bits, signed. */
export function groupMacLow(group: AddressWords): number {
  return wordsAreIpv6(group) ? group[3] : ipv4GroupMacLow(group[3]);
}

export const ipv4GroupMacLow = (group: number): number => IPV4_GROUP_MAC_LOW | (group & IPV4_GROUP_BITS);
