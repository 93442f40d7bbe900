// Neighbours in the data plane: asks for them by ARP or neighbour discovery, finds the way to them, and keeps what waits for them.

import { type Domain, type Member, MemberKind } from '../../bridge/domain.ts';
import { FdbField, type ForwardingDatabase } from '../../bridge/fdb.ts';
import { type AddressWords, wordsAreIpv6 } from '../../core/address.ts';
import { Drop } from '../../core/drop-reason.ts';
import type { Frame, FrameBatch } from '../../packet/frame.ts';
import { Book } from '../../pipeline/books.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import type { Outlet } from '../../pipeline/node.ts';
import { type Neighbour, NeighbourTable, type NeighbourUser } from '../../route/neighbour-table.ts';
import { ARP_OCTETS, ARP_REQUEST, writeArp } from '../../wire/arp.ts';
import type { Way } from '../../route/next-hop.ts';
import { ETHERNET_HEADER_OCTETS, EtherType, writeEthernet } from '../../wire/ethernet.ts';
import { groupMacHigh, groupMacLow } from '../../wire/group-mac.ts';
import {
  ALL_NODES,
  ND_PACKET_OCTETS,
  solicitedNodeOf,
  ND_PROBE_OCTETS,
  writeDuplicateAddressProbe,
  writeNeighbourSolicitation,
  writeUnsolicitedAdvertisement,
} from '../../wire/icmpv6.ts';
import type { LocalAddresses } from './local-addresses.ts';

/** Takes back packets that have waited for a neighbour on a route; their `egress` is -1. */
export interface WaitingRouted {
  resume(frame: Frame, neighbour: Neighbour): void;
  giveUp(frame: Frame): void;
}

const NO_SOURCE: AddressWords = [0, 0, 0, 0];
const BROADCAST_HIGH = 0xffff;
const BROADCAST_LOW = -1;
/** The sender of a probe. */
const NOBODY = 0;
/** A neighbour that somebody looks for is asked at most so often, and kept so long after they did it last. */
const SEEK_MS = 900;
const SOUGHT_MS = 60_000;

/** The member that every frame into the domain leaves by, if there is only one. */
const onlyOf = ({ members }: Domain): Member | undefined => (members.length === 1 ? members[0] : undefined);

export class NeighbourService {
  readonly table: NeighbourTable;
  readonly #domains: ReadonlyMap<number, Domain>;
  readonly #members: readonly (Member | undefined)[];
  readonly #fdb: ForwardingDatabase;
  readonly #addresses: LocalAddresses;
  readonly #disposal: Disposal;
  readonly #toFlood: FrameBatch;
  readonly #toEncapsulate: FrameBatch;
  /** Set by the owner, before anything is sent by a route. */
  routed: WaitingRouted | undefined;
  /** Neighbours whose whereabouts somebody wants to know, and when that was last. */
  readonly #sought = new Map<Neighbour, number>();

  constructor(
    domains: ReadonlyMap<number, Domain>,
    members: readonly (Member | undefined)[],
    fdb: ForwardingDatabase,
    addresses: LocalAddresses,
    disposal: Disposal,
    toFlood: FrameBatch,
    toEncapsulate: FrameBatch,
  ) {
    this.#domains = domains;
    this.#members = members;
    this.#fdb = fdb;
    this.#addresses = addresses;
    this.#disposal = disposal;
    this.#toFlood = toFlood;
    this.#toEncapsulate = toEncapsulate;
    this.table = new NeighbourTable({
      ask: (neighbour) => this.#ask(neighbour),
      resolved: (neighbour) => this.#releaseWaiting(neighbour),
      giveUp: (neighbour) => this.#dropWaiting(neighbour),
    });
  }

  /** Repeats requests, and follows stations that the bridge has heard behind another member; a few times a second. */
  tick(nowMs: number): void {
    this.table.tick(nowMs);
    for (const neighbour of this.table.all()) {
      if (neighbour.isResolved && this.#followStation(neighbour)) this.table.changed(neighbour);
    }
    for (const [neighbour, sinceMs] of this.#sought) {
      if (nowMs - sinceMs < SOUGHT_MS) continue;
      this.#sought.delete(neighbour);
      this.table.release(neighbour);
    }
  }

  /**
   * Asks for a neighbour on behalf of somebody who wants to know where it is, and sends it nothing. All stations of the domain are
   * asked also when one has answered before: it may have moved without a word.
   */
  seek(domain: number, address: AddressWords, nowMs: number): void {
    const place = this.#domains.get(domain);
    if (place === undefined) return;
    const neighbour = this.obtain(domain, address);
    const beforeMs = this.#sought.get(neighbour) ?? -Infinity;
    if (nowMs - beforeMs < SEEK_MS) return;
    this.#sought.set(neighbour, nowMs);
    if (neighbour.isResolved) this.#askFor(neighbour, place, undefined);
    else this.table.need(neighbour, nowMs);
  }

  /** A neighbour for whoever sends packets to it; asked for on behalf of the self IP that is nearest to it. */
  obtain(domain: number, address: AddressWords): Neighbour {
    const source = this.#addresses.sourceFor(domain, address, wordsAreIpv6(address));
    return this.table.obtain(domain, address, source ?? NO_SOURCE);
  }

  /** The way of packets to a resolved neighbour; undefined while there is none. */
  wayTo(neighbour: Neighbour): Way | undefined {
    const domain = this.#domains.get(neighbour.domain);
    if (domain === undefined) return undefined;
    this.#followStation(neighbour);
    const { macHigh, macLow } = domain;
    const member = neighbour.member === -1 ? onlyOf(domain) : this.#members[neighbour.member];
    if (member !== undefined) {
      if (!member.enabled || !member.hasPort) return undefined;
      const { outlet, id, mtu } = member;
      const isTunnel = member.kind === MemberKind.tunnel;
      return { outlet, member: id, isTunnel, endpoint: neighbour.endpoint, mtu, macHigh, macLow };
    }
    if (domain.members.length === 0) return undefined;
    // Nobody has heard the station yet: the bridge floods what is sent to it.
    const flood: Outlet = { push: (frame) => this.#flood(frame, domain) };
    const isTunnel = false;
    return { outlet: flood, member: domain.localMember, isTunnel, endpoint: -1, mtu: domain.mtu, macHigh, macLow };
  }

  #flood(frame: Frame, domain: Domain): void {
    frame.member = domain.localMember;
    this.#toFlood.push(frame);
  }

  /** To be called by a user of a neighbour that goes: what waits for nobody else is dropped. */
  leave(neighbour: Neighbour, user: NeighbourUser): void {
    const at = neighbour.users.indexOf(user);
    if (at !== -1) neighbour.users.splice(at, 1);
    if (neighbour.users.length === 0) this.#dropWaiting(neighbour);
    this.table.release(neighbour);
  }

  /**
   * Tells switches and neighbours where our addresses, or one of them, now live (RFC 5227, section 2.3; RFC 4861, 7.2.6),
   * behind a probe that makes another station which has the address say so (RFC 5227, section 2.1.1; RFC 4862, section 5.4.2).
   */
  announce(domain: Domain, only?: string): void {
    if (!domain.hasLocal) return;
    for (const { name, words, isIpv6 } of this.#addresses.of(domain.id)) {
      if ((only ?? name) !== name) continue;
      if (isIpv6) {
        this.#probe(domain, words);
        this.#advertise(domain, words);
      } else {
        this.#sendArp(domain, NOBODY, words[3], undefined);
        this.#sendArp(domain, words[3], words[3], undefined);
      }
    }
  }

  /** Drops what waits to leave by a member that goes away. */
  dropWaitingOf(member: number): void {
    if (this.#disposal.books[Book.held] === 0) return;
    for (const neighbour of this.table.all()) {
      for (let index = neighbour.waiting.length - 1; index >= 0; index--) {
        const frame = neighbour.waiting[index]!;
        if (frame.egress !== member && (frame.egress !== -1 || frame.member !== member)) continue;
        neighbour.waiting.splice(index, 1);
        this.#disposal.books[Book.held]! -= 1;
        this.#disposal.drop(frame, Drop.memberDown, 0);
      }
    }
  }

  #stationMember(neighbour: Neighbour): Member | undefined {
    const entry = this.#fdb.find(neighbour.domain, neighbour.macHigh, neighbour.macLow);
    return entry === -1 ? undefined : this.#members[this.#fdb.memberAt(entry)];
  }

  #stationEndpoint(neighbour: Neighbour): number {
    const entry = this.#fdb.find(neighbour.domain, neighbour.macHigh, neighbour.macLow);
    return entry === -1 ? -1 : this.#fdb.table[entry + FdbField.endpoint]!;
  }

  /** Notes where the bridge has last heard the neighbour's station; true when the way to it is to be built anew. */
  #followStation(neighbour: Neighbour): boolean {
    const member = this.#stationMember(neighbour);
    if (member === undefined) return neighbour.waiting.length > 0;
    const endpoint = this.#stationEndpoint(neighbour);
    if (member.id === neighbour.member && endpoint === neighbour.endpoint) return neighbour.waiting.length > 0;
    neighbour.member = member.id;
    neighbour.endpoint = endpoint;
    return true;
  }

  #ask(neighbour: Neighbour): void {
    const domain = this.#domains.get(neighbour.domain);
    if (domain !== undefined) this.#askFor(neighbour, domain, neighbour.isResolved ? neighbour : undefined);
  }

  /** `known`: where it is, which alone is asked; undefined: all are. */
  #askFor(neighbour: Neighbour, domain: Domain, known: Neighbour | undefined): void {
    const { address } = neighbour;
    const source = this.#sourceOf(neighbour);
    if (neighbour.isIpv6) this.#solicit(domain, source, address, known);
    else this.#sendArp(domain, source[3], address[3], known);
  }

  /** The address on whose behalf a neighbour is asked for: self IPs come and go. */
  #sourceOf({ domain, source, address, isIpv6 }: Neighbour): AddressWords {
    const isOurs = isIpv6 ? this.#addresses.hasIpv6(domain, ...source) : this.#addresses.hasIpv4(domain, source[3]);
    return isOurs ? source : (this.#addresses.sourceFor(domain, address, isIpv6) ?? source);
  }

  /** Sends an ARP request, to the neighbour alone when it is given and to the whole domain otherwise. */
  #sendArp(domain: Domain, source: number, target: number, neighbour: Neighbour | undefined): void {
    const { pool } = this.#disposal;
    const frame = pool.acquire(ETHERNET_HEADER_OCTETS + ARP_OCTETS);
    if (frame === undefined) return;
    const { bytes } = pool.arena;
    const high = neighbour?.macHigh ?? BROADCAST_HIGH;
    const low = neighbour?.macLow ?? BROADCAST_LOW;
    const arp = frame.start + ETHERNET_HEADER_OCTETS;
    writeEthernet(bytes, frame.start, high, low, domain.macHigh, domain.macLow, EtherType.arp);
    writeArp(bytes, arp, ARP_REQUEST, domain.macHigh, domain.macLow, source, 0, 0, target);
    frame.end = arp + ARP_OCTETS;
    this.#originate(frame, domain, neighbour);
  }

  /** Sends a neighbour solicitation, to the neighbour alone when it is given and to its group otherwise. */
  #solicit(domain: Domain, source: AddressWords, target: AddressWords, neighbour: Neighbour | undefined): void {
    const { pool } = this.#disposal;
    const frame = pool.acquire(ETHERNET_HEADER_OCTETS + ND_PACKET_OCTETS);
    if (frame === undefined) return;
    const { bytes, words } = pool.arena;
    const { macHigh, macLow } = domain;
    const destination = neighbour === undefined ? solicitedNodeOf(target) : target;
    const high = neighbour?.macHigh ?? groupMacHigh(destination);
    const low = neighbour?.macLow ?? groupMacLow(destination);
    const ip = frame.start + ETHERNET_HEADER_OCTETS;
    writeEthernet(bytes, frame.start, high, low, macHigh, macLow, EtherType.ipv6);
    writeNeighbourSolicitation(bytes, words, ip, source, destination, target, macHigh, macLow);
    frame.end = ip + ND_PACKET_OCTETS;
    this.#originate(frame, domain, neighbour);
  }

  #probe(domain: Domain, address: AddressWords): void {
    const { pool } = this.#disposal;
    const frame = pool.acquire(ETHERNET_HEADER_OCTETS + ND_PROBE_OCTETS);
    if (frame === undefined) return;
    const { bytes, words } = pool.arena;
    const ip = frame.start + ETHERNET_HEADER_OCTETS;
    const group = solicitedNodeOf(address);
    const [high, low] = [groupMacHigh(group), groupMacLow(group)];
    writeEthernet(bytes, frame.start, high, low, domain.macHigh, domain.macLow, EtherType.ipv6);
    writeDuplicateAddressProbe(bytes, words, ip, address);
    frame.end = ip + ND_PROBE_OCTETS;
    this.#originate(frame, domain, undefined);
  }

  #advertise(domain: Domain, address: AddressWords): void {
    const { pool } = this.#disposal;
    const frame = pool.acquire(ETHERNET_HEADER_OCTETS + ND_PACKET_OCTETS);
    if (frame === undefined) return;
    const { bytes, words } = pool.arena;
    const { macHigh, macLow } = domain;
    const ip = frame.start + ETHERNET_HEADER_OCTETS;
    const [high, low] = [groupMacHigh(ALL_NODES), groupMacLow(ALL_NODES)];
    writeEthernet(bytes, frame.start, high, low, macHigh, macLow, EtherType.ipv6);
    writeUnsolicitedAdvertisement(bytes, words, ip, address, macHigh, macLow);
    frame.end = ip + ND_PACKET_OCTETS;
    this.#originate(frame, domain, undefined);
  }

  /** Sends a frame that was made here, by the member behind which the neighbour is, or by all of them. */
  #originate(frame: Frame, domain: Domain, neighbour: Neighbour | undefined): void {
    frame.member = domain.localMember;
    this.#disposal.books[Book.originated]! += 1;
    const member = neighbour === undefined || neighbour.member === -1 ? undefined : this.#members[neighbour.member];
    if (member === undefined) {
      this.#toFlood.push(frame);
    } else {
      frame.egress = member.id;
      member.outlet.push(frame);
    }
  }

  #releaseWaiting(neighbour: Neighbour): void {
    // They are no longer copies that wait but frames on their way: the scheduler takes them in this breath.
    for (const frame of this.#takeWaiting(neighbour)) {
      if (frame.egress === -1) this.routed!.resume(frame, neighbour);
      else this.#toEncapsulate.push(frame);
    }
  }

  #dropWaiting(neighbour: Neighbour): void {
    for (const frame of this.#takeWaiting(neighbour)) {
      if (frame.egress === -1) this.routed!.giveUp(frame);
      else this.#disposal.drop(frame, Drop.neighbourUnresolved, this.#members[frame.egress]?.row ?? 0);
    }
  }

  /** What waits, which is then no longer held: what is done with it may make other packets wait for the same neighbour. */
  #takeWaiting({ waiting }: Neighbour): Frame[] {
    this.#disposal.books[Book.held]! -= waiting.length;
    return waiting.splice(0);
  }
}
