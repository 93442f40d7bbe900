// ICMP errors about packets that our security associations have sent: what they say of the path to the other end (RFC 4301, section 8.2).
//
// Such an error is not authenticated. It is believed only where it quotes the SPI of an association that sends to the address it
// names, has sent lately, and would be cut by it; what is believed can make packets smaller, never larger.

import { Drop, FORWARD, type Verdict } from '../../core/drop-reason.ts';
import { read32 } from '../../core/octets.ts';
import type { Association, AssociationDatabase } from '../../ipsec/association-database.ts';
import { IpsecProtocol } from '../../ipsec/security-association.ts';
import type { Arena } from '../../packet/arena.ts';
import { ErrorLimiter } from '../../route/error-limiter.ts';
import { type PathMtuTable, plausibleMtuV4, plausibleMtuV6 } from '../../route/path-mtu.ts';
import { IcmpError, quoted } from '../../wire/icmp-error.ts';
import { IpProtocol, ipv4Destination } from '../../wire/ipv4.ts';
import { IPV6_DESTINATION } from '../../wire/ipv6.ts';
import { UDP_HEADER_OCTETS } from '../../wire/udp.ts';

/** What `hear` says of an error that is about no packet of an association. */
export const NOT_OF_AN_ASSOCIATION = -1;

/** Errors a second that are looked at. */
const HEARD = { perSecond: 50, burst: 50 };
/** Octets in front of the SPI. */
const AH_SPI = 4;

export class IpsecErrors {
  readonly #associations: AssociationDatabase;
  readonly #paths: PathMtuTable;
  readonly #bytes: Uint8Array;
  readonly #limiter = new ErrorLimiter(HEARD, HEARD);

  constructor(associations: AssociationDatabase, paths: PathMtuTable, arena: Arena) {
    this.#associations = associations;
    this.#paths = paths;
    this.#bytes = arena.bytes;
  }

  /** Takes the error that `quoted` holds, which was sent to an address of the route domain. */
  hear(routeDomain: number, nowMs: number): Verdict | typeof NOT_OF_AN_ASSOCIATION {
    if (this.#associations.size === 0) return NOT_OF_AN_ASSOCIATION;
    const sender = this.#sender(routeDomain);
    if (sender === undefined) return NOT_OF_AN_ASSOCIATION;
    const { isIpv4, error, mtu: named, packetOctets } = quoted;
    if (error !== IcmpError.tooBig) return FORWARD;
    const mtu = isIpv4 ? plausibleMtuV4(named, packetOctets) : plausibleMtuV6(named, packetOctets);
    if (mtu === 0 || sender.outbound.packets === 0 || !this.#limiter.allows(0, 0, 0, 0, nowMs)) {
      return Drop.icmpErrorRefused;
    }
    this.#paths.lower({ routeDomain, words: sender.outbound.peer }, mtu, nowMs);
    // The next packet looks anew.
    for (const association of this.#associations.all()) association.pathVersion = -1;
    return FORWARD;
  }

  /** The association that has sent the quoted packet. */
  #sender(routeDomain: number): Association | undefined {
    const spi = this.#spi();
    if (spi === undefined) return undefined;
    const bytes = this.#bytes;
    const { ipStart, isIpv4 } = quoted;
    const at = ipStart + IPV6_DESTINATION;
    for (const association of this.#associations.all()) {
      const { sa, routeDomain: own } = association.spec;
      if ((sa.spi | 0) !== spi || own !== routeDomain || (sa.family === 4) !== isIpv4) continue;
      const { peer } = association.outbound;
      const isThere = isIpv4
        ? ipv4Destination(bytes, ipStart) === peer[3]
        : peer.every((word, index) => read32(bytes, at + index * 4) === word);
      if (isThere) return association;
    }
    return undefined;
  }

  /** That of the quoted packet; undefined: it is none of IPsec, or does not show it. */
  #spi(): number | undefined {
    const { protocol, upperStart, end } = quoted;
    let at: number;
    if (protocol === IpsecProtocol.esp) at = upperStart;
    else if (protocol === IpsecProtocol.ah) at = upperStart + AH_SPI;
    else if (protocol === IpProtocol.udp) at = upperStart + UDP_HEADER_OCTETS;
    else return undefined;
    return end - at >= 4 ? read32(this.#bytes, at) : undefined;
  }
}
