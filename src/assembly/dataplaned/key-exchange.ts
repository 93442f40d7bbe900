// The worker's side of key exchange: messages that came behind UDP 4500 go to the daemon that has registered for them, and what it
// says leaves from there (RFC 3948, section 2.2). Between the two threads they lie in a ring of fixed size: a daemon that does not
// keep up loses messages, which its peers send again, and holds nobody up.

import type { Domain, Member } from '../../bridge/domain.ts';
import type { AddressWords, IpFamily } from '../../core/address.ts';
import { Drop, FORWARD, type Verdict } from '../../core/drop-reason.ts';
import { write32 } from '../../core/octets.ts';
import type { Frame } from '../../packet/frame.ts';
import { Book } from '../../pipeline/books.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import type { FrameRing } from '../../port/frame-ring.ts';
import { IPV4_HEADER_OCTETS, IpProtocol, ipv4PseudoHeaderSum, writeIpv4 } from '../../wire/ipv4.ts';
import {
  IPV6_DESTINATION,
  IPV6_HEADER_OCTETS,
  IPV6_SOURCE,
  ipv6PseudoHeaderSum,
  writeIpv6,
  writeIpv6Address,
} from '../../wire/ipv6.ts';
import {
  checkUdp,
  checkUdpChecksum,
  UDP_HEADER_OCTETS,
  udpHasChecksum,
  udpOctets,
  writeUdp,
  writeUdpChecksum,
} from '../../wire/udp.ts';
import { NON_ESP_MARKER_OCTETS } from '../../wire/udp-encapsulation.ts';
import type { IpsecGate } from './ipsec-gate.ts';
import type { LocalAddresses } from './local-addresses.ts';

/** Messages that may wait for the daemon. */
export const KEY_EXCHANGE_SLOTS = 64;
/** In front of each packet in the ring: the member that it came in by, its route domain, and where its UDP header begins in it. */
export const KEY_EXCHANGE_NOTE_OCTETS = 12;
/** The largest message: what a packet of IPv4 holds beside headers and marker. */
export const MAX_KEY_EXCHANGE_OCTETS = 65_535 - IPV4_HEADER_OCTETS - UDP_HEADER_OCTETS - NON_ESP_MARKER_OCTETS;

const TTL = 64;

/** A message that the daemon sends, from our port of key exchange at `local`, which is an address of ours. */
export type KeyExchangeMessageSpec = {
  routeDomain: number;
  family: IpFamily;
  local: AddressWords;
  remote: AddressWords;
  remotePort: number;
  /** Without the marker. */
  octets: Uint8Array;
};

export class KeyExchange {
  readonly #gate: IpsecGate;
  readonly #ring: FrameRing | undefined;
  readonly #members: readonly (Member | undefined)[];
  readonly #domains: ReadonlyMap<number, Domain>;
  readonly #addresses: LocalAddresses;
  readonly #disposal: Disposal;
  readonly #originator: { originateSealed(frame: Frame, domain: Domain): void };
  #identification = 0;

  /** `ring`: of what is received; undefined: nobody can register. `originator`: the router. */
  constructor(
    gate: IpsecGate,
    ring: FrameRing | undefined,
    members: readonly (Member | undefined)[],
    domains: ReadonlyMap<number, Domain>,
    addresses: LocalAddresses,
    disposal: Disposal,
    originator: { originateSealed(frame: Frame, domain: Domain): void },
  ) {
    this.#gate = gate;
    this.#ring = ring;
    this.#members = members;
    this.#domains = domains;
    this.#addresses = addresses;
    this.#disposal = disposal;
    this.#originator = originator;
  }

  /** Takes a packet whose UDP header is at `udp` and carries a message of key exchange: FORWARD, or why not. */
  readonly take = (frame: Frame, udp: number): Verdict => {
    const ring = this.#ring;
    if (ring === undefined || !this.#gate.hasKeyExchange) return Drop.ipsecNotEsp;
    const { bytes } = this.#disposal.pool.arena;
    const verdict = this.#check(frame, udp);
    if (verdict !== FORWARD) return verdict;
    if (ring.isFull) {
      ring.lose();
      return Drop.ipsecKeyExchangeFull;
    }
    // There is room in front of a packet, and what stood there is not needed any more.
    const at = frame.start - KEY_EXCHANGE_NOTE_OCTETS;
    write32(bytes, at, frame.member);
    write32(bytes, at + 4, this.#members[frame.member]?.domain.routeDomain ?? 0);
    write32(bytes, at + 8, udp - frame.start);
    ring.fill(bytes, at, udp + udpOctets(bytes, udp) - at);
    this.#disposal.consume(frame);
    return FORWARD;
  };

  /** Sends what the daemon says; row 0 is charged where that cannot be. */
  send({ routeDomain, family, local, remote, remotePort, octets }: KeyExchangeMessageSpec): void {
    const { pool, books } = this.#disposal;
    const { bytes, words } = pool.arena;
    const domain = this.#domains.get(this.#addresses.ownerOf(routeDomain, ...local));
    const isIpv4 = family === 4;
    const headerOctets = isIpv4 ? IPV4_HEADER_OCTETS : IPV6_HEADER_OCTETS;
    const datagramOctets = UDP_HEADER_OCTETS + NON_ESP_MARKER_OCTETS + octets.length;
    const frame = pool.acquireForPacket(headerOctets + datagramOctets);
    if (frame === undefined) return;
    const { start } = frame;
    const udp = start + headerOctets;
    frame.end = udp + datagramOctets;
    writeUdp(bytes, udp, this.#gate.natTraversalPort, remotePort, datagramOctets);
    write32(bytes, udp + UDP_HEADER_OCTETS, 0);
    bytes.set(octets, udp + UDP_HEADER_OCTETS + NON_ESP_MARKER_OCTETS);
    let sum: number;
    if (isIpv4) {
      this.#identification = (this.#identification + 1) & 0xffff;
      const total = frame.end - start;
      writeIpv4(bytes, start, 0, total, this.#identification, false, TTL, IpProtocol.udp, local[3], remote[3]);
      sum = ipv4PseudoHeaderSum(bytes, start, IpProtocol.udp, datagramOctets);
    } else {
      writeIpv6(bytes, start, 0, 0, datagramOctets, IpProtocol.udp, TTL);
      writeIpv6Address(bytes, start + IPV6_SOURCE, local);
      writeIpv6Address(bytes, start + IPV6_DESTINATION, remote);
      sum = ipv6PseudoHeaderSum(bytes, start, IpProtocol.udp, datagramOctets);
    }
    writeUdpChecksum(bytes, words, udp, sum);
    books[Book.originated]! += 1;
    // Selectors are not asked: key exchange passes by.
    if (domain === undefined) this.#disposal.drop(frame, Drop.noRoute, 0);
    else this.#originator.originateSealed(frame, domain);
  }

  /** Lengths, and the checksum where there is one that nobody has looked at yet. */
  #check(frame: Frame, udp: number): Verdict {
    const { bytes, words } = this.#disposal.pool.arena;
    const verdict = checkUdp(bytes, udp, frame.end);
    if (verdict !== FORWARD) return verdict;
    const octets = udpOctets(bytes, udp);
    if (octets < UDP_HEADER_OCTETS + NON_ESP_MARKER_OCTETS) return Drop.udpHeaderInvalid;
    if (!udpHasChecksum(bytes, udp) || frame.checksumVerified !== 0 || frame.checksumStart !== 0) return FORWARD;
    const sum =
      bytes[frame.start]! >>> 4 === 4
        ? ipv4PseudoHeaderSum(bytes, frame.start, IpProtocol.udp, octets)
        : ipv6PseudoHeaderSum(bytes, frame.start, IpProtocol.udp, octets);
    return checkUdpChecksum(bytes, words, udp, sum);
  }
}
