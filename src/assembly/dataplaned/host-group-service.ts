// Asks the host which multicast groups its sockets have joined on the devices of the host path, and hears what it says.
//
// Towards the host this is the querier of the link; towards the network the groups are joined by group-service.ts, together with
// those of tunnels, so that a VLAN hears of each group once.

import type { AddressWords } from '../../core/address.ts';
import { FORWARD } from '../../core/drop-reason.ts';
import { Book } from '../../pipeline/books.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import { HostGroups, QUERY_SECONDS } from '../../route/host-groups.ts';
import { ETHERNET_HEADER_OCTETS, EtherType, writeEthernet } from '../../wire/ethernet.ts';
import {
  type GroupRecord,
  IGMP_GENERAL_QUERY_OCTETS,
  MLD_GENERAL_QUERY_OCTETS,
  readIgmpRecords,
  readMldRecords,
  writeIgmpGeneralQuery,
  writeMldGeneralQuery,
} from '../../wire/group-records.ts';
import { groupMacHigh, groupMacLow } from '../../wire/group-mac.ts';
import { checkIgmp } from '../../wire/igmp.ts';
import { IPV6_HEADER_OCTETS, ipv6PayloadOctets } from '../../wire/ipv6.ts';
import { checkMld } from '../../wire/mld.ts';
import { ipv4HeaderOctets, ipv4TotalOctets } from '../../wire/ipv4.ts';
import type { PortSlot } from './port-slot.ts';
import type { HostPathSpec } from './spec.ts';

const ALL_SYSTEMS: AddressWords = [0, 0, 0, 0xe000_0001 | 0];
const ALL_NODES: AddressWords = [0xff02_0000 | 0, 0, 0, 1];
/** fe80::1, the gateway that the host sees (src/supervise/host-path.ts). */
const GATEWAY: AddressWords = [0xfe80_0000 | 0, 0, 0, 1];

export class HostGroupService {
  readonly groups = new HostGroups();
  readonly #disposal: Disposal;
  readonly #slots: readonly (PortSlot | undefined)[];
  /** When each domain was asked last. */
  readonly #asked = new Map<number, number>();

  constructor(slots: readonly (PortSlot | undefined)[], disposal: Disposal) {
    this.#slots = slots;
    this.#disposal = disposal;
  }

  /** A few times a second: asks those whose turn it is, and forgets what was not named. */
  tick(paths: readonly (HostPathSpec | undefined)[], second: number): void {
    for (const path of paths) {
      const slot = path === undefined ? undefined : this.#slots[path.port];
      if (path === undefined || slot?.port.isUp !== true) continue;
      if (second - (this.#asked.get(path.domain) ?? -Infinity) < QUERY_SECONDS) continue;
      this.#asked.set(path.domain, second);
      this.#ask(path, slot, ALL_SYSTEMS, EtherType.ipv4, IGMP_GENERAL_QUERY_OCTETS);
      this.#ask(path, slot, ALL_NODES, EtherType.ipv6, MLD_GENERAL_QUERY_OCTETS);
    }
    this.groups.tick(second);
  }

  forgetDomain(domain: number): void {
    this.#asked.delete(domain);
    this.groups.forgetDomain(domain);
  }

  /** Hears the checked IPv4 packet at `ip`, of protocol IGMP. */
  hearIgmp(ip: number, domain: number, second: number): void {
    const { bytes } = this.#disposal.pool.arena;
    const start = ip + ipv4HeaderOctets(bytes, ip);
    const end = ip + ipv4TotalOctets(bytes, ip);
    if (checkIgmp(bytes, start, end) === FORWARD) this.#note(readIgmpRecords(bytes, start, end), domain, second);
  }

  /** Hears the MLD message whose ICMPv6 header is at `start`. */
  hearMld(ip: number, start: number, domain: number, second: number): void {
    const { bytes, words } = this.#disposal.pool.arena;
    const end = ip + IPV6_HEADER_OCTETS + ipv6PayloadOctets(bytes, ip);
    if (checkMld(bytes, words, ip, start) === FORWARD) this.#note(readMldRecords(bytes, start, end), domain, second);
  }

  #note(records: readonly GroupRecord[], domain: number, second: number): void {
    for (const { group, listens } of records) this.groups.heard(domain, group, listens, second);
  }

  #ask({ ownMac }: HostPathSpec, slot: PortSlot, group: AddressWords, type: number, octets: number): void {
    const { pool, books } = this.#disposal;
    const frame = pool.acquire(ETHERNET_HEADER_OCTETS + octets);
    if (frame === undefined) return;
    const { bytes, words } = pool.arena;
    const ip = frame.start + ETHERNET_HEADER_OCTETS;
    writeEthernet(bytes, frame.start, groupMacHigh(group), groupMacLow(group), ownMac.high, ownMac.low, type);
    if (type === EtherType.ipv4) writeIgmpGeneralQuery(bytes, ip);
    else writeMldGeneralQuery(bytes, words, ip, GATEWAY);
    frame.end = ip + octets;
    books[Book.originated]! += 1;
    slot.push(frame);
  }
}
