// Who sent a packet: compared with the target of a probe, and named for a person.

import { parseAddress } from '../core/address.ts';
import { read32 } from '../core/octets.ts';
import { IPV4_DESTINATION, IPV4_SOURCE } from '../wire/ipv4.ts';
import { IPV6_DESTINATION, IPV6_SOURCE } from '../wire/ipv6.ts';
import type { ProbeTarget } from './packet-probes.ts';

/**
 * Whether what a raw socket has received came from the target. Of IPv4 the packet has its IP header, of IPv6 there is but the text
 * of the sender.
 */
export function isFrom(target: ProbeTarget, bytes: Uint8Array, source: string): boolean {
  if (target.family === 4) return read32(bytes, IPV4_SOURCE) === target.words[3];
  if (source === target.address) return true;
  // libuv may write an address in another form than RFC 5952 does.
  return parseAddress(source)?.words.every((word, index) => word === target.words[index]) === true;
}

/** Whether the target is where the packet with its IP header at `ipStart` was sent to. */
export function isQuotedDestination({ family, words }: ProbeTarget, bytes: Uint8Array, ipStart: number): boolean {
  if (family === 4) return read32(bytes, ipStart + IPV4_DESTINATION) === words[3];
  for (let index = 0; index < 4; index++) {
    if (read32(bytes, ipStart + IPV6_DESTINATION + index * 4) !== words[index]) return false;
  }
  return true;
}

/** Whoever reports an error about our packet, which begins at `ipStart`: this host itself, or somebody on the way. */
export function nameOfReporter(bytes: Uint8Array, family: 4 | 6, source: string, ipStart: number): string {
  const words = parseAddress(source)?.words;
  const at = ipStart + (family === 4 ? IPV4_SOURCE : IPV6_SOURCE);
  const isOwn =
    family === 4
      ? words?.[3] === read32(bytes, at)
      : words?.every((word, index) => word === read32(bytes, at + index * 4)) === true;
  return isOwn ? `this host (${source})` : source;
}
