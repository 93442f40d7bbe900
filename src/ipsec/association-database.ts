// The security association database (RFC 4301, section 4.4.2): by SPI for what comes in, by policy for what goes out.

import { AddressMap } from '../core/address-map.ts';
import { InboundSa } from './inbound-sa.ts';
import { OutboundSa } from './outbound-sa.ts';
import { selectors } from './packet-selectors.ts';
import type { SecurityAssociationSpec } from './security-association.ts';

/** An SA and its place among policies. */
export type AssociationSpec = {
  readonly id: number;
  readonly name: string;
  /** Of its counters. */
  readonly row: number;
  readonly routeDomain: number;
  readonly policy: number;
  /**
   * In modes with two gateways: whether packets of the policy leave by it, rather than come in. In transport mode its ends say it.
   */
  readonly sends: boolean;
  /** In interface mode: the bridge member that is the tunnel; -1: another mode. */
  readonly tunnel: number;
  /** Handle of its keys, and the second of the calendar in which they were opened (OutboundSa.ivOffset). */
  readonly key: number;
  readonly openedSecond: number;
  readonly sa: SecurityAssociationSpec;
};

export class Association {
  readonly spec: AssociationSpec;
  readonly inbound: InboundSa;
  readonly outbound: OutboundSa;
  /** The association of the other way between the same ends, the newest, whose peer may be found at another port than it said. */
  reverse: Association | undefined;
  /** The largest packets of IPv4 and IPv6 that can leave by it without being cut, and the state of affairs in which that was so. */
  innerMtu4 = 0;
  innerMtu6 = 0;
  pathVersion = -1;

  /** `before`: goes on where that one was, which has the same keys. */
  constructor(spec: AssociationSpec, nowMs: number, before?: Association) {
    this.spec = spec;
    this.inbound = before?.inbound ?? new InboundSa(spec.sa, spec.key, nowMs);
    this.outbound = before?.outbound ?? new OutboundSa(spec.sa, spec.key, nowMs);
    this.outbound.ivOffset = spec.openedSecond;
  }
}

export class AssociationDatabase {
  readonly #byId: (Association | undefined)[] = [];
  /** By protocol and route domain; then by SPI and destination. */
  readonly #inbound = new Map<number, AddressMap>();
  /** By policy, the newest first. */
  readonly #byPolicy: (Association[] | undefined)[] = [];
  /** By route domain and ends, the newest last. */
  readonly #byEnds = new Map<string, Association[]>();
  /** How many receive behind UDP. */
  udpUsers = 0;
  size = 0;
  /** Grows with every change. */
  version = 0;

  /** Adds an association; one of the same id goes, and with the same keys this one goes on where that was. */
  set(spec: AssociationSpec, nowMs: number): Association {
    const before = this.remove(spec.id);
    const association = new Association(spec, nowMs, before?.spec.key === spec.key ? before : undefined);
    this.#byId[spec.id] = association;
    this.size += 1;
    const { sa, routeDomain, policy } = spec;
    if (sa.udpDestinationPort !== 0) this.udpUsers += 1;
    const place = placeOf(sa.protocol, routeDomain);
    let map = this.#inbound.get(place);
    if (map === undefined) this.#inbound.set(place, (map = new AddressMap()));
    map.set(sa.spi | 0, ...sa.destination, spec.id);
    (this.#byPolicy[policy] ??= []).unshift(association);
    this.#pair(association);
    return association;
  }

  remove(id: number): Association | undefined {
    const association = this.#byId[id];
    if (association === undefined) return undefined;
    this.#byId[id] = undefined;
    this.size -= 1;
    const { sa, routeDomain, policy } = association.spec;
    if (sa.udpDestinationPort !== 0) this.udpUsers -= 1;
    const map = this.#inbound.get(placeOf(sa.protocol, routeDomain))!;
    // A successor may have taken the SPI over.
    if (map.get(sa.spi | 0, ...sa.destination) === id) map.delete(sa.spi | 0, ...sa.destination);
    const list = this.#byPolicy[policy]!;
    list.splice(list.indexOf(association), 1);
    this.#unpair(association);
    return association;
  }

  get(id: number): Association | undefined {
    return this.#byId[id];
  }

  *all(): Generator<Association, void> {
    for (const association of this.#byId) if (association !== undefined) yield association;
  }

  /** What packets with this SPI to this address come by; undefined: nothing. */
  findInbound(
    protocol: number,
    routeDomain: number,
    spi: number,
    word0: number,
    word1: number,
    word2: number,
    word3: number,
  ): Association | undefined {
    const id = this.#inbound.get(placeOf(protocol, routeDomain))?.get(spi, word0, word1, word2, word3) ?? -1;
    return id === -1 ? undefined : this.#byId[id];
  }

  /** What the packet in `selectors` (packet-selectors.ts) leaves by; in transport mode that is between its own addresses. */
  findOutbound(policy: number): Association | undefined {
    const list = this.#byPolicy[policy];
    if (list === undefined) return undefined;
    for (let index = 0; index < list.length; index++) {
      const association = list[index]!;
      const { sa, sends } = association.spec;
      if (sa.isTunnel ? sends : isBetween(sa)) return association;
    }
    return undefined;
  }

  #pair(association: Association): void {
    this.version += 1;
    const ends = endsOf(association, false);
    const known = this.#byEnds.get(ends);
    if (known === undefined) this.#byEnds.set(ends, [association]);
    else known.push(association);
    const others = this.#byEnds.get(endsOf(association, true)) ?? [];
    association.reverse = others.at(-1);
    for (const other of others) other.reverse = association;
  }

  #unpair(association: Association): void {
    this.version += 1;
    const ends = endsOf(association, false);
    const left = this.#byEnds.get(ends)!;
    left.splice(left.indexOf(association), 1);
    if (left.length === 0) this.#byEnds.delete(ends);
    for (const other of this.#byEnds.get(endsOf(association, true)) ?? []) {
      if (other.reverse === association) other.reverse = left.at(-1);
    }
  }
}

const placeOf = (protocol: number, routeDomain: number): number => routeDomain * 256 + protocol;

function endsOf({ spec: { sa, routeDomain } }: Association, isReverse: boolean): string {
  const [source, destination] = isReverse ? [sa.destination, sa.source] : [sa.source, sa.destination];
  return `${routeDomain} ${source.join(' ')} ${destination.join(' ')}`;
}

function isBetween({ source, destination }: SecurityAssociationSpec): boolean {
  const packet = selectors;
  return (
    destination[3] === packet.destination3 &&
    source[3] === packet.source3 &&
    destination[2] === packet.destination2 &&
    source[2] === packet.source2 &&
    destination[1] === packet.destination1 &&
    source[1] === packet.source1 &&
    destination[0] === packet.destination0 &&
    source[0] === packet.source0
  );
}
