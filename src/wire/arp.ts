// Address resolution for IPv4 on Ethernet (RFC 826).
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-------------------------------+-------------------------------+
//   |       hardware type = 1       |    protocol type = 0x0800     |
//   +---------------+---------------+-------------------------------+
//   | hw length = 6 | pr length = 4 |           operation           |
//   +---------------+---------------+-------------------------------+
//   |                     sender MAC, 6 octets                      |
//   +                               +-------------------------------+
//   |                               |      sender IPv4 address      |
//   +-------------------------------+-------------------------------+
//   |           (cont.)             |     target MAC, 6 octets      |
//   +-------------------------------+                               +
//   |                                                               |
//   +---------------------------------------------------------------+
//   |                     target IPv4 address                       |
//   +---------------------------------------------------------------+

import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { isGroupMac } from '../core/mac.ts';
import { read16, read32, write16, write32 } from '../core/octets.ts';
import { copyMac, LOCAL_BIT, macIsZero, writeMac } from './ethernet.ts';

export const ARP_OCTETS = 28;

export const ARP_SENDER_MAC = 8;
export const ARP_TARGET_MAC = 18;
const OPERATION = 6;
const SENDER_IP = 14;
const TARGET_IP = 24;

export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

// Hardware type and protocol type; address lengths.
const ETHERNET_IPV4 = 0x0001_0800;
const LENGTHS = 0x0604;

/**
 * Guarantees, with FORWARD: a whole request or reply for IPv4 on Ethernet, whose sender is one station: nobody's MAC is a
 * group address (RFC 1812, section 3.3.2).
 */
export function checkArp(bytes: Uint8Array, start: number, end: number): Verdict {
  if (end - start < ARP_OCTETS) return Drop.arpInvalid;
  if (read32(bytes, start) !== ETHERNET_IPV4 || read16(bytes, start + 4) !== LENGTHS) return Drop.arpInvalid;
  const operation = read16(bytes, start + OPERATION);
  if (operation !== ARP_REQUEST && operation !== ARP_REPLY) return Drop.arpInvalid;
  const sender = start + ARP_SENDER_MAC;
  return isGroupMac(bytes, sender) || macIsZero(bytes, sender) ? Drop.arpInvalid : FORWARD;
}

export function arpOperation(bytes: Uint8Array, start: number): number {
  return read16(bytes, start + OPERATION);
}

/** The sender's address; 0 in a probe for a duplicate (RFC 5227). */
export function arpSenderIp(bytes: Uint8Array, start: number): number {
  return read32(bytes, start + SENDER_IP);
}

export function arpTargetIp(bytes: Uint8Array, start: number): number {
  return read32(bytes, start + TARGET_IP);
}

/** Writes a packet of 28 octets; MACs as pairs of integers, target MAC 0 in a request. */
export function writeArp(
  bytes: Uint8Array,
  at: number,
  operation: number,
  senderHigh: number,
  senderLow: number,
  senderIp: number,
  targetHigh: number,
  targetLow: number,
  targetIp: number,
): void {
  write32(bytes, at, ETHERNET_IPV4);
  write16(bytes, at + 4, LENGTHS);
  write16(bytes, at + OPERATION, operation);
  writeMac(bytes, at + ARP_SENDER_MAC, senderHigh, senderLow);
  write32(bytes, at + SENDER_IP, senderIp);
  writeMac(bytes, at + ARP_TARGET_MAC, targetHigh, targetLow);
  write32(bytes, at + TARGET_IP, targetIp);
}

/** Turns a request in place into the reply of the station (high, low) that owns the target address. */
export function turnIntoArpReply(bytes: Uint8Array, start: number, high: number, low: number): void {
  const owned = read32(bytes, start + TARGET_IP);
  const asking = read32(bytes, start + SENDER_IP);
  write16(bytes, start + OPERATION, ARP_REPLY);
  copyMac(bytes, start + ARP_SENDER_MAC, start + ARP_TARGET_MAC);
  write32(bytes, start + TARGET_IP, asking);
  writeMac(bytes, start + ARP_SENDER_MAC, high, low);
  write32(bytes, start + SENDER_IP, owned);
}

/** Toggles the local bit of both MACs of a checked packet; a target that is not known yet, or a group, stays as it is. */
export function toggleArpMacs(bytes: Uint8Array, start: number): void {
  bytes[start + ARP_SENDER_MAC]! ^= LOCAL_BIT;
  const target = start + ARP_TARGET_MAC;
  if (!isGroupMac(bytes, target) && !macIsZero(bytes, target)) bytes[target]! ^= LOCAL_BIT;
}
