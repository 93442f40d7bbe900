// The outer UDP source port: a hash of the inner flow, so that the underlay spreads flows over its paths and keeps each one
// in order (RFC 7348, section 5).
//
// All fragments of an inner datagram share a port: where one may be a fragment, ports are left out of the hash.

import { read16, read32 } from '../core/octets.ts';
import { hashPair } from '../core/pair-map.ts';
import { EtherType } from '../wire/ethernet.ts';
import { IpProtocol } from '../wire/ipv4.ts';

const ETHERNET_OCTETS = 14;
const IPV4_NO_OPTIONS = 0x45;
/** With the first four octets behind them, where ports are. */
const IPV4_OCTETS = 24;
const IPV6_OCTETS = 44;
const NOT_FRAGMENTED = 0x3fff;
const ADDRESS_PRIME = 0x01000193;

/** Hash of the flow of the Ethernet frame in bytes[start, end); 32 bits, signed. */
export function flowHash(bytes: Uint8Array, start: number, end: number): number {
  const type = (bytes[start + 12]! << 8) | bytes[start + 13]!;
  const ip = start + ETHERNET_OCTETS;
  if (type === EtherType.ipv4 && isPlainIpv4(bytes, ip, end)) return ipv4FlowHash(bytes, ip);
  if (type === EtherType.ipv6 && end - ip >= IPV6_OCTETS) return ipv6FlowHash(bytes, ip);
  // Both MACs and the type.
  return hashPair(read32(bytes, start) ^ read32(bytes, start + 8), read32(bytes, start + 4) ^ type);
}

/** The same of the IP packet in bytes[ip, end), which has a whole header. */
export function packetFlowHash(bytes: Uint8Array, ip: number, end: number): number {
  if (isPlainIpv4(bytes, ip, end)) return ipv4FlowHash(bytes, ip);
  if (bytes[ip]! >>> 4 === 6 && end - ip >= IPV6_OCTETS) return ipv6FlowHash(bytes, ip);
  return hashPair(readWord(bytes, ip + 12), readWord(bytes, ip + 16));
}

const isPlainIpv4 = (bytes: Uint8Array, ip: number, end: number): boolean =>
  bytes[ip] === IPV4_NO_OPTIONS && end - ip >= IPV4_OCTETS;

function ipv4FlowHash(bytes: Uint8Array, ip: number): number {
  const protocol = bytes[ip + 9]!;
  const hasPorts =
    (protocol === IpProtocol.tcp || protocol === IpProtocol.udp) && (read16(bytes, ip + 6) & NOT_FRAGMENTED) === 0;
  const addresses = combineAddresses(readWord(bytes, ip + 12), readWord(bytes, ip + 16));
  return hashPair(addresses, hasPorts ? readWord(bytes, ip + 20) : protocol);
}

function ipv6FlowHash(bytes: Uint8Array, ip: number): number {
  let addresses = 0;
  for (let at = ip + 8; at < ip + 40; at += 4) addresses = Math.imul(addresses, ADDRESS_PRIME) ^ read32(bytes, at);
  const protocol = bytes[ip + 6]!;
  const hasPorts = protocol === IpProtocol.tcp || protocol === IpProtocol.udp;
  return hashPair(addresses, hasPorts ? read32(bytes, ip + 40) : protocol);
}

/** Both IPv4 addresses, as little-endian words of memory, in one integer. */
export const combineAddresses = (source: number, destination: number): number =>
  source ^ Math.imul(destination, ADDRESS_PRIME);

/** 32 bits in the memory's own (little-endian) order, as `words` has them. */
const readWord = (bytes: Uint8Array, at: number): number =>
  bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);

/** An IPv6 flow label of 20 bits; 0 would say that there is none (RFC 6437, section 2). */
export const flowLabel = (hash: number): number => hash & 0xf_ffff || 1;

/** A port of [min, max] chosen by the hash. */
export function sourcePort(hash: number, min: number, max: number): number {
  return min + (Math.imul(hash >>> 16, max - min + 1) >>> 16);
}
