// Keepalives of UDP encapsulation (RFC 3948, sections 2.3 and 4): a datagram of one octet where nothing else was sent for a while, so
// that who translates addresses in between does not forget the other side's way back.

import { Book } from '../../pipeline/books.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import type { Association, AssociationDatabase } from '../../ipsec/association-database.ts';
import type { Frame } from '../../packet/frame.ts';
import { IPV4_HEADER_OCTETS, IpProtocol, writeIpv4 } from '../../wire/ipv4.ts';
import {
  IPV6_DESTINATION,
  IPV6_HEADER_OCTETS,
  IPV6_SOURCE,
  ipv6PseudoHeaderSum,
  writeIpv6,
  writeIpv6Address,
} from '../../wire/ipv6.ts';
import { UDP_HEADER_OCTETS, writeUdp, writeUdpChecksum } from '../../wire/udp.ts';
import { UDP_KEEPALIVE } from '../../wire/udp-encapsulation.ts';

const TTL = 64;
const DATAGRAM_OCTETS = UDP_HEADER_OCTETS + 1;

type Last = { second: number; packets: number };

export class NatKeepalive {
  /** Seconds without a packet after which one is sent; 0: never. */
  seconds = 0;
  readonly #associations: AssociationDatabase;
  readonly #disposal: Disposal;
  /** Sends a packet that starts at its IP header; false: its source is no address of ours. */
  readonly #send: (frame: Frame, association: Association) => void;
  readonly #last = new WeakMap<Association, Last>();

  constructor(
    associations: AssociationDatabase,
    disposal: Disposal,
    send: (frame: Frame, association: Association) => void,
  ) {
    this.#associations = associations;
    this.#disposal = disposal;
    this.#send = send;
  }

  /** A few times a second. `isOurs`: whether the association sends from an address of ours. */
  tick(second: number, isOurs: (association: Association) => boolean): void {
    if (this.seconds === 0 || this.#associations.udpUsers === 0) return;
    for (const association of this.#associations.all()) {
      if (!association.outbound.isUdp || !isOurs(association)) continue;
      const { packets } = association.outbound;
      const last = this.#last.get(association);
      if (last?.packets === packets && second - last.second < this.seconds) continue;
      if (last?.packets === packets) this.#sendOne(association);
      this.#last.set(association, { second, packets });
    }
  }

  #sendOne(association: Association): void {
    const { pool } = this.#disposal;
    const { bytes, words } = pool.arena;
    const { spec, peer, peerPort } = association.outbound;
    const isIpv4 = spec.family === 4;
    const headerOctets = isIpv4 ? IPV4_HEADER_OCTETS : IPV6_HEADER_OCTETS;
    const frame = pool.acquire(headerOctets + DATAGRAM_OCTETS);
    if (frame === undefined) return;
    const { start } = frame;
    const udp = start + headerOctets;
    frame.end = udp + DATAGRAM_OCTETS;
    writeUdp(bytes, udp, spec.udpSourcePort, peerPort, DATAGRAM_OCTETS);
    bytes[udp + UDP_HEADER_OCTETS] = UDP_KEEPALIVE;
    if (isIpv4) {
      writeIpv4(bytes, start, 0, frame.end - start, 0, true, TTL, IpProtocol.udp, spec.source[3], peer[3]);
    } else {
      writeIpv6(bytes, start, 0, 0, DATAGRAM_OCTETS, IpProtocol.udp, TTL);
      writeIpv6Address(bytes, start + IPV6_SOURCE, spec.source);
      writeIpv6Address(bytes, start + IPV6_DESTINATION, peer);
      writeUdpChecksum(bytes, words, udp, ipv6PseudoHeaderSum(bytes, start, IpProtocol.udp, DATAGRAM_OCTETS));
    }
    this.#disposal.books[Book.originated]! += 1;
    this.#send(frame, association);
  }
}
