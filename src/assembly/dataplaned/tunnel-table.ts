// Tunnels by index, by bridge member, and by what arrives: (listener, key), then the remote address.
//
// GRE tunnels of one listener differ in more than the key: whether there is one, and whether they carry packets or frames. So
// each such kind has a key space of its own (KeySpace).

import { type AddressWords, wordsAreIpv6 } from '../../core/address.ts';
import { PairMap } from '../../core/pair-map.ts';
import type { Frame } from '../../packet/frame.ts';
import { type KeySpace, Tunnel, type TunnelSpec } from '../../tunnel/tunnel.ts';
import type { EndpointTable, Underlay } from './endpoint-table.ts';
import type { Underlays } from './underlays.ts';

export class TunnelTable {
  readonly endpoints: EndpointTable;
  /** By bridge member, which is also the tunnel's index. */
  readonly byMember: (Tunnel | undefined)[] = [];
  readonly #underlays: Underlays;
  /** The listeners of a tunnel: its local and its secondary address, and its multicast group. */
  readonly #listenersOf = new Map<Tunnel, readonly number[]>();
  readonly #byKey = new PairMap();
  /** Tunnels of one listener and key, those with a remote address first. */
  readonly #groups: (Tunnel[] | undefined)[] = [];
  /** Tunnels whose endpoints are to be connected anew, with the position of the next one. */
  readonly #toConnect = new Map<Tunnel, number>();

  // The source that was looked up last: bursts come from one remote.
  #lastTunnel: Tunnel | undefined;
  #lastSource0 = 0;
  #lastSource1 = 0;
  #lastSource2 = 0;
  #lastSource3 = 0;
  #lastEndpoint = -1;

  /** The service of each listener, by its number. */
  get services(): readonly number[] {
    return this.#underlays.services;
  }

  constructor(endpoints: EndpointTable, underlays: Underlays) {
    this.endpoints = endpoints;
    this.#underlays = underlays;
  }

  /**
   * Adds a tunnel, or changes the one of the same member in place: its endpoints and counters stay, save when the IP
   * version of its ends, or its encapsulation, is another.
   */
  set(spec: TunnelSpec, row: number): Tunnel {
    if (!this.keepsEndpoints(spec)) this.remove(spec.member);
    let tunnel = this.byMember[spec.member];
    if (tunnel === undefined) {
      tunnel = new Tunnel(spec.member, spec, row);
      this.byMember[spec.member] = tunnel;
    } else {
      this.#stopListening(tunnel);
      tunnel.spec = spec;
      for (const endpoint of this.endpoints.of(tunnel)) this.endpoints.settleTwin(endpoint);
      this.#toConnect.set(tunnel, 0);
    }
    this.#listen(tunnel);
    tunnel.remoteEndpoint = spec.remote === undefined ? -1 : this.hold(tunnel, spec.remote);
    tunnel.isUp = this.#underlayOf(tunnel) !== undefined;
    return tunnel;
  }

  /** Whether a tunnel with this specification goes on with the endpoints of the one that it replaces, if any. */
  keepsEndpoints(spec: TunnelSpec): boolean {
    const tunnel = this.byMember[spec.member];
    return tunnel === undefined || (tunnel.isIpv6 === wordsAreIpv6(spec.local) && tunnel.kind === spec.kind);
  }

  remove(member: number): void {
    const tunnel = this.byMember[member];
    if (tunnel === undefined) return;
    this.#stopListening(tunnel);
    this.byMember[member] = undefined;
    this.#toConnect.delete(tunnel);
    this.endpoints.releaseAllOf(tunnel);
  }

  /** The endpoint of a remote address, kept for as long as the tunnel lives; -1 when there are too many. */
  hold(tunnel: Tunnel, remote: AddressWords): number {
    const known = this.endpoints.find(tunnel, ...remote);
    return known === -1 ? this.endpoints.obtain(tunnel, remote, (local) => this.#wayFrom(tunnel, local)) : known;
  }

  /** Endpoints of the remote addresses to which a tunnel replicates what is flooded. */
  holdAll(tunnel: Tunnel, remotes: readonly AddressWords[]): number[] {
    return remotes.map((remote) => this.hold(tunnel, remote)).filter((endpoint) => endpoint !== -1);
  }

  /** Finds out, after ports, domains or addresses have changed, whose endpoints are to be connected anew. */
  noteChangedWays(): void {
    const listeners = this.#underlays.changed();
    if (listeners.size === 0) return;
    for (const tunnel of this.byMember) {
      if (tunnel === undefined || !this.#listenersOf.get(tunnel)!.some((one) => listeners.has(one))) continue;
      tunnel.isUp = this.#underlayOf(tunnel) !== undefined;
      this.#toConnect.set(tunnel, 0);
    }
  }

  /** Connects endpoints anew until that is done, and then returns true, or until `isOver` says that time is up. */
  connectSome(isOver: () => boolean): boolean {
    for (const [tunnel, from] of this.#toConnect) {
      const endpoints = this.endpoints.of(tunnel);
      for (let index = from; index < endpoints.length; index++) {
        const endpoint = endpoints[index]!;
        this.endpoints.connect(endpoint, this.#wayFrom(tunnel, endpoint.local));
        if (!isOver()) continue;
        this.#toConnect.set(tunnel, index + 1);
        return false;
      }
      this.#toConnect.delete(tunnel);
    }
    return true;
  }

  #underlayOf(tunnel: Tunnel): Underlay | undefined {
    return this.#wayFrom(tunnel, tunnel.spec.local);
  }

  #wayFrom(tunnel: Tunnel, local: AddressWords): Underlay | undefined {
    return this.#underlays.of(local, tunnel.spec.service, tunnel.spec.routeDomain ?? 0);
  }

  #listen(tunnel: Tunnel): void {
    const { local, secondary, service, key, remote, group, routeDomain = 0 } = tunnel.spec;
    const listeners = [this.#underlays.join(local, service, routeDomain)];
    if (secondary !== undefined) listeners.push(this.#underlays.join(secondary, service, routeDomain));
    if (group !== undefined) listeners.push(this.#underlays.join(group.address, service, routeDomain, group.domain));
    this.#listenersOf.set(tunnel, listeners);
    for (const listener of listeners) {
      const space = spaceOf(listener, tunnel.keySpace);
      const at = this.#byKey.get(space, key | 0);
      const tunnels = at === -1 ? undefined : this.#groups[at];
      if (tunnels === undefined) {
        const hole = this.#groups.indexOf(undefined);
        const place = hole === -1 ? this.#groups.length : hole;
        this.#groups[place] = [tunnel];
        this.#byKey.set(space, key | 0, place);
      } else if (remote === undefined) {
        tunnels.push(tunnel);
      } else {
        tunnels.unshift(tunnel);
      }
    }
  }

  #stopListening(tunnel: Tunnel): void {
    this.#lastTunnel = undefined;
    const { key } = tunnel.spec;
    for (const listener of this.#listenersOf.get(tunnel)!) {
      this.#underlays.leave(listener);
      const space = spaceOf(listener, tunnel.keySpace);
      const at = this.#byKey.get(space, key | 0);
      const tunnels = this.#groups[at]!;
      tunnels.splice(tunnels.indexOf(tunnel), 1);
      if (tunnels.length > 0) continue;
      this.#groups[at] = undefined;
      this.#byKey.delete(space, key | 0);
    }
    this.#listenersOf.delete(tunnel);
  }

  /** A tunnel of this listener and key (signed 32 bits): the first of those that `select` chooses from. */
  lookup(listener: number, keySpace: KeySpace, key: number): Tunnel | undefined {
    const at = this.#byKey.get(spaceOf(listener, keySpace), key);
    return at === -1 ? undefined : this.#groups[at]![0];
  }

  /** The tunnel among those of `first`'s listener and key that takes a frame from this source. */
  select(first: Tunnel, frame: Frame): Tunnel | undefined {
    if (takes(first, frame)) return first;
    const space = spaceOf(frame.listener, first.keySpace);
    const group = this.#groups[this.#byKey.get(space, first.spec.key | 0)]!;
    for (let index = 1; index < group.length; index++) {
      const tunnel = group[index]!;
      if (takes(tunnel, frame)) return tunnel;
    }
    return undefined;
  }

  /** The endpoint that the frame came from, made on first sight; -1 when there are too many. */
  endpointOf(tunnel: Tunnel, frame: Frame): number {
    const { outer0, outer1, outer2, outer3 } = frame;
    if (
      tunnel === this.#lastTunnel &&
      outer3 === this.#lastSource3 &&
      outer2 === this.#lastSource2 &&
      outer1 === this.#lastSource1 &&
      outer0 === this.#lastSource0
    ) {
      return this.#lastEndpoint;
    }
    let endpoint = this.endpoints.find(tunnel, outer0, outer1, outer2, outer3);
    if (endpoint === -1) endpoint = this.hold(tunnel, [outer0, outer1, outer2, outer3]);
    this.#lastTunnel = tunnel;
    this.#lastSource0 = outer0;
    this.#lastSource1 = outer1;
    this.#lastSource2 = outer2;
    this.#lastSource3 = outer3;
    this.#lastEndpoint = endpoint;
    return endpoint;
  }
}

/** Listener and key space in one number. */
const spaceOf = (listener: number, keySpace: KeySpace): number => (listener << 3) | keySpace;

function takes(tunnel: Tunnel, frame: Frame): boolean {
  const { remote } = tunnel.spec;
  return (
    remote === undefined ||
    (remote[3] === frame.outer3 &&
      remote[2] === frame.outer2 &&
      remote[1] === frame.outer1 &&
      remote[0] === frame.outer0)
  );
}
