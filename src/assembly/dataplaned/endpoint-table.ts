// The endpoints of all tunnels, by index and by (tunnel, remote address), and what keeps their headers complete.
//
// An endpoint is ready when its next hop is known: at once behind a UDP socket or for a multicast group, and otherwise, by the
// routes of the route domain that its local address is in, after ARP or neighbour discovery. It lives as long as its tunnel, because FDB entries refer to it by number;
// how many there may be is bounded.

import { type AddressWords, wordsAreMulticast } from '../../core/address.ts';
import { AddressMap } from '../../core/address-map.ts';
import type { Domain } from '../../bridge/domain.ts';
import type { Outlet } from '../../pipeline/node.ts';
import type { Frame } from '../../packet/frame.ts';
import type { Neighbour } from '../../route/neighbour-table.ts';
import type { NextHop, NextHopUser } from '../../route/next-hop.ts';
import type { PathMtuTable } from '../../route/path-mtu.ts';
import { HEADER_WORDS, NO_LIMIT, TunnelEndpoint } from '../../tunnel/endpoint.ts';
import { tunnelOverhead } from '../../tunnel/overhead.ts';
import type { Tunnel } from '../../tunnel/tunnel.ts';
import { prepareEthernet, prepareSocket } from '../../tunnel/encapsulate.ts';
import { ETHERNET_HEADER_OCTETS } from '../../wire/ethernet.ts';
import { groupMacHigh, groupMacLow } from '../../wire/group-mac.ts';
import type { Protected, TunnelProtection } from './tunnel-protection.ts';

/** The way from a local address to its remote ends. */
export type Underlay =
  | { medium: 'udp' | 'raw-ip'; outlet: Outlet; cutsTunnelled: boolean }
  | {
      medium: 'ethernet';
      /** Where the local address lives, and how often its members had changed. */
      bridge: Domain;
      changes: number;
      macHigh: number;
      macLow: number;
      /** How often the routes of its route domain had changed. */
      routes: number;
      /** How often the policies and associations of IPsec had changed. */
      policies: number;
      /** The way to all that is on the domain, and the member that stands for ourselves there. */
      toGroup: { outlet: Outlet; member: number; mtu: number };
      /** The next hop to a remote address; undefined: no route leads there. */
      hopTo(remote: AddressWords): NextHop | undefined;
      /** To be called when the next hop is used no more. */
      letGo(hop: NextHop): void;
    };

type EthernetUnderlay = Extract<Underlay, { medium: 'ethernet' }>;

/** Endpoints that may be learned, over all tunnels: what an attacker with spoofed sources can make us remember. */
export const MAX_ENDPOINTS = 65_536;
/** Endpoints whose headers lie in one piece of memory. */
const ENDPOINTS_PER_SLAB = 8192;

class EndpointUser implements NextHopUser {
  readonly endpoint: TunnelEndpoint;
  readonly hop: NextHop;
  readonly underlay: EthernetUnderlay;
  readonly #paths: PathMtuTable;
  readonly #protected: Protected | undefined;

  constructor(
    endpoint: TunnelEndpoint,
    hop: NextHop,
    underlay: EthernetUnderlay,
    paths: PathMtuTable,
    protection: TunnelProtection | undefined,
  ) {
    this.#protected = protection?.of(endpoint);
    this.endpoint = endpoint;
    this.hop = hop;
    this.underlay = underlay;
    this.#paths = paths;
  }

  nextHopChanged(): void {
    const { endpoint, hop } = this;
    endpoint.isReady = hop.isReady;
    if (!hop.isReady) return;
    const { neighbour, macHigh, macLow } = hop;
    endpoint.outlet = hop.isTunnel ? { push: (frame) => this.#enterTunnel(frame) } : hop.outlet;
    endpoint.egress = hop.egress;
    endpoint.linkMtu = hop.mtu;
    if (this.#protected !== undefined) {
      endpoint.outlet = this.#protected.outlet;
      endpoint.linkMtu = Math.min(hop.mtu, this.#protected.mtu);
    }
    settleMtu(endpoint, this.#paths);
    prepareEthernet(endpoint, neighbour?.macHigh ?? 0, neighbour?.macLow ?? 0, macHigh, macLow);
  }

  /** Hands an outer frame on to the tunnel that carries this one; one of layer 3 takes the packet in it. */
  #enterTunnel(frame: Frame): void {
    const { hop } = this;
    if (hop.neighbour === undefined) frame.start += ETHERNET_HEADER_OCTETS;
    frame.endpoint = hop.endpoint;
    hop.outlet!.push(frame);
  }
}

/** The least that a tunnel carries, however little its path does: what IPv4 asks of every link (RFC 791). */
const LEAST_MTU = 68;

/** What may go to the endpoint, by the tunnel's own MTU, that of the link and what is known of the path. */
function settleMtu(endpoint: TunnelEndpoint, paths: PathMtuTable): void {
  const { tunnel, remote, linkMtu } = endpoint;
  const { spec } = tunnel;
  endpoint.mtu = spec.mtu;
  endpoint.outerMtu = linkMtu;
  if (!spec.usesPathMtu) return;
  endpoint.outerMtu = Math.min(linkMtu, paths.of({ routeDomain: spec.routeDomain ?? 0, words: remote }));
  const room = endpoint.outerMtu - tunnelOverhead(spec, tunnel.isIpv6);
  endpoint.mtu = Math.min(spec.mtu, Math.max(room, LEAST_MTU));
}

export class EndpointTable {
  readonly endpoints: (TunnelEndpoint | undefined)[] = [];
  /** Four words of remote address by endpoint, on shared memory: what `show` names endpoints by. */
  readonly remotes = new Int32Array(new SharedArrayBuffer(MAX_ENDPOINTS * 16));
  readonly #free: number[] = [];
  /** By tunnel index and remote address. */
  readonly #index = new AddressMap();
  readonly #headers: (Int32Array | undefined)[] = [];
  readonly #byTunnel = new Map<Tunnel, TunnelEndpoint[]>();
  readonly #users: (EndpointUser | undefined)[] = [];
  readonly #paths: PathMtuTable;

  readonly #protection: TunnelProtection | undefined;

  /** `protection`: absent where there is no IPsec. */
  constructor(paths: PathMtuTable, protection?: TunnelProtection) {
    this.#protection = protection;
    this.#paths = paths;
  }

  /** To be called when something else is known of the path to the endpoint. */
  settleMtu(endpoint: TunnelEndpoint): void {
    settleMtu(endpoint, this.#paths);
  }

  /** The index of the endpoint, or -1. */
  find(tunnel: Tunnel, word0: number, word1: number, word2: number, word3: number): number {
    return this.#index.get(tunnel.index, word0, word1, word2, word3);
  }

  /** The endpoint, made when it is not there; -1 when there are too many. It lives as long as its tunnel. */
  obtain(tunnel: Tunnel, remote: AddressWords, wayFrom: (local: AddressWords) => Underlay | undefined): number {
    const known = this.#index.get(tunnel.index, ...remote);
    if (known !== -1) return known;
    const endpoint = this.#make(tunnel, remote, false);
    if (endpoint === undefined) return -1;
    this.#index.set(tunnel.index, ...remote, endpoint.index);
    this.settleTwin(endpoint);
    this.connect(endpoint, wayFrom(endpoint.local));
    if (endpoint.twin !== undefined) this.connect(endpoint.twin, wayFrom(endpoint.twin.local));
    return endpoint.index;
  }

  /** Gives the endpoint a twin where its tunnel has a secondary address. */
  settleTwin(endpoint: TunnelEndpoint): void {
    if (endpoint.isSecondary || endpoint.twin !== undefined || endpoint.tunnel.spec.secondary === undefined) return;
    endpoint.twin = this.#make(endpoint.tunnel, endpoint.remote, true);
  }

  #make(tunnel: Tunnel, remote: AddressWords, isSecondary: boolean): TunnelEndpoint | undefined {
    const index = this.#free.pop() ?? this.endpoints.length;
    if (index >= MAX_ENDPOINTS) return undefined;
    const headerAt = (index % ENDPOINTS_PER_SLAB) * HEADER_WORDS;
    const endpoint = new TunnelEndpoint(index, tunnel, remote, this.#headersOf(index), headerAt, isSecondary);
    endpoint.headerBytes.fill(0);
    this.endpoints[index] = endpoint;
    this.remotes.set(remote, index * 4);
    const siblings = this.#byTunnel.get(tunnel);
    if (siblings === undefined) this.#byTunnel.set(tunnel, [endpoint]);
    else siblings.push(endpoint);
    return endpoint;
  }

  /** The memory that an endpoint's headers are in. */
  #headersOf(index: number): Int32Array {
    const slab = Math.floor(index / ENDPOINTS_PER_SLAB);
    return (this.#headers[slab] ??= new Int32Array(ENDPOINTS_PER_SLAB * HEADER_WORDS));
  }

  /** The endpoints of a tunnel. */
  of(tunnel: Tunnel): readonly TunnelEndpoint[] {
    return this.#byTunnel.get(tunnel) ?? [];
  }

  /** Forgets every endpoint of a tunnel that goes away. */
  releaseAllOf(tunnel: Tunnel): void {
    for (const { index, remote, isSecondary } of this.of(tunnel)) {
      const user = this.#users[index];
      if (user !== undefined) this.#leave(user);
      this.#users[index] = undefined;
      if (!isSecondary) this.#index.delete(tunnel.index, ...remote);
      this.endpoints[index] = undefined;
      this.#free.push(index);
    }
    this.#byTunnel.delete(tunnel);
  }

  /** (Re)builds the way to the endpoint after the underlay or the tunnel has changed. */
  connect(endpoint: TunnelEndpoint, underlay: Underlay | undefined): void {
    endpoint.isReady = false;
    endpoint.linkMtu = NO_LIMIT;
    settleMtu(endpoint, this.#paths);
    endpoint.cutsTunnelled = underlay !== undefined && underlay.medium !== 'ethernet' && underlay.cutsTunnelled;
    const before = this.#users[endpoint.index];
    const isGroup = wordsAreMulticast(endpoint.remote);
    const user = underlay?.medium === 'ethernet' && !isGroup ? this.#follow(endpoint, underlay) : undefined;
    this.#users[endpoint.index] = user;
    // Only now: the neighbour may be the same, and would be forgotten if it were without users for a moment.
    if (before !== undefined) this.#leave(before);
    if (underlay !== undefined && underlay.medium !== 'ethernet') {
      endpoint.outlet = underlay.outlet;
      endpoint.egress = -1;
      endpoint.isReady = true;
      prepareSocket(endpoint);
    } else if (underlay !== undefined && isGroup) {
      const { toGroup, macHigh, macLow } = underlay;
      endpoint.outlet = toGroup.outlet;
      endpoint.egress = toGroup.member;
      endpoint.linkMtu = toGroup.mtu;
      settleMtu(endpoint, this.#paths);
      endpoint.isReady = true;
      const { remote } = endpoint;
      prepareEthernet(endpoint, groupMacHigh(remote), groupMacLow(remote), macHigh, macLow);
    }
  }

  /** Makes the endpoint follow its next hop; undefined when no route leads to it. */
  #follow(endpoint: TunnelEndpoint, underlay: EthernetUnderlay): EndpointUser | undefined {
    const hop = underlay.hopTo(endpoint.remote);
    if (hop === undefined) return undefined;
    const user = new EndpointUser(endpoint, hop, underlay, this.#paths, this.#protection);
    hop.users.push(user);
    user.nextHopChanged();
    return user;
  }

  /** The neighbour that the endpoint waits for; undefined when there is no way to it at all. */
  neighbourOf(endpoint: TunnelEndpoint): Neighbour | undefined {
    const hop = this.#users[endpoint.index]?.hop;
    // Until the endpoint is connected anew there is no way.
    return hop === undefined || hop.isGone ? undefined : hop.neighbour;
  }

  #leave(user: EndpointUser): void {
    const { hop, underlay } = user;
    const at = hop.users.indexOf(user);
    if (at !== -1) hop.users.splice(at, 1);
    underlay.letGo(hop);
  }
}
