// What all tunnels have in common, whatever they are encapsulated in.

import { type AddressWords, wordsAreIpv6 } from '../core/address.ts';

/** `tos preserve`: the outer TOS is the inner one. */
export const TOS_PRESERVE = -1;

/**
 * When the outer UDP checksum is other than 0 (RFC 7348, section 5): when packets leave joined it costs next to nothing.
 * Over IPv6 there is no `whenJoined`, and packets without a checksum are taken only with `never` (RFC 6935, section 5).
 */
export const UdpChecksum = { never: 0, whenJoined: 1, always: 2 } as const;
export type UdpChecksum = (typeof UdpChecksum)[keyof typeof UdpChecksum];

/**
 * The multicast group of a tunnel, and the number of the domain in which its local address lives: there the group is
 * joined, and what was sent to it in another domain is not for this tunnel.
 */
export type TunnelGroup = { address: AddressWords; domain: number };

/** Configuration of a tunnel, resolved to what the data plane works with. */
export type TunnelSpec = {
  /** Bridge member that stands for the tunnel. */
  member: number;
  name: string;
  /** Addresses as four words in host order (IPv4 in word 3). */
  local: AddressWords;
  /** The route domain of the addresses of its ends; absent: 0. */
  routeDomain?: number;
  /** undefined: any. */
  remote: AddressWords | undefined;
  /** With flooding by multicast; `remote` then is any. */
  group?: TunnelGroup | undefined;
  /** VNI, VSID or GRE key. */
  key: number;
  /** UDP port or IP protocol of the encapsulation, as in service.ts. */
  service: number;
  /** Largest IP packet that the tunnel carries, in octets: the inner frame without its Ethernet header and tags. */
  mtu: number;
  /** 0–255, or TOS_PRESERVE. */
  tos: number;
  ttl: number;
  udpChecksum: UdpChecksum;
  /** Inclusive range of outer UDP source ports. */
  sourcePortMin: number;
  sourcePortMax: number;
  /** Whether remote endpoints of stations are learned from what arrives. */
  learnsEndpoints: boolean;
  /** `mode`: whether the tunnel takes what arrives, and sends. */
  receives: boolean;
  sends: boolean;
};

export class Tunnel {
  readonly index: number;
  spec: TunnelSpec;
  /** Row of the counter table; that of its bridge member. */
  readonly row: number;
  /** The IP version of its underlay. */
  readonly isIpv6: boolean;
  /** Whether its local address and underlay are there. */
  isUp = false;
  /** Endpoint of `remote`; -1 when the remote is any. */
  remoteEndpoint = -1;

  constructor(index: number, spec: TunnelSpec, row: number) {
    this.index = index;
    this.spec = spec;
    this.row = row;
    this.isIpv6 = wordsAreIpv6(spec.local);
  }
}
