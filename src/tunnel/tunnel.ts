// What all tunnels have in common, whatever they are encapsulated in.

import { type AddressWords, wordsAreIpv6 } from '../core/address.ts';
import type { EtherIpForm } from '../wire/etherip.ts';
import type { Subnet } from './subnets.ts';

/** `gre` carries IP packets, all others Ethernet frames; `teb` is GRE for frames (transparent Ethernet bridging). */
export const TunnelKind = { vxlan: 0, gre: 1, teb: 2, nvgre: 3, etherip: 4 } as const;
export type TunnelKind = (typeof TunnelKind)[keyof typeof TunnelKind];

/** Whether tunnels of this kind carry IP packets rather than frames. */
export const kindIsLayer3 = (kind: TunnelKind): boolean => kind === TunnelKind.gre;

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

/** What a GRE tunnel puts into its headers besides the key, and what it minds on receipt. */
export type GreOptions = {
  sendsChecksum: boolean;
  verifiesChecksum: boolean;
  sendsSequence: boolean;
  /** Whether packets whose sequence number is not above the last one are dropped. */
  checksSequence: boolean;
};

/** Configuration of a tunnel, resolved to what the data plane works with. */
export type TunnelSpec = {
  kind: TunnelKind;
  /** Bridge member that stands for the tunnel. */
  member: number;
  name: string;
  /** Addresses as four words in host order (IPv4 in word 3). */
  local: AddressWords;
  /** An address of this end besides `local`: listened to, and the source of what we send ourselves. */
  secondary?: AddressWords | undefined;
  /** The route domain of the addresses of its ends; absent: 0. */
  routeDomain?: number;
  /** undefined: any. */
  remote: AddressWords | undefined;
  /** With flooding by multicast; `remote` then is any. */
  group?: TunnelGroup | undefined;
  /** VNI, VSID or GRE key, unsigned; a key of 0 means that GRE packets have none, save with NVGRE. */
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
  /** Whether the tunnel carries no more than the path to its end does, and forbids to fragment its packets (`use-pmtu`). */
  usesPathMtu: boolean;
  /** A value of MssClamp, or octets. */
  mssClamp: number;
  /** Of an inbound NVGRE tunnel: the subnets whose tunnels take over what comes from them. */
  subnets?: readonly Subnet[] | undefined;
  gre?: GreOptions | undefined;
  etherIpForm?: EtherIpForm | undefined;
};

/** What tells received packets of one listener apart, before their key: the kind, and whether they have a key. */
export const KeySpace = { only: 0, packet: 1, packetKeyed: 2, frame: 3, frameKeyed: 4, virtualSubnet: 5 } as const;
export type KeySpace = (typeof KeySpace)[keyof typeof KeySpace];

export class Tunnel {
  readonly index: number;
  spec: TunnelSpec;
  readonly kind: TunnelKind;
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
    this.kind = spec.kind;
    this.row = row;
    this.isIpv6 = wordsAreIpv6(spec.local);
  }

  get keySpace(): KeySpace {
    const isKeyed = this.spec.key !== 0;
    if (this.kind === TunnelKind.gre) return isKeyed ? KeySpace.packetKeyed : KeySpace.packet;
    if (this.kind === TunnelKind.teb) return isKeyed ? KeySpace.frameKeyed : KeySpace.frame;
    return this.kind === TunnelKind.nvgre ? KeySpace.virtualSubnet : KeySpace.only;
  }
}
