// Ethernet II frames without FCS (IEEE 802.3), and their 802.1Q and 802.1ad tags.
//
//   +--------------------+--------------------+ - - - - - - - - - +------+---------- - -
//   | destination MAC, 6 | source MAC, 6      | TPID, 2 | TCI, 2   | type | payload
//   +--------------------+--------------------+ - - - - - - - - - +------+---------- - -
//                                                TCI: PCP 3 | DEI 1 | VID 12
//
// Not supported: 802.3 length fields with LLC; they pass as an unknown type.

import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { MAC_OCTETS } from '../core/mac.ts';
import { read16, read32, write16 } from '../core/octets.ts';

export const ETHERNET_HEADER_OCTETS = 14;
export const VLAN_TAG_OCTETS = 4;

export const ETHERNET_DESTINATION = 0;
export const ETHERNET_SOURCE = 6;
export const ETHERNET_TYPE = 12;
const TAG_TCI = 14;

/** Registered EtherTypes that are looked at here. */
export const EtherType = {
  ipv4: 0x0800,
  arp: 0x0806,
  transparentEthernetBridging: 0x6558,
  vlan: 0x8100,
  ipv6: 0x86dd,
  serviceVlan: 0x88a8,
} as const;

/** The bit of a MAC's first octet that says it is locally administered. */
export const LOCAL_BIT = 0x02;

/** Bits of a TCI that hold the VLAN ID. */
export const VLAN_ID_MASK = 0x0fff;

/** Guarantees, with FORWARD: the header is there, and the whole of a first tag when the type announces one. */
export function checkEthernet(bytes: Uint8Array, start: number, end: number): Verdict {
  if (end - start < ETHERNET_HEADER_OCTETS) return Drop.frameTooShort;
  if (isVlanTagged(bytes, start) && end - start < ETHERNET_HEADER_OCTETS + VLAN_TAG_OCTETS) return Drop.frameTooShort;
  return FORWARD;
}

/** The type field behind the MACs: the TPID when the frame is tagged. */
export function etherType(bytes: Uint8Array, start: number): number {
  return read16(bytes, start + ETHERNET_TYPE);
}

export function isVlanTagged(bytes: Uint8Array, start: number): boolean {
  const type = read16(bytes, start + ETHERNET_TYPE);
  return type === EtherType.vlan || type === EtherType.serviceVlan;
}

/** The tag of a tagged frame. */
export function vlanTci(bytes: Uint8Array, start: number): number {
  return read16(bytes, start + TAG_TCI);
}

/** Moves the MACs up over the tag of a tagged frame; returns the new start. */
export function stripVlanTag(bytes: Uint8Array, start: number): number {
  // A loop: copyWithin costs a call into the runtime, several times as much for 12 octets.
  for (let at = start + ETHERNET_TYPE - 1; at >= start; at--) bytes[at + VLAN_TAG_OCTETS] = bytes[at]!;
  return start + VLAN_TAG_OCTETS;
}

/** Moves the MACs down by 4 octets of headroom and puts a tag behind them; returns the new start. */
export function insertVlanTag(bytes: Uint8Array, start: number, tpid: number, tci: number): number {
  const tagged = start - VLAN_TAG_OCTETS;
  for (let at = 0; at < ETHERNET_TYPE; at++) bytes[tagged + at] = bytes[start + at]!;
  write16(bytes, tagged + ETHERNET_TYPE, tpid);
  write16(bytes, tagged + TAG_TCI, tci);
  return tagged;
}

export function macIsZero(bytes: Uint8Array, at: number): boolean {
  return (read16(bytes, at) | read32(bytes, at + 2)) === 0;
}

export function copyMac(bytes: Uint8Array, from: number, to: number): void {
  for (let at = 0; at < MAC_OCTETS; at++) bytes[to + at] = bytes[from + at]!;
}

export function writeMac(bytes: Uint8Array, at: number, high: number, low: number): void {
  write16(bytes, at, high);
  bytes[at + 2] = low >>> 24;
  bytes[at + 3] = low >>> 16;
  bytes[at + 4] = low >>> 8;
  bytes[at + 5] = low;
}

/** Writes an untagged header; MACs as pairs of integers. */
export function writeEthernet(
  bytes: Uint8Array,
  at: number,
  destinationHigh: number,
  destinationLow: number,
  sourceHigh: number,
  sourceLow: number,
  type: number,
): void {
  writeMac(bytes, at + ETHERNET_DESTINATION, destinationHigh, destinationLow);
  writeMac(bytes, at + ETHERNET_SOURCE, sourceHigh, sourceLow);
  write16(bytes, at + ETHERNET_TYPE, type);
}
