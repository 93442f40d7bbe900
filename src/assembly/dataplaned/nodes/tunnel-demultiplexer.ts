// Packets of IP protocols that tunnels have for themselves, GRE and EtherIP, on their way to decapsulation.

import { read32 } from '../../../core/octets.ts';
import type { Frame, FrameBatch } from '../../../packet/frame.ts';
import { protocolService } from '../../../tunnel/service.ts';
import {
  IpProtocol,
  ipv4Destination,
  ipv4HeaderOctets,
  ipv4Protocol,
  ipv4Source,
  ipv4Tos,
} from '../../../wire/ipv4.ts';
import {
  IPV6_DESTINATION,
  IPV6_HEADER_OCTETS,
  IPV6_SOURCE,
  ipv6NextHeader,
  ipv6TrafficClass,
} from '../../../wire/ipv6.ts';
import type { LocalAddresses } from '../local-addresses.ts';

export class TunnelDemultiplexer {
  readonly #addresses: LocalAddresses;
  readonly #bytes: Uint8Array;
  readonly #toDecapsulate: FrameBatch;

  constructor(addresses: LocalAddresses, bytes: Uint8Array, toDecapsulate: FrameBatch) {
    this.#addresses = addresses;
    this.#bytes = bytes;
    this.#toDecapsulate = toDecapsulate;
  }

  /**
   * Takes a checked, unfragmented packet, from the start of the frame to its end, if a tunnel listens to it on the domain that
   * its destination belongs to; returns whether it has.
   */
  takeIpv4(frame: Frame, domain: number): boolean {
    const bytes = this.#bytes;
    const ip = frame.start;
    const protocol = ipv4Protocol(bytes, ip);
    if (protocol !== IpProtocol.gre && protocol !== IpProtocol.etherip) return false;
    const service = protocolService(protocol);
    const listener = this.#addresses.listener(domain, 0, 0, 0, ipv4Destination(bytes, ip), service);
    if (listener === -1) return false;
    frame.outer0 = 0;
    frame.outer1 = 0;
    frame.outer2 = 0;
    frame.outer3 = ipv4Source(bytes, ip);
    frame.outerTos = ipv4Tos(bytes, ip);
    this.#pass(frame, ip + ipv4HeaderOctets(bytes, ip), listener);
    return true;
  }

  /** The same for a packet without extension headers. */
  takeIpv6(frame: Frame, domain: number): boolean {
    const bytes = this.#bytes;
    const ip = frame.start;
    const protocol = ipv6NextHeader(bytes, ip);
    if (protocol !== IpProtocol.gre && protocol !== IpProtocol.etherip) return false;
    const at = ip + IPV6_DESTINATION;
    const word0 = read32(bytes, at);
    const word1 = read32(bytes, at + 4);
    const word2 = read32(bytes, at + 8);
    const word3 = read32(bytes, at + 12);
    // Addresses of ::/96 are ours on no link; among the listeners they would be IPv4 ones.
    if ((word0 | word1 | word2) === 0) return false;
    const listener = this.#addresses.listener(domain, word0, word1, word2, word3, protocolService(protocol));
    if (listener === -1) return false;
    const source = ip + IPV6_SOURCE;
    frame.outer0 = read32(bytes, source);
    frame.outer1 = read32(bytes, source + 4);
    frame.outer2 = read32(bytes, source + 8);
    frame.outer3 = read32(bytes, source + 12);
    frame.outerTos = ipv6TrafficClass(bytes, ip);
    this.#pass(frame, ip + IPV6_HEADER_OCTETS, listener);
    return true;
  }

  #pass(frame: Frame, payload: number, listener: number): void {
    frame.listener = listener;
    frame.outerPort = 0;
    if (frame.outerStart === 0) frame.outerStart = frame.start;
    frame.start = payload;
    this.#toDecapsulate.push(frame);
  }
}
