// What AH does not authenticate, because it may change on the way: made zeros while the ICV is computed (RFC 4302, section 3.3.3.1 and
// appendix A), and put back behind it.
//
// A sender computes over what the receiver will see: with an IPv4 source route the last address of it as destination. Not
// supported: IPv6 routing headers that still lead elsewhere, and fragment headers.

import { read16, write16, write32 } from '../core/octets.ts';
import { IPV4_CHECKSUM, IPV4_DESTINATION, IPV4_FLAGS, IPV4_HEADER_OCTETS, IPV4_TOS, IPV4_TTL } from '../wire/ipv4.ts';
import { IPV6_HEADER_OCTETS, IPV6_HOP_BY_HOP, IPV6_HOP_LIMIT, IPV6_NEXT_HEADER } from '../wire/ipv6.ts';
import { IPV6_DESTINATION_OPTIONS, IPV6_ROUTING } from '../wire/ipv6-extension.ts';
import { MAX_JOBS } from './crypto.ts';
import { isIpv4 } from './insertion.ts';

/** Longer headers in front of AH are refused. */
export const MAX_SAVED_OCTETS = 256;

const END_OF_OPTIONS = 0;
const NO_OPERATION = 1;
const LOOSE_SOURCE_ROUTE = 131;
const STRICT_SOURCE_ROUTE = 137;
/** Security, extended and commercial security, router alert, multi-destination delivery (appendix A1). */
const IMMUTABLE_OPTIONS = [130, 133, 134, 148, 149];
/** Type, length, pointer and one address. */
const SHORTEST_ROUTE_OCTETS = 7;

const PAD_1 = 0;
/** In the type of an IPv6 option: its data may change on the way (RFC 8200, section 4.2). */
const MAY_CHANGE = 0x20;
const VERSION_6 = 0x6000_0000;
const SEGMENTS_LEFT = 3;

/** Zeros in place of what is mutable in the headers from `ip` to `end`, where AH stands; false: AH cannot authenticate them. */
export function clearMutableFields(bytes: Uint8Array, ip: number, end: number, isOutbound: boolean): boolean {
  return isIpv4(bytes, ip) ? clearIpv4(bytes, ip, end, isOutbound) : clearIpv6(bytes, ip, end, isOutbound);
}

function clearIpv4(bytes: Uint8Array, ip: number, end: number, isOutbound: boolean): boolean {
  bytes[ip + IPV4_TOS] = 0;
  write16(bytes, ip + IPV4_FLAGS, 0);
  bytes[ip + IPV4_TTL] = 0;
  write16(bytes, ip + IPV4_CHECKSUM, 0);
  let at = ip + IPV4_HEADER_OCTETS;
  while (at < end && bytes[at] !== END_OF_OPTIONS) {
    const type = bytes[at]!;
    if (type === NO_OPERATION) {
      at += 1;
      continue;
    }
    const octets = at + 1 < end ? bytes[at + 1]! : 0;
    if (octets < 2 || octets > end - at) return false;
    if (!IMMUTABLE_OPTIONS.includes(type)) {
      const isRoute = type === LOOSE_SOURCE_ROUTE || type === STRICT_SOURCE_ROUTE;
      if (isOutbound && isRoute && octets >= SHORTEST_ROUTE_OCTETS && bytes[at + 2]! <= octets) {
        // The pointer, counted from 1, has not come to the end yet.
        bytes.copyWithin(ip + IPV4_DESTINATION, at + octets - 4, at + octets);
      }
      bytes.fill(0, at, at + octets);
    }
    at += octets;
  }
  return true;
}

function clearIpv6(bytes: Uint8Array, ip: number, end: number, isOutbound: boolean): boolean {
  write32(bytes, ip, VERSION_6);
  bytes[ip + IPV6_HOP_LIMIT] = 0;
  let at = ip + IPV6_HEADER_OCTETS;
  let nextHeader = bytes[ip + IPV6_NEXT_HEADER]!;
  while (at < end) {
    const behind = at + ((bytes[at + 1]! + 1) << 3);
    if (behind > end) return false;
    if (nextHeader === IPV6_HOP_BY_HOP || nextHeader === IPV6_DESTINATION_OPTIONS) {
      if (!clearOptions(bytes, at + 2, behind)) return false;
    } else if (nextHeader !== IPV6_ROUTING || (isOutbound && bytes[at + SEGMENTS_LEFT] !== 0)) {
      return false;
    }
    nextHeader = bytes[at]!;
    at = behind;
  }
  return true;
}

function clearOptions(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const type = bytes[at]!;
    if (type === PAD_1) {
      at += 1;
      continue;
    }
    const head = read16(bytes, at);
    const behind = at + 2 + (head & 0xff);
    if (at + 2 > end || behind > end) return false;
    if ((type & MAY_CHANGE) !== 0) bytes.fill(0, at + 2, behind);
    at = behind;
  }
  return true;
}

/** The headers of the packets of a batch as they were. */
export class SavedHeaders {
  readonly #octets = new Uint8Array(MAX_JOBS * MAX_SAVED_OCTETS);

  /** At most MAX_SAVED_OCTETS. */
  save(entry: number, bytes: Uint8Array, start: number, end: number): void {
    const base = entry * MAX_SAVED_OCTETS - start;
    for (let at = start; at < end; at++) this.#octets[base + at] = bytes[at]!;
  }

  restore(entry: number, bytes: Uint8Array, start: number, end: number): void {
    const base = entry * MAX_SAVED_OCTETS - start;
    for (let at = start; at < end; at++) bytes[at] = this.#octets[base + at]!;
  }
}
