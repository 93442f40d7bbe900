// What happens to a frame that crosses a VLAN group: that goes from a VLAN or tunnel of the group to another one.
//
//   transparent   the frame passes as it is
//   translucent   every station is seen from the other VLANs with the local bit of its MAC toggled (IEEE 802, the bit
//                 0x02 of the first octet): the source's on the way over, the destination's back to what it is. Toggled, not
//                 set, so that nothing is lost of a MAC that has the bit already. The MACs in ARP and in the options of
//                 neighbour discovery are toggled with it, or hosts would answer to a MAC that is not theirs to reach.
//   opaque        every station is seen with the MAC of the group. ARP is bridged with that MAC as its sender (which is
//                 proxy ARP); unicast IPv4 is addressed to the group and routed (assembly, opaque-router.ts), the rest of
//                 unicast has no way over.
//
// In each mode: only IP and ARP cross unless `bridgesAll` says otherwise.
//
// Not supported: IPv6 in mode opaque; signed neighbour discovery (SEND) in mode translucent.

import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import type { Frame } from '../packet/frame.ts';
import { ARP_SENDER_MAC, checkArp, toggleArpMacs } from '../wire/arp.ts';
import {
  ETHERNET_DESTINATION,
  ETHERNET_HEADER_OCTETS,
  ETHERNET_SOURCE,
  EtherType,
  etherType,
  LOCAL_BIT,
  writeMac,
} from '../wire/ethernet.ts';
import { toggleLinkLayerOptions } from '../wire/icmpv6.ts';
import { macHigh16, macLow32 } from '../core/mac.ts';

export type CrossingMode = 'transparent' | 'translucent' | 'opaque';

export type CrossingSpec = {
  mode: CrossingMode;
  /** Every kind of frame crosses, not only IP and ARP. */
  bridgesAll: boolean;
  /** Multicast frames cross; broadcasts always do. */
  bridgesMulticast: boolean;
  /** Frames cross also while the device is standby. */
  bridgesInStandby: boolean;
};

/** The local bit in the first 16 bits of a MAC. */
export const LOCAL_BIT_HIGH = LOCAL_BIT << 8;

const GROUP_BIT = 1;

export class Crossing {
  readonly isTranslucent: boolean;
  readonly isOpaque: boolean;
  readonly #bridgesAll: boolean;
  readonly #bridgesMulticast: boolean;
  /** Whether anything crosses at all, as the failover state and the group have it. */
  readonly isOpen: boolean;

  constructor(spec: CrossingSpec, isActive: boolean) {
    this.isTranslucent = spec.mode === 'translucent';
    this.isOpaque = spec.mode === 'opaque';
    this.#bridgesAll = spec.bridgesAll;
    this.#bridgesMulticast = spec.bridgesMulticast;
    this.isOpen = isActive || spec.bridgesInStandby;
  }

  /** The crossing of a group; undefined when every frame passes as it is, so that none needs to be looked at. */
  static of(spec: CrossingSpec | undefined, isActive: boolean): Crossing | undefined {
    if (spec === undefined) return undefined;
    const isFree =
      spec.mode === 'transparent' && spec.bridgesAll && spec.bridgesMulticast && (isActive || spec.bridgesInStandby);
    return isFree ? undefined : new Crossing(spec, isActive);
  }

  /** Whether the frame may cross at layer 2. */
  verdict(bytes: Uint8Array, frame: Frame): Verdict {
    if (!this.isOpen) return Drop.standbyNotBridged;
    const { start } = frame;
    const type = etherType(bytes, start);
    if (type !== EtherType.ipv4 && type !== EtherType.arp) {
      const isIpv6 = type === EtherType.ipv6;
      if (isIpv6 ? this.isOpaque : !this.#bridgesAll) return Drop.trafficNotBridged;
    }
    if ((bytes[start]! & GROUP_BIT) === 0) return this.isOpaque ? Drop.unknownDestination : FORWARD;
    if (this.#bridgesMulticast) return FORWARD;
    const isBroadcast =
      macHigh16(bytes, start + ETHERNET_DESTINATION) === 0xffff && macLow32(bytes, start + ETHERNET_DESTINATION) === -1;
    return isBroadcast ? FORWARD : Drop.multicastNotBridged;
  }

  /** Makes the frame what the other side shall see; `groupHigh`, `groupLow`: the MAC of the group. */
  rewrite(bytes: Uint8Array, frame: Frame, groupHigh: number, groupLow: number): void {
    if (this.isTranslucent) toggle(bytes, frame);
    else if (this.isOpaque) hide(bytes, frame, groupHigh, groupLow);
  }
}

function toggle(bytes: Uint8Array, frame: Frame): void {
  const { start, end } = frame;
  if ((bytes[start]! & GROUP_BIT) === 0) bytes[start]! ^= LOCAL_BIT;
  bytes[start + ETHERNET_SOURCE]! ^= LOCAL_BIT;
  const type = etherType(bytes, start);
  const payload = start + ETHERNET_HEADER_OCTETS;
  if (type === EtherType.arp) {
    if (checkArp(bytes, payload, end) === FORWARD) toggleArpMacs(bytes, payload);
  } else if (type === EtherType.ipv6) {
    // An unfinished checksum has no payload summed yet: there is nothing in it to correct.
    toggleLinkLayerOptions(bytes, payload, end, frame.checksumStart === 0);
  }
}

function hide(bytes: Uint8Array, frame: Frame, groupHigh: number, groupLow: number): void {
  const { start, end } = frame;
  writeMac(bytes, start + ETHERNET_SOURCE, groupHigh, groupLow);
  if (etherType(bytes, start) !== EtherType.arp) return;
  const arp = start + ETHERNET_HEADER_OCTETS;
  if (checkArp(bytes, arp, end) === FORWARD) writeMac(bytes, arp + ARP_SENDER_MAC, groupHigh, groupLow);
}
