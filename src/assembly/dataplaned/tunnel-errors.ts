// ICMP errors about packets that our tunnels have sent: what they say of the path to the other end.
//
//   1. the quoted packet comes from an address and service that tunnels of ours listen to: otherwise it is not for us
//   2. a tunnel sends such packets: to that end, from its range of ports, with its key as far as it is quoted, not to be
//      fragmented, no larger than it may, and it has sent some lately; otherwise the error is forged, or too late
//   3. the MTU that it names makes sense, and is less than what was known
//   4. every tunnel to that end then carries less, until ten minutes have passed without such an error
//
// What is believed can make a tunnel slower, never faster. How often an error is looked at is bounded.

import { Drop, FORWARD, type Verdict } from '../../core/drop-reason.ts';
import { read32 } from '../../core/octets.ts';
import type { Arena } from '../../packet/arena.ts';
import { ErrorLimiter } from '../../route/error-limiter.ts';
import { type PathEnd, PathMtuTable, plausibleMtuV4, plausibleMtuV6 } from '../../route/path-mtu.ts';
import type { TunnelEndpoint } from '../../tunnel/endpoint.ts';
import { tunnelOverhead } from '../../tunnel/overhead.ts';
import { protocolService, udpService } from '../../tunnel/service.ts';
import { TunnelKind } from '../../tunnel/tunnel.ts';
import { VLAN_TAG_OCTETS } from '../../wire/ethernet.ts';
import { GreFlag, greFlags, greKey } from '../../wire/gre.ts';
import { IcmpError, quoted } from '../../wire/icmp-error.ts';
import { IpProtocol, ipv4Destination, ipv4DontFragment, ipv4Source, ipv4Ttl } from '../../wire/ipv4.ts';
import { IPV6_DESTINATION, IPV6_SOURCE, ipv6HopLimit } from '../../wire/ipv6.ts';
import { nvgreVsid } from '../../wire/nvgre.ts';
import { UDP_HEADER_OCTETS, udpDestinationPort, udpSourcePort } from '../../wire/udp.ts';
import { VXLAN_HEADER_OCTETS, vxlanVni } from '../../wire/vxlan.ts';
import type { EndpointTable } from './endpoint-table.ts';
import type { LocalAddresses } from './local-addresses.ts';

/** What `hear` says of an error that is about no packet of a tunnel. */
export const NOT_OF_A_TUNNEL = -1;

/** Only what a tunnel sent this lately can come back. */
const RECENT_SECONDS = 10;
/** Errors a second that are looked at; with thousands of tunnels each look takes a while. */
const HEARD = { perSecond: 50, burst: 50 };

export class TunnelErrors {
  readonly #addresses: LocalAddresses;
  readonly #endpoints: EndpointTable;
  readonly #paths: PathMtuTable;
  readonly #bytes: Uint8Array;
  readonly #limiter = new ErrorLimiter(HEARD, HEARD);

  constructor(addresses: LocalAddresses, endpoints: EndpointTable, paths: PathMtuTable, arena: Arena) {
    this.#addresses = addresses;
    this.#endpoints = endpoints;
    this.#paths = paths;
    this.#bytes = arena.bytes;
  }

  /** Takes the error that `quoted` holds, which was sent to an address of the domain `owner`. */
  hear(owner: number, routeDomain: number, nowMs: number): Verdict | typeof NOT_OF_A_TUNNEL {
    const bytes = this.#bytes;
    const { ipStart, isIpv4, error, mtu: named, packetOctets } = quoted;
    const service = this.#service();
    if (service === -1) return NOT_OF_A_TUNNEL;
    const local = isIpv4 ? v4Words(ipv4Source(bytes, ipStart)) : wordsAt(bytes, ipStart + IPV6_SOURCE);
    if (this.#addresses.listener(owner, ...local, service) === -1) return NOT_OF_A_TUNNEL;
    if (error !== IcmpError.tooBig) return FORWARD;
    const mtu = isIpv4 ? plausibleMtuV4(named, packetOctets) : plausibleMtuV6(named, packetOctets);
    if (mtu === 0 || !this.#limiter.allows(0, 0, 0, 0, nowMs)) return Drop.icmpErrorRefused;
    const remote = isIpv4 ? v4Words(ipv4Destination(bytes, ipStart)) : wordsAt(bytes, ipStart + IPV6_DESTINATION);
    const end = { routeDomain, words: remote };
    const second = Math.floor(nowMs / 1000);
    const sender = this.#find(end, (endpoint) => this.#hasSent(endpoint, local, service, second));
    if (sender === undefined) return Drop.icmpErrorRefused;
    if (this.#paths.lower(end, mtu, nowMs)) this.#settle(end);
    return FORWARD;
  }

  /** Forgets what is too old; a few times a second. */
  tick(nowMs: number): void {
    if (this.#paths.size === 0) return;
    for (const end of this.#paths.expire(nowMs)) this.#settle(end);
  }

  #settle(end: PathEnd): void {
    this.#find(end, (endpoint) => {
      this.#endpoints.settleMtu(endpoint);
      return false;
    });
  }

  /** The first endpoint at this end of which that is true. */
  #find(end: PathEnd, isIt: (endpoint: TunnelEndpoint) => boolean): TunnelEndpoint | undefined {
    for (const endpoint of this.#endpoints.endpoints) {
      if (endpoint === undefined || !sameWords(endpoint.remote, end.words)) continue;
      if ((endpoint.tunnel.spec.routeDomain ?? 0) === end.routeDomain && isIt(endpoint)) return endpoint;
    }
    return undefined;
  }

  /** UDP port or IP protocol of the quoted packet, as in service.ts; -1: no tunnel has such a one. */
  #service(): number {
    const { protocol, upperStart } = quoted;
    if (protocol === IpProtocol.udp) return udpService(udpDestinationPort(this.#bytes, upperStart));
    return protocol === IpProtocol.gre || protocol === IpProtocol.etherip ? protocolService(protocol) : -1;
  }

  /** Whether the quoted packet is one that this endpoint sends, from this local address to this service. */
  #hasSent(endpoint: TunnelEndpoint, local: Words, service: number, second: number): boolean {
    const bytes = this.#bytes;
    const { tunnel } = endpoint;
    const { spec } = tunnel;
    const { ipStart, isIpv4, packetOctets } = quoted;
    if (spec.service !== service || !spec.usesPathMtu || !sameWords(endpoint.local, local)) return false;
    if (second - endpoint.sentSecond > RECENT_SECONDS) return false;
    if (packetOctets > spec.mtu + tunnelOverhead(spec, tunnel.isIpv6) + VLAN_TAG_OCTETS) return false;
    if (isIpv4 && !ipv4DontFragment(bytes, ipStart)) return false;
    if ((isIpv4 ? ipv4Ttl(bytes, ipStart) : ipv6HopLimit(bytes, ipStart)) > spec.ttl) return false;
    return this.#hasKeyOf(endpoint);
  }

  /** Ports and key, as far as they are quoted. */
  #hasKeyOf({ tunnel }: TunnelEndpoint): boolean {
    const bytes = this.#bytes;
    const { upperStart: at, end } = quoted;
    const { kind, spec } = tunnel;
    if (kind === TunnelKind.vxlan) {
      const port = udpSourcePort(bytes, at);
      if (port < spec.sourcePortMin || port > spec.sourcePortMax) return false;
      const vxlan = at + UDP_HEADER_OCTETS;
      return end - vxlan < VXLAN_HEADER_OCTETS || vxlanVni(bytes, vxlan) === spec.key;
    }
    if (kind === TunnelKind.etherip) return true;
    const flags = greFlags(bytes, at);
    if ((flags & GreFlag.key) === 0) return spec.key === 0 && kind !== TunnelKind.nvgre;
    const keyEnd = at + ((flags & GreFlag.checksum) === 0 ? 8 : 12);
    if (keyEnd > end) return true;
    const key = greKey(bytes, at, flags);
    return kind === TunnelKind.nvgre ? nvgreVsid(key) === spec.key : key === (spec.key | 0);
  }
}

type Words = readonly [number, number, number, number];

const v4Words = (address: number): Words => [0, 0, 0, address];

const wordsAt = (bytes: Uint8Array, at: number): Words => [
  read32(bytes, at),
  read32(bytes, at + 4),
  read32(bytes, at + 8),
  read32(bytes, at + 12),
];

const sameWords = (a: Words, b: Words): boolean => a[3] === b[3] && a[2] === b[2] && a[1] === b[1] && a[0] === b[0];
