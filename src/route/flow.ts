// Which flow a packet belongs to: what is chosen by it is the same for all packets of a flow, so that they stay in order.

import { read16, read32 } from '../core/octets.ts';
import { hashPair } from '../core/pair-map.ts';
import {
  IPV4_DESTINATION,
  IPV4_SOURCE,
  IpProtocol,
  ipv4HeaderOctets,
  ipv4IsFragment,
  ipv4Protocol,
} from '../wire/ipv4.ts';
import { IPV6_HEADER_OCTETS, IPV6_SOURCE, ipv6NextHeader } from '../wire/ipv6.ts';

const PORTS_OCTETS = 4;
const PRIME = 0x0100_0193;

/** Hash of the flow of a packet whose header has been checked; fragments of a datagram are one flow. */
export function packetFlowHash(bytes: Uint8Array, start: number, end: number): number {
  if (bytes[start]! >>> 4 === 4) {
    const payload = start + ipv4HeaderOctets(bytes, start);
    const protocol = ipv4Protocol(bytes, start);
    const hasPorts = carriesPorts(protocol) && !ipv4IsFragment(bytes, start) && end - payload >= PORTS_OCTETS;
    const addresses = read32(bytes, start + IPV4_SOURCE) ^ Math.imul(read32(bytes, start + IPV4_DESTINATION), PRIME);
    return hashPair(addresses, hasPorts ? read32(bytes, payload) : protocol);
  }
  let addresses = read16(bytes, start + 2);
  for (let at = start + IPV6_SOURCE; at < start + IPV6_HEADER_OCTETS; at += 4) {
    addresses = Math.imul(addresses, PRIME) ^ read32(bytes, at);
  }
  const payload = start + IPV6_HEADER_OCTETS;
  const protocol = ipv6NextHeader(bytes, start);
  return hashPair(
    addresses,
    carriesPorts(protocol) && end - payload >= PORTS_OCTETS ? read32(bytes, payload) : protocol,
  );
}

const carriesPorts = (protocol: number): boolean => protocol === IpProtocol.tcp || protocol === IpProtocol.udp;
