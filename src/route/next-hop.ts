// A next hop: the station that a packet is handed to on its way, with the Ethernet header prepared for it.
//
// What does not change from packet to packet is rendered once, as little-endian words in the order in which they lie in
// memory, and rendered anew when the neighbour or the way to it changes. A layer 3 tunnel is a next hop without a neighbour.

import type { AddressWords } from '../core/address.ts';
import type { Arena } from '../packet/arena.ts';
import type { Frame } from '../packet/frame.ts';
import type { Outlet } from '../pipeline/node.ts';
import { ETHERNET_HEADER_OCTETS, EtherType, writeEthernet } from '../wire/ethernet.ts';
import type { Neighbour, NeighbourUser } from './neighbour-table.ts';

/** How a packet leaves to a neighbour. */
export type Way = {
  outlet: Outlet;
  /** Bridge member that it leaves by, or that of ourselves where it is flooded. */
  member: number;
  /** Whether the member is a tunnel, and which of its endpoints leads there; -1: the tunnel's own remote. */
  isTunnel: boolean;
  endpoint: number;
  /** Largest IP packet, in octets. */
  mtu: number;
  /** Our own MAC there. */
  macHigh: number;
  macLow: number;
};

/** Finds the way to a neighbour; undefined while there is none. */
export type WayFinder = (neighbour: Neighbour) => Way | undefined;

/** Told when the way to a next hop has changed, or whether there is one. */
export interface NextHopUser {
  nextHopChanged(): void;
}

export class NextHop implements NeighbourUser {
  // What every packet looks at stands together.
  isReady = false;
  outlet: Outlet | undefined;
  egress = -1;
  endpoint = -1;
  mtu = 0;
  /** Second in which the last packet took it. */
  usedSecond = 0;
  /** Whether it has been forgotten: nothing may wait for it any more. */
  isGone = false;
  isTunnel = false;
  #word0 = 0;
  #word1 = 0;
  #word2 = 0;
  #word3 = 0;
  readonly domain: number;
  readonly address: AddressWords;
  /** undefined: a layer 3 tunnel, which takes packets as they are. */
  readonly neighbour: Neighbour | undefined;
  /** Routes that lead by it; none for a host that packets have been sent to directly. */
  readonly users: NextHopUser[] = [];
  readonly #findWay: WayFinder;
  /** Our own MAC there. */
  macHigh = 0;
  macLow = 0;

  constructor(domain: number, address: AddressWords, neighbour: Neighbour | undefined, findWay: WayFinder) {
    this.domain = domain;
    this.address = address;
    this.neighbour = neighbour;
    this.#findWay = findWay;
  }

  neighbourChanged(neighbour: Neighbour): void {
    const way = neighbour.isResolved ? this.#findWay(neighbour) : undefined;
    this.isReady = way !== undefined;
    if (way !== undefined) {
      this.outlet = way.outlet;
      this.egress = way.member;
      this.endpoint = way.endpoint;
      this.mtu = way.mtu;
      this.macHigh = way.macHigh;
      this.macLow = way.macLow;
      this.isTunnel = way.isTunnel;
      this.#prepare(neighbour);
    }
    for (const user of this.users) user.nextHopChanged();
  }

  #prepare({ macHigh, macLow, isIpv6 }: Neighbour): void {
    const source = this.macLow;
    const type = isIpv6 ? EtherType.ipv6 : EtherType.ipv4;
    this.#word0 = swap16(macHigh) << 16;
    this.#word1 = swap32(macLow);
    this.#word2 = swap16(this.macHigh) | (swap16(source >>> 16) << 16);
    this.#word3 = swap16(source & 0xffff) | (swap16(type) << 16);
  }

  /** Puts the Ethernet header in front of a packet. The caller has checked the headroom. */
  prepend(arena: Arena, frame: Frame): void {
    const { neighbour } = this;
    if (neighbour === undefined) return;
    const { bytes, words } = arena;
    const packet = frame.start;
    const start = packet - ETHERNET_HEADER_OCTETS;
    frame.start = start;
    if ((packet & 3) === 0 && start - 2 >= frame.headroomStart) {
      // Two octets in front of the frame are headroom, and may be anything.
      const at = packet >> 2;
      words[at - 4] = this.#word0;
      words[at - 3] = this.#word1;
      words[at - 2] = this.#word2;
      words[at - 1] = this.#word3;
    } else if ((start & 3) === 0) {
      const at = start >> 2;
      words[at] = (this.#word0 >>> 16) | (this.#word1 << 16);
      words[at + 1] = (this.#word1 >>> 16) | (this.#word2 << 16);
      words[at + 2] = (this.#word2 >>> 16) | (this.#word3 << 16);
      bytes[packet - 2] = this.#word3 >>> 16;
      bytes[packet - 1] = this.#word3 >>> 24;
    } else {
      const type = neighbour.isIpv6 ? EtherType.ipv6 : EtherType.ipv4;
      writeEthernet(bytes, start, neighbour.macHigh, neighbour.macLow, this.macHigh, this.macLow, type);
    }
  }
}

const swap16 = (value: number): number => ((value & 0xff) << 8) | ((value >>> 8) & 0xff);
const swap32 = (value: number): number => (swap16(value & 0xffff) << 16) | swap16(value >>> 16);
