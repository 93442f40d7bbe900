// What the sockets of this host talk about with whom: a table of flows with a fixed size.
//
// It answers two questions. Does a packet from the network belong to what a socket here began, so that it comes in whatever
// port lockdown says? And by which member and to which MAC does a reply go back, where auto-lasthop says so?
//
// A flow is (route domain, protocol, both addresses, both ports); an ICMP echo has its identifier as both ports. The table
// has sets of WAYS places, each flow has its set, and a place that is not renewed in time is free. A full set gives up the
// flow that would have ended first, but never one that this host began for one that came from the network: so nobody
// outside can make it refuse the answers that sockets here wait for.

import type { AddressWords } from '../core/address.ts';
import { hashPair } from '../core/pair-map.ts';
import { IpProtocol } from '../wire/ipv4.ts';
import { TCP_FIN, TCP_RST, TCP_SYN } from '../wire/tcp.ts';

/** Flows that the table holds at most; a power of two. */
export const HOST_FLOWS = 1 << 16;

/** Seconds without a packet after which a flow ends: RFC 5382, RFC 4787 and RFC 5508, for the same question in a NAT. */
export const FLOW_SECONDS = { tcp: 7440, tcpTransitory: 240, udp: 300, icmp: 60, other: 300 } as const;

const WAYS = 8;
/** One cache line for each. */
const STRIDE = 16;
const Field = {
  /** Route domain << 8 | protocol. */
  tag: 0,
  local: 1,
  remote: 5,
  /** Local port << 16 | remote port. */
  ports: 9,
  /** The last second in which it lives; 0: the place is free. */
  until: 10,
  flags: 11,
  member: 12,
  macHigh: 13,
  macLow: 14,
} as const;

const Flag = {
  /** A socket of this host began it. */
  begunHere: 1,
  /** It does not make way for what comes from the network. */
  stays: 2,
  /** It has seen the end of its TCP connection. */
  ending: 4,
} as const;

/** No flow; also: no last hop. */
export const NONE = -1;

export class HostFlows {
  // The flow that the next call is about; set with `describe…`, so that no call needs fourteen arguments.
  #tag = 0;
  #local0 = 0;
  #local1 = 0;
  #local2 = 0;
  #local3 = 0;
  #remote0 = 0;
  #remote1 = 0;
  #remote2 = 0;
  #remote3 = 0;
  #ports = 0;
  #protocol = 0;
  readonly #cells: Int32Array;
  readonly #setMask: number;

  /** `capacity`: a power of two. */
  constructor(capacity = HOST_FLOWS) {
    this.#cells = new Int32Array(capacity * STRIDE);
    this.#setMask = capacity / WAYS - 1;
  }

  /** Says which route domain and ports the next call is about; the addresses come after. */
  describe(routeDomain: number, protocol: number, localPort: number, remotePort: number): void {
    this.#tag = (routeDomain << 8) | protocol;
    this.#protocol = protocol;
    this.#ports = (localPort << 16) | remotePort;
  }

  describeLocal(word0: number, word1: number, word2: number, word3: number): void {
    this.#local0 = word0;
    this.#local1 = word1;
    this.#local2 = word2;
    this.#local3 = word3;
  }

  describeRemote(word0: number, word1: number, word2: number, word3: number): void {
    this.#remote0 = word0;
    this.#remote1 = word1;
    this.#remote2 = word2;
    this.#remote3 = word3;
  }

  /** The described flow, or NONE. */
  find(second: number): number {
    const cells = this.#cells;
    const first = this.#firstPlace();
    for (let at = first; at < first + WAYS * STRIDE; at += STRIDE) {
      if (this.#isAt(at) && cells[at + Field.until]! >= second) return at;
    }
    return NONE;
  }

  /**
   * Notes a packet of the described flow, `fromHost` or from the network, and returns the flow; NONE when it is not known and
   * there is no place for it. `tcpFlags`: 0 for other protocols.
   */
  note(fromHost: boolean, tcpFlags: number, second: number): number {
    let at = this.find(second);
    const cells = this.#cells;
    if (at === NONE) {
      // What refuses or ends a connection that is not known begins none.
      if (fromHost && (tcpFlags & TCP_RST) !== 0) return NONE;
      at = this.#placeFor(fromHost, second);
      if (at === NONE) return NONE;
      this.#enter(at, fromHost);
    }
    if ((tcpFlags & TCP_SYN) !== 0) cells[at + Field.flags]! &= ~Flag.ending;
    if ((tcpFlags & (TCP_FIN | TCP_RST)) !== 0) cells[at + Field.flags]! |= Flag.ending;
    cells[at + Field.until] = second + this.#lifetime(at, tcpFlags);
    return at;
  }

  /** A flow that was there before this table: `addresses` of a socket of this host that is connected. */
  seed(
    flow: { routeDomain: number; protocol: number; localPort: number; remotePort: number },
    local: AddressWords,
    remote: AddressWords,
    second: number,
  ): void {
    this.describe(flow.routeDomain, flow.protocol, flow.localPort, flow.remotePort);
    this.describeLocal(...local);
    this.describeRemote(...remote);
    const at = this.note(false, 0, second);
    if (at !== NONE) this.#cells[at + Field.flags]! |= Flag.stays;
  }

  /** The member and the MAC that a packet of the flow last came by from the network. */
  setLastHop(flow: number, member: number, macHigh: number, macLow: number): void {
    const cells = this.#cells;
    cells[flow + Field.member] = member;
    cells[flow + Field.macHigh] = macHigh;
    cells[flow + Field.macLow] = macLow;
  }

  /** The member of the last hop, or NONE. */
  lastMember(flow: number): number {
    return this.#cells[flow + Field.member]!;
  }

  lastMacHigh(flow: number): number {
    return this.#cells[flow + Field.macHigh]!;
  }

  lastMacLow(flow: number): number {
    return this.#cells[flow + Field.macLow]!;
  }

  isBegunHere(flow: number): boolean {
    return (this.#cells[flow + Field.flags]! & Flag.begunHere) !== 0;
  }

  /** Forgets the last hops that lead by a member: its number may be given to another. */
  forgetMember(member: number): void {
    const cells = this.#cells;
    for (let at = 0; at < cells.length; at += STRIDE) {
      if (cells[at + Field.member] === member) cells[at + Field.member] = NONE;
    }
  }

  #firstPlace(): number {
    const upper = (this.#local0 | this.#remote0) === 0 ? 0 : this.#hashUpper();
    const hash = hashPair(hashPair(this.#tag ^ upper, this.#remote3), hashPair(this.#local3, this.#ports));
    return (hash & this.#setMask) * WAYS * STRIDE;
  }

  #hashUpper(): number {
    const local = hashPair(hashPair(this.#local0, this.#local1), this.#local2);
    return hashPair(local, hashPair(hashPair(this.#remote0, this.#remote1), this.#remote2));
  }

  #isAt(at: number): boolean {
    const cells = this.#cells;
    return (
      cells[at + Field.ports] === this.#ports &&
      cells[at + Field.remote + 3] === this.#remote3 &&
      cells[at + Field.local + 3] === this.#local3 &&
      cells[at + Field.tag] === this.#tag &&
      cells[at + Field.remote + 2] === this.#remote2 &&
      cells[at + Field.remote + 1] === this.#remote1 &&
      cells[at + Field.remote] === this.#remote0 &&
      cells[at + Field.local + 2] === this.#local2 &&
      cells[at + Field.local + 1] === this.#local1 &&
      cells[at + Field.local] === this.#local0
    );
  }

  /** A place in the set of the described flow: a free one, else that of the flow which may go and would have ended first. */
  #placeFor(fromHost: boolean, second: number): number {
    const cells = this.#cells;
    const first = this.#firstPlace();
    let visitor = NONE;
    let own = NONE;
    for (let at = first; at < first + WAYS * STRIDE; at += STRIDE) {
      const until = cells[at + Field.until]!;
      if (until < second) return at;
      if ((cells[at + Field.flags]! & Flag.stays) !== 0) {
        if (own === NONE || until < cells[own + Field.until]!) own = at;
      } else if (visitor === NONE || until < cells[visitor + Field.until]!) {
        visitor = at;
      }
    }
    return visitor !== NONE || !fromHost ? visitor : own;
  }

  #enter(at: number, fromHost: boolean): void {
    const cells = this.#cells;
    cells[at + Field.tag] = this.#tag;
    cells[at + Field.local] = this.#local0;
    cells[at + Field.local + 1] = this.#local1;
    cells[at + Field.local + 2] = this.#local2;
    cells[at + Field.local + 3] = this.#local3;
    cells[at + Field.remote] = this.#remote0;
    cells[at + Field.remote + 1] = this.#remote1;
    cells[at + Field.remote + 2] = this.#remote2;
    cells[at + Field.remote + 3] = this.#remote3;
    cells[at + Field.ports] = this.#ports;
    cells[at + Field.flags] = fromHost ? Flag.begunHere | Flag.stays : 0;
    cells[at + Field.member] = NONE;
  }

  #lifetime(at: number, tcpFlags: number): number {
    switch (this.#protocol) {
      case IpProtocol.tcp: {
        const isEnding = (this.#cells[at + Field.flags]! & Flag.ending) !== 0;
        return isEnding || (tcpFlags & TCP_SYN) !== 0 ? FLOW_SECONDS.tcpTransitory : FLOW_SECONDS.tcp;
      }
      case IpProtocol.udp:
        return FLOW_SECONDS.udp;
      case IpProtocol.icmp:
      case IpProtocol.icmpv6:
        return FLOW_SECONDS.icmp;
      default:
        return FLOW_SECONDS.other;
    }
  }
}
