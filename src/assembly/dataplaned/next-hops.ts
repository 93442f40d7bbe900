// The next hops of routes, and those of hosts on connected networks, which come with the first packet to them and go when
// no packet has been sent to them for a while.

import type { Domain } from '../../bridge/domain.ts';
import type { AddressWords } from '../../core/address.ts';
import { AddressMap } from '../../core/address-map.ts';
import type { Neighbour } from '../../route/neighbour-table.ts';
import { NextHop } from '../../route/next-hop.ts';
import { Route } from '../../route/route.ts';
import type { NeighbourService } from './neighbour-service.ts';

/** Hosts that packets may be sent to directly, at one time. */
export const MAX_HOSTS = 8192;
/** Seconds after which a host that no packet is sent to is forgotten. */
const FORGET_SECONDS = 60;
/** The same for one that does not answer. */
const FORGET_SILENT_SECONDS = 5;
const HOSTS_PER_TICK = 1024;
const ANY: AddressWords = [0, 0, 0, 0];

export class NextHops {
  /** Second of the data plane's clock; set by the owner before a breath. */
  second = 0;
  /** Grows when a next hop has gone: whoever keeps one has to look for it anew. */
  removals = 0;
  readonly #domains: ReadonlyMap<number, Domain>;
  readonly #neighbours: NeighbourService;
  readonly #limit: number;
  readonly #hops: (NextHop | undefined)[] = [];
  readonly #free: number[] = [];
  /** By domain and address. */
  readonly #index = new AddressMap();
  /** By domain: how often its members had changed when the ways through it were found. */
  readonly #changes = new Map<number, number>();
  /** Whether a hop came with a packet to it, by its place: only those are limited. */
  readonly #isHost: boolean[] = [];
  #hosts = 0;
  #sweep = 0;

  constructor(domains: ReadonlyMap<number, Domain>, neighbours: NeighbourService, limit: number) {
    this.#domains = domains;
    this.#neighbours = neighbours;
    this.#limit = limit;
  }

  /** A host on the link of a domain; undefined when there are too many. */
  host(domain: number, word0: number, word1: number, word2: number, word3: number): NextHop | undefined {
    const at = this.#index.get(domain, word0, word1, word2, word3);
    if (at !== -1) return this.#hops[at];
    if (this.#hosts >= this.#limit || !this.#domains.has(domain)) return undefined;
    return this.#make(domain, [word0, word1, word2, word3], true);
  }

  /** The next hop that a route leads by, which stays until it is let go; undefined while there is no such domain. */
  hold(domain: number, address: AddressWords): NextHop | undefined {
    const key = this.#domains.get(domain)?.isLayer3 === true ? ANY : address;
    const at = this.#index.get(domain, ...key);
    if (at !== -1) return this.#hops[at];
    return this.#domains.has(domain) ? this.#make(domain, key, false) : undefined;
  }

  /** Whether the hop is still the one that packets take. */
  has(hop: NextHop): boolean {
    return this.#hops[this.#index.get(hop.domain, ...hop.address)] === hop;
  }

  /** To be called when a route no longer uses the hop; as a host it stays for a while. */
  letGo(hop: NextHop): void {
    hop.usedSecond = this.second;
  }

  /** Finds the ways anew that lead through domains that have changed. */
  refresh(): void {
    const changed = new Set<number>();
    for (const { id, changes } of this.#domains.values()) {
      if (this.#changes.get(id) === changes) continue;
      this.#changes.set(id, changes);
      changed.add(id);
    }
    for (const id of [...this.#changes.keys()]) {
      if (this.#domains.has(id)) continue;
      this.#changes.delete(id);
      changed.add(id);
    }
    if (changed.size === 0) return;
    for (let at = 0; at < this.#hops.length; at++) {
      const hop = this.#hops[at];
      if (hop === undefined || !changed.has(hop.domain)) continue;
      if (!this.#domains.has(hop.domain)) this.#forget(at, hop);
      else if (hop.neighbour === undefined) this.#connectTunnel(hop);
      else hop.neighbourChanged(hop.neighbour);
    }
  }

  /** Forgets hosts that are not used, some at a time, and asks for gateways that are silent. */
  tick(nowMs: number): void {
    const { length } = this.#hops;
    for (let step = 0; step < Math.min(HOSTS_PER_TICK, length); step++) {
      this.#sweep = (this.#sweep + 1) % length;
      const hop = this.#hops[this.#sweep];
      if (hop === undefined) continue;
      if (hop.users.length > 0) {
        // A gateway that others stand in for is needed by nobody, and would never come back by itself.
        const isWatched = !hop.isReady && hop.users.some((user) => user instanceof Route && user.hops.length > 1);
        if (isWatched && hop.neighbour !== undefined) this.#neighbours.table.need(hop.neighbour, nowMs);
      } else if (this.second - hop.usedSecond >= (hop.isReady ? FORGET_SECONDS : FORGET_SILENT_SECONDS)) {
        this.#forget(this.#sweep, hop);
      }
    }
  }

  #make(domain: number, address: AddressWords, isHost: boolean): NextHop {
    const at = this.#free.pop() ?? this.#hops.length;
    const isTunnel = this.#domains.get(domain)!.isLayer3;
    const neighbour = isTunnel ? undefined : this.#neighbours.obtain(domain, address);
    const hop = new NextHop(domain, address, neighbour, (found: Neighbour) => this.#neighbours.wayTo(found));
    hop.usedSecond = this.second;
    this.#hops[at] = hop;
    this.#index.set(domain, ...address, at);
    this.#isHost[at] = isHost;
    if (isHost) this.#hosts += 1;
    if (neighbour === undefined) {
      this.#connectTunnel(hop);
    } else {
      neighbour.users.push(hop);
      hop.neighbourChanged(neighbour);
    }
    return hop;
  }

  #connectTunnel(hop: NextHop): void {
    const member = this.#domains.get(hop.domain)!.members[0];
    const isReady = member?.enabled === true;
    if (isReady) {
      hop.outlet = member.outlet;
      hop.egress = member.id;
      hop.mtu = member.mtu;
      hop.isTunnel = true;
    }
    hop.isReady = isReady;
    for (const user of hop.users) user.nextHopChanged();
  }

  #forget(at: number, hop: NextHop): void {
    this.removals += 1;
    hop.isGone = true;
    if (this.#isHost[at] === true) this.#hosts -= 1;
    this.#hops[at] = undefined;
    this.#index.delete(hop.domain, ...hop.address);
    this.#free.push(at);
    hop.isReady = false;
    for (const user of hop.users) user.nextHopChanged();
    if (hop.neighbour !== undefined) this.#neighbours.leave(hop.neighbour, hop);
  }
}
