// Neighbours: which MAC answers for an IP address on a domain (RFC 826, RFC 4861), and what waits for the answer.
//
// A neighbour is asked for when somebody needs it, kept fresh while it is in use, and given up after a few requests
// without an answer; then it is asked again only when the next frame needs it, at most once a second.

import { type AddressWords, wordsAreIpv6 } from '../core/address.ts';
import { AddressMap } from '../core/address-map.ts';
import type { Frame } from '../packet/frame.ts';

export const NeighbourState = { idle: 0, asking: 1, reachable: 2, permanent: 3 } as const;

/** Told when the MAC, the member or the state of a neighbour has changed. */
export interface NeighbourUser {
  neighbourChanged(neighbour: Neighbour): void;
}

export class Neighbour {
  readonly domain: number;
  readonly address: AddressWords;
  readonly isIpv6: boolean;
  /** Our own address that asks. */
  source: AddressWords;
  state: number = NeighbourState.idle;
  macHigh = 0;
  macLow = 0;
  /** Bridge member through which it answered; -1: not known (the domain's FDB or flooding decides). */
  member = -1;
  /** Tunnel endpoint behind which it answered, where that member is a tunnel of several; -1: not known. */
  endpoint = -1;
  confirmedMs = 0;
  askedMs = -Infinity;
  attempts = 0;
  /** Copies in the pool that wait for the answer, oldest first. */
  readonly waiting: Frame[] = [];
  readonly users: NeighbourUser[] = [];

  constructor(domain: number, address: AddressWords, source: AddressWords) {
    this.domain = domain;
    this.address = address;
    this.isIpv6 = wordsAreIpv6(address);
    this.source = source;
  }

  get isResolved(): boolean {
    return this.state >= NeighbourState.reachable;
  }
}

/** Times in milliseconds (RFC 4861, section 10, whose values serve ARP as well). */
const RETRANSMIT_MS = 1000;
const MAX_ATTEMPTS = 3;
/** After this long without hearing from it, a neighbour in use is asked again, without being given up meanwhile. */
const CONFIRM_MS = 30_000;

/** Thousands may be due at one instant, and frames wait while they are asked. */
const ASKED_PER_TICK = 256;

/** Frames that may wait for one neighbour. */
export const MAX_WAITING = 64;

export type NeighbourEvents = {
  /** Send a request for it; to its MAC when it is resolved, to all otherwise. */
  ask(neighbour: Neighbour): void;
  /** It answered, or was configured: what waits can go. */
  resolved(neighbour: Neighbour): void;
  /** Nobody answered: what waits is to be dropped. */
  giveUp(neighbour: Neighbour): void;
};

/** Words of a neighbour in the mirror; the address takes four. */
export const NeighbourField = {
  domain: 0,
  address: 1,
  state: 5,
  macHigh: 6,
  macLow: 7,
  member: 8,
  confirmed: 9,
} as const;
export const NEIGHBOUR_STRIDE = 10;
const MIRRORED_NEIGHBOURS = 8192;

export class NeighbourTable {
  /** What other threads may read of the neighbours: NEIGHBOUR_STRIDE words each, domain 0 where there is none. */
  readonly mirror = new Int32Array(new SharedArrayBuffer(MIRRORED_NEIGHBOURS * NEIGHBOUR_STRIDE * 4));
  /** By domain and address. */
  readonly #index = new AddressMap();
  readonly #neighbours: (Neighbour | undefined)[] = [];
  /** Places that are free again. */
  readonly #free: number[] = [];
  readonly #events: NeighbourEvents;

  constructor(events: NeighbourEvents) {
    this.#events = events;
  }

  find(domain: number, word0: number, word1: number, word2: number, word3: number): Neighbour | undefined {
    const at = this.#index.get(domain, word0, word1, word2, word3);
    return at === -1 ? undefined : this.#neighbours[at];
  }

  /** The neighbour, made when it is not there yet; it is not asked for until it is needed. */
  obtain(domain: number, address: AddressWords, source: AddressWords): Neighbour {
    const known = this.find(domain, ...address);
    if (known !== undefined) return known;
    const neighbour = new Neighbour(domain, address, source);
    const at = this.#free.pop() ?? this.#neighbours.length;
    this.#neighbours[at] = neighbour;
    this.#index.set(domain, ...address, at);
    this.#reflect(neighbour);
    return neighbour;
  }

  /** Every neighbour there is. */
  *all(): Iterable<Neighbour> {
    for (const neighbour of this.#neighbours) if (neighbour !== undefined) yield neighbour;
  }

  /** Forgets a neighbour that nobody uses any more. */
  release(neighbour: Neighbour): void {
    if (neighbour.users.length > 0 || neighbour.waiting.length > 0 || neighbour.state === NeighbourState.permanent)
      return;
    const at = this.#index.get(neighbour.domain, ...neighbour.address);
    if (at === -1 || this.#neighbours[at] !== neighbour) return;
    this.#index.delete(neighbour.domain, ...neighbour.address);
    this.#neighbours[at] = undefined;
    this.#free.push(at);
    this.mirror.fill(0, at * NEIGHBOUR_STRIDE, (at + 1) * NEIGHBOUR_STRIDE);
  }

  /** Asks for an unresolved neighbour unless it has been asked for a moment ago. */
  need(neighbour: Neighbour, nowMs: number): void {
    if (neighbour.state !== NeighbourState.idle || nowMs - neighbour.askedMs < RETRANSMIT_MS) return;
    neighbour.state = NeighbourState.asking;
    neighbour.attempts = 1;
    neighbour.askedMs = nowMs;
    this.#reflect(neighbour);
    this.#events.ask(neighbour);
  }

  /**
   * A station said that it has the neighbour's address. That is taken whether it was asked for or not: whoever is in the
   * table is of use to somebody, as the end of a tunnel that was learned is for as long as there is the tunnel.
   */
  heard(neighbour: Neighbour, macHigh: number, macLow: number, member: number, nowMs: number): void {
    if (neighbour.state === NeighbourState.permanent) return;
    neighbour.confirmedMs = nowMs;
    neighbour.attempts = 0;
    this.#reflect(neighbour);
    const same =
      neighbour.state === NeighbourState.reachable &&
      neighbour.macHigh === macHigh &&
      neighbour.macLow === macLow &&
      neighbour.member === member;
    if (same) return;
    this.#resolve(neighbour, NeighbourState.reachable, macHigh, macLow, member);
  }

  /** A static entry. */
  setPermanent(domain: number, address: AddressWords, source: AddressWords, macHigh: number, macLow: number): void {
    this.#resolve(this.obtain(domain, address, source), NeighbourState.permanent, macHigh, macLow, -1);
  }

  removePermanent(domain: number, address: AddressWords): void {
    const neighbour = this.find(domain, ...address);
    if (neighbour?.state !== NeighbourState.permanent) return;
    this.#unresolve(neighbour);
    this.release(neighbour);
  }

  /** Repeats requests, confirms what is in use, gives up; a few times a second. */
  tick(nowMs: number): void {
    let asked = 0;
    for (const neighbour of this.all()) {
      const { state, askedMs, confirmedMs } = neighbour;
      const isStale = state === NeighbourState.reachable && nowMs - confirmedMs >= CONFIRM_MS;
      if ((state !== NeighbourState.asking && !isStale) || nowMs - askedMs < RETRANSMIT_MS) continue;
      // The rest has its turn at the next tick: those that were asked now have to wait until then.
      if (asked === ASKED_PER_TICK) return;
      asked += 1;
      this.#askAgain(neighbour, nowMs);
    }
  }

  #askAgain(neighbour: Neighbour, nowMs: number): void {
    if (neighbour.attempts >= MAX_ATTEMPTS) {
      this.#unresolve(neighbour);
      this.#events.giveUp(neighbour);
      return;
    }
    neighbour.attempts += 1;
    neighbour.askedMs = nowMs;
    this.#events.ask(neighbour);
  }

  #resolve(neighbour: Neighbour, state: number, macHigh: number, macLow: number, member: number): void {
    neighbour.state = state;
    neighbour.macHigh = macHigh;
    neighbour.macLow = macLow;
    neighbour.member = member;
    this.changed(neighbour);
  }

  /** Tells the users of a neighbour that the way to it is another. */
  changed(neighbour: Neighbour): void {
    this.#reflect(neighbour);
    for (const user of neighbour.users) user.neighbourChanged(neighbour);
    if (neighbour.isResolved) this.#events.resolved(neighbour);
  }

  #unresolve(neighbour: Neighbour): void {
    neighbour.state = NeighbourState.idle;
    neighbour.attempts = 0;
    this.changed(neighbour);
  }

  #reflect(neighbour: Neighbour): void {
    const at = this.#index.get(neighbour.domain, ...neighbour.address) * NEIGHBOUR_STRIDE;
    const { mirror } = this;
    if (at < 0 || at >= mirror.length) return;
    mirror[at + NeighbourField.domain] = neighbour.domain;
    mirror.set(neighbour.address, at + NeighbourField.address);
    mirror[at + NeighbourField.state] = neighbour.state;
    mirror[at + NeighbourField.macHigh] = neighbour.macHigh;
    mirror[at + NeighbourField.macLow] = neighbour.macLow;
    mirror[at + NeighbourField.member] = neighbour.member;
    mirror[at + NeighbourField.confirmed] = Math.floor(neighbour.confirmedMs / 1000);
  }
}
