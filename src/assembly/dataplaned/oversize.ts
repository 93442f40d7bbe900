// What happens to a frame that is larger than its tunnel carries, in front of the tunnel.
//
//   IPv4 that may be cut ─► its fragments go into the tunnel instead
//   IPv4 with DF, IPv6   ─► the sender is told the MTU of the tunnel (RFC 1191; RFC 8201), and the packet dropped
//   anything else        ─► dropped
//
// Only where we have an address in the domain of the tunnel: there we are a router, elsewhere a switch, and a switch neither
// cuts packets nor speaks to hosts.

import type { Domain, Member } from '../../bridge/domain.ts';
import { Drop, FORWARD } from '../../core/drop-reason.ts';
import { macHigh16, macLow32 } from '../../core/mac.ts';
import { type Frame, FrameBatch } from '../../packet/frame.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import { MIN_PATH_MTU_V6 } from '../../route/path-mtu.ts';
import { kindIsLayer3, type Tunnel } from '../../tunnel/tunnel.ts';
import { ETHERNET_HEADER_OCTETS, ETHERNET_SOURCE, EtherType, etherType } from '../../wire/ethernet.ts';
import { IcmpError } from '../../wire/icmp-error.ts';
import { checkIpv4, ipv4DontFragment } from '../../wire/ipv4.ts';
import { checkIpv6 } from '../../wire/ipv6.ts';
import type { Fragmenter } from './fragmenter.ts';
import type { IcmpErrors } from './icmp-errors.ts';

const NOTHING = new FrameBatch();

export class Oversize {
  readonly #members: readonly (Member | undefined)[];
  readonly #errors: IcmpErrors;
  readonly #fragmenter: Fragmenter;
  readonly #disposal: Disposal;

  constructor(
    members: readonly (Member | undefined)[],
    errors: IcmpErrors,
    fragmenter: Fragmenter,
    disposal: Disposal,
  ) {
    this.#members = members;
    this.#errors = errors;
    this.#fragmenter = fragmenter;
    this.#disposal = disposal;
  }

  /**
   * Takes a frame that holds a larger IP packet than `mtu`, what the tunnel carries to where it should go. What is to be sent
   * instead is valid until the next call.
   */
  take(frame: Frame, tunnel: Tunnel, mtu: number): FrameBatch {
    const { bytes } = this.#disposal.pool.arena;
    const domain = this.#members[tunnel.spec.member]?.domain;
    const ip = kindIsLayer3(tunnel.kind) ? frame.start : frame.start + ETHERNET_HEADER_OCTETS;
    const version = domain?.hasLocal === true || domain?.isLayer3 === true ? this.#versionOf(frame, ip) : 0;
    if (domain !== undefined && version !== 0) {
      if (version === 4 && !ipv4DontFragment(bytes, ip)) {
        return this.#fragmenter.cut(frame, ip, mtu, false, tunnel.row);
      }
      this.#report(frame, ip, domain, mtu);
    }
    this.#disposal.drop(frame, Drop.tunnelMtuExceeded, tunnel.row);
    return NOTHING;
  }

  /** Whether the frame holds an IPv6 packet that no link may be too small for (RFC 8200, section 5; RFC 2473, section 7.1 b). */
  mustGo(frame: Frame, isPacket: boolean): boolean {
    const { bytes } = this.#disposal.pool.arena;
    const { start, end } = frame;
    const ip = isPacket ? start : start + ETHERNET_HEADER_OCTETS;
    if (end - ip > MIN_PATH_MTU_V6 || bytes[ip]! >>> 4 !== 6) return false;
    return isPacket || etherType(bytes, start) === EtherType.ipv6;
  }

  /** 4 or 6 of a packet whose header is right, otherwise 0. */
  #versionOf(frame: Frame, ip: number): number {
    const { bytes } = this.#disposal.pool.arena;
    const { start, end } = frame;
    const version = bytes[ip]! >>> 4;
    if (ip !== start) {
      const type = etherType(bytes, start);
      if (version === 4 ? type !== EtherType.ipv4 : type !== EtherType.ipv6) return 0;
    }
    if (version === 4) return checkIpv4(bytes, ip, end) === FORWARD ? 4 : 0;
    return version === 6 && checkIpv6(bytes, ip, end) === FORWARD ? 6 : 0;
  }

  #report(frame: Frame, ip: number, domain: Domain, mtu: number): void {
    const from = this.#members[frame.member];
    if (from === undefined) return;
    const { start, outerStart } = frame;
    const { bytes } = this.#disposal.pool.arena;
    // A packet that was routed, or that a socket of this host has sent, has our own MAC in front of it, and not that of the
    // station to answer.
    const source = start + ETHERNET_SOURCE;
    const isBridged =
      ip !== start &&
      from.domain === domain &&
      (macHigh16(bytes, source) !== domain.macHigh || macLow32(bytes, source) !== domain.macLow);
    frame.start = ip;
    frame.outerStart = isBridged ? start : 0;
    // No host believes that an IPv6 link is smaller than it may be.
    const isIpv4 = bytes[ip]! >>> 4 === 4;
    this.#errors.report(frame, IcmpError.tooBig, isIpv4 ? mtu : Math.max(mtu, MIN_PATH_MTU_V6));
    frame.start = start;
    frame.outerStart = outerStart;
  }
}
