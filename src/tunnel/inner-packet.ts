// What encapsulation wants to know of the packet that it carries: TOS and flow.

import { hashPair } from '../core/pair-map.ts';
import type { Arena } from '../packet/arena.ts';
import { packetTos } from '../packet/ecn.ts';
import type { Frame } from '../packet/frame.ts';
import { ETHERNET_HEADER_OCTETS } from '../wire/ethernet.ts';
import { IPV4_HEADER_OCTETS, IpProtocol } from '../wire/ipv4.ts';
import { innerTos } from './ecn.ts';
import { combineAddresses, flowHash, packetFlowHash } from './entropy.ts';

// As they stand in little-endian words of memory.
const TYPE_IPV4 = 0x0008;
const VERSION_4_NO_OPTIONS = 0x45;
const FRAGMENT_BITS = 0xff3f0000 | 0;

/** Notes the hash of the inner flow in the frame, and returns the TOS or traffic class of the inner packet (0: none). */
export function noteFlow(arena: Arena, frame: Frame): number {
  const { bytes, words } = arena;
  const { start, end } = frame;
  const ip = start + ETHERNET_HEADER_OCTETS;
  // Nearly every frame is untagged IPv4 without options on a word boundary. Reading its headers once, by words, takes a
  // third of what the general way below does; the result is the same.
  if ((ip & 3) === 0 && end - ip >= IPV4_HEADER_OCTETS + 4) {
    const at = ip >> 2;
    const first = words[at]!;
    if (words[at - 1]! >>> 16 === TYPE_IPV4 && (first & 0xff) === VERSION_4_NO_OPTIONS) {
      const protocol = (words[at + 2]! >>> 8) & 0xff;
      const hasPorts =
        (protocol === IpProtocol.udp || protocol === IpProtocol.tcp) && (words[at + 1]! & FRAGMENT_BITS) === 0;
      const addresses = combineAddresses(words[at + 3]!, words[at + 4]!);
      frame.flowHash = hashPair(addresses, hasPorts ? words[at + 5]! : protocol);
      return (first >>> 8) & 0xff;
    }
  }
  frame.flowHash = flowHash(bytes, start, end);
  return innerTos(bytes, start, end);
}

/** TOS or traffic class of the packet in an Ethernet frame (0: none), where no flow is asked for. */
export function frameTos(arena: Arena, frame: Frame): number {
  const { bytes, words } = arena;
  const { start, end } = frame;
  const ip = start + ETHERNET_HEADER_OCTETS;
  if ((ip & 3) === 0 && end - ip >= IPV4_HEADER_OCTETS) {
    const first = words[ip >> 2]!;
    if (words[(ip >> 2) - 1]! >>> 16 === TYPE_IPV4 && (first & 0xff) === VERSION_4_NO_OPTIONS)
      return (first >>> 8) & 0xff;
  }
  return innerTos(bytes, start, end);
}

/** The same as `noteFlow` of a frame that starts at its IP header, which is whole. */
export function notePacketFlow(arena: Arena, frame: Frame): number {
  const { bytes } = arena;
  frame.flowHash = packetFlowHash(bytes, frame.start, frame.end);
  return packetTos(bytes, frame.start);
}
