// Inbound processing of IPsec (RFC 4301, section 5.2): packets to our addresses that are ESP or AH.
//
//   1. SPI, protocol and destination name the security association
//   2. all packets of a batch are verified and decrypted at once
//   3. what was inside matches a selector of the association's policy, or is dropped
//   4. from a tunnel it is routed as a packet that came in here; in transport mode it is for us
//
// Behind UDP there may be keepalives, which end here, and messages of key exchange, which go to whoever has registered.

import type { Member } from '../../../bridge/domain.ts';
import { Column, ROW_STRIDE } from '../../../core/counters.ts';
import { Drop, FORWARD, type Verdict } from '../../../core/drop-reason.ts';
import { read32, write16 } from '../../../core/octets.ts';
import type { Association } from '../../../ipsec/association-database.ts';
import { MAX_JOBS } from '../../../ipsec/crypto.ts';
import type { Opener } from '../../../ipsec/opener.ts';
import { IpsecProtocol } from '../../../ipsec/security-association.ts';
import { tunnelScope } from '../../../ipsec/traffic-selector.ts';
import { canSplit, type DatagramFrames } from '../../../packet/datagrams.ts';
import { copyMetadata, type Frame, FrameBatch, Gso } from '../../../packet/frame.ts';
import { Book } from '../../../pipeline/books.ts';
import type { Disposal } from '../../../pipeline/disposal.ts';
import type { PipelineNode } from '../../../pipeline/node.ts';
import { Direction } from '../../../pipeline/tap.ts';
import { IPV4_TOTAL_LENGTH, IpProtocol, ipv4Destination, ipv4Source, writeIpv4Checksum } from '../../../wire/ipv4.ts';
import { IPV6_DESTINATION, IPV6_HEADER_OCTETS, IPV6_PAYLOAD_LENGTH, IPV6_SOURCE } from '../../../wire/ipv6.ts';
import { UDP_HEADER_OCTETS, UDP_LENGTH, udpSourcePort } from '../../../wire/udp.ts';
import { classifyUdpEncapsulated, UdpEncapsulated } from '../../../wire/udp-encapsulation.ts';
import type { IpsecGate } from '../ipsec-gate.ts';
import type { LocalAddresses } from '../local-addresses.ts';
import type { PacketReceiver } from './packet-receiver.ts';

/** SPI and sequence number. */
const ESP_HEADER_OCTETS = 8;
/** Next header, length, reserved, SPI. */
const AH_SPI = 4;
const AH_FIXED_OCTETS = 12;

const SENDER_WORDS = 5;

/** Takes a packet with a message of key exchange, its UDP header at `udp`: FORWARD, or why not. */
export type TakeNotEsp = (frame: Frame, udp: number) => Verdict;

export class IpsecInboundNode implements PipelineNode {
  readonly name = 'ipsec-inbound';
  readonly input: FrameBatch;
  /** Who gets messages of key exchange. */
  notEsp: TakeNotEsp = () => Drop.ipsecNotEsp;
  readonly #gate: IpsecGate;
  readonly #opener: Opener;
  readonly #members: readonly (Member | undefined)[];
  readonly #addresses: LocalAddresses;
  readonly #disposal: Disposal;
  readonly #bytes: Uint8Array;
  readonly #toRoute: FrameBatch;
  readonly #receiver: PacketReceiver;
  readonly #associations: Association[] = [];
  readonly #datagrams: DatagramFrames;
  readonly #joined = new FrameBatch();
  /** Of each packet in the opener that came behind UDP: four words of address, and a port. */
  readonly #senders = new Int32Array(MAX_JOBS * SENDER_WORDS);

  constructor(
    gate: IpsecGate,
    opener: Opener,
    members: readonly (Member | undefined)[],
    addresses: LocalAddresses,
    disposal: Disposal,
    toRoute: FrameBatch,
    receiver: PacketReceiver,
    datagrams: DatagramFrames,
  ) {
    this.#datagrams = datagrams;
    this.input = gate.toOpen;
    this.#gate = gate;
    this.#opener = opener;
    this.#members = members;
    this.#addresses = addresses;
    this.#disposal = disposal;
    this.#bytes = disposal.pool.arena.bytes;
    this.#toRoute = toRoute;
    this.#receiver = receiver;
  }

  process(): void {
    const { frames, length } = this.input;
    for (let index = 0; index < length; index++) this.#open(frames[index]!);
    this.#flush();
    // What comes out of one association may be for another.
    this.input.removeFirst(length);
  }

  #drop(frame: Frame, why: Verdict): void {
    this.#disposal.drop(frame, why, this.#members[frame.member]?.row ?? 0);
  }

  #open(frame: Frame): void {
    const bytes = this.#bytes;
    const { start } = frame;
    let at = frame.upperStart;
    let protocol = frame.upperProtocol;
    const isUdp = protocol === IpProtocol.udp;
    if (isUdp) {
      if (frame.gsoType !== Gso.none) {
        this.#openJoined(frame);
        return;
      }
      at += UDP_HEADER_OCTETS;
      if (!this.#isEsp(frame, at)) return;
      protocol = IpsecProtocol.esp;
    }
    const isEsp = protocol === IpsecProtocol.esp;
    if (frame.end - at < (isEsp ? ESP_HEADER_OCTETS : AH_FIXED_OCTETS)) {
      this.#drop(frame, Drop.ipsecTooShort);
      return;
    }
    const association = this.#find(frame, start, protocol, read32(bytes, isEsp ? at : at + AH_SPI));
    if (association === undefined) {
      this.#drop(frame, Drop.ipsecUnknownSpi);
      return;
    }
    if (association.inbound.isUdp !== isUdp) {
      this.#disposal.drop(frame, Drop.ipsecProtocolMismatch, association.spec.row);
      return;
    }
    if (isUdp) this.#noteSender(this.#opener.count, start, at - UDP_HEADER_OCTETS);
    this.#note(frame, association, this.#opener.add(frame, association.inbound, at));
  }

  /** The association of an SPI, by the addresses in the IP header at `ip`. */
  #find(frame: Frame, ip: number, protocol: number, spi: number): Association | undefined {
    const bytes = this.#bytes;
    const { routeDomain } = this.#members[frame.member]!.domain;
    const { associations } = this.#gate;
    const to = ip + IPV6_DESTINATION;
    return bytes[ip]! >>> 4 === 6
      ? associations.findInbound(
          protocol,
          routeDomain,
          spi,
          read32(bytes, to),
          read32(bytes, to + 4),
          read32(bytes, to + 8),
          read32(bytes, to + 12),
        )
      : associations.findInbound(protocol, routeDomain, spi, 0, 0, 0, ipv4Destination(bytes, ip));
  }

  /** What the opener has said of the packet that it was given. */
  #note(frame: Frame, association: Association, verdict: Verdict): void {
    if (verdict !== FORWARD) {
      this.#disposal.drop(frame, verdict, association.spec.row);
      return;
    }
    this.#associations[this.#opener.count - 1] = association;
    if (this.#opener.isFull) this.#flush();
  }

  /** Datagrams that came joined: ESP of tunnel mode is opened where it lies, all else is taken apart first. */
  #openJoined(frame: Frame): void {
    const disposal = this.#disposal;
    const { start: ip, upperStart: udp } = frame;
    const payload = udp + UDP_HEADER_OCTETS;
    if (frame.gsoType !== Gso.udpL4 || !canSplit(frame, payload)) {
      this.#drop(frame, Drop.gsoUnsupported);
      return;
    }
    const { frames, length } = this.#split(frame, payload);
    for (let index = 0; index < length; index++) {
      const datagram = frames[index]!;
      const { start, end } = datagram;
      const isEsp = classifyUdpEncapsulated(this.#bytes, start, end) === UdpEncapsulated.esp;
      const association = isEsp ? this.#find(frame, ip, IpsecProtocol.esp, read32(this.#bytes, start)) : undefined;
      // Of one that is dropped a capture shall show the headers.
      if (association?.inbound.isUdp !== true || !association.inbound.isTunnel || disposal.tap.dropped) {
        this.#openApart(datagram, ip, udp);
        continue;
      }
      this.#noteSender(this.#opener.count, ip, udp);
      this.#note(datagram, association, this.#opener.addJoined(datagram, association.inbound, ip));
    }
    this.#joined.clear();
    disposal.consume(frame);
  }

  #split(frame: Frame, payload: number): FrameBatch {
    this.#datagrams.split(frame, payload, this.#joined);
    this.#disposal.books[Book.originated]! += this.#joined.length;
    return this.#joined;
  }

  /** Opens a datagram as if it had come alone, behind a copy of the headers that it came behind. */
  #openApart(datagram: Frame, ip: number, udp: number): void {
    const disposal = this.#disposal;
    const bytes = this.#bytes;
    const headerOctets = udp + UDP_HEADER_OCTETS - ip;
    const octets = headerOctets + datagram.end - datagram.start;
    const alone = disposal.pool.acquire(octets);
    if (alone === undefined) {
      this.#drop(datagram, Drop.noBuffer);
      return;
    }
    copyMetadata(datagram, alone);
    const { start } = alone;
    alone.end = start + octets;
    bytes.copyWithin(start, ip, ip + headerOctets);
    bytes.copyWithin(start + headerOctets, datagram.start, datagram.end);
    const isIpv4 = bytes[start]! >>> 4 === 4;
    if (isIpv4) write16(bytes, start + IPV4_TOTAL_LENGTH, octets);
    else write16(bytes, start + IPV6_PAYLOAD_LENGTH, octets - IPV6_HEADER_OCTETS);
    if (isIpv4) writeIpv4Checksum(bytes, start);
    alone.upperStart = start + udp - ip;
    alone.upperProtocol = IpProtocol.udp;
    write16(bytes, alone.upperStart + UDP_LENGTH, alone.end - alone.upperStart);
    disposal.books[Book.originated]! += 1;
    disposal.consume(datagram);
    this.#open(alone);
  }

  /** Whether a datagram to UDP 4500 carries ESP; if not it has been taken or dropped. */
  #isEsp(frame: Frame, at: number): boolean {
    switch (classifyUdpEncapsulated(this.#bytes, at, frame.end)) {
      case UdpEncapsulated.esp:
        return true;
      case UdpEncapsulated.keepalive:
        this.#disposal.consume(frame);
        return false;
      case UdpEncapsulated.nonEsp: {
        const verdict = this.notEsp(frame, at - UDP_HEADER_OCTETS);
        if (verdict !== FORWARD) this.#drop(frame, verdict);
        return false;
      }
      default:
        this.#drop(frame, Drop.ipsecTooShort);
        return false;
    }
  }

  /** Keeps where a packet behind UDP came from, until it is known whether to believe it. */
  #noteSender(entry: number, ip: number, udp: number): void {
    const bytes = this.#bytes;
    const isIpv6 = bytes[ip]! >>> 4 === 6;
    const senders = this.#senders;
    const at = entry * SENDER_WORDS;
    const source = ip + IPV6_SOURCE;
    senders[at] = isIpv6 ? read32(bytes, source) : 0;
    senders[at + 1] = isIpv6 ? read32(bytes, source + 4) : 0;
    senders[at + 2] = isIpv6 ? read32(bytes, source + 8) : 0;
    senders[at + 3] = isIpv6 ? read32(bytes, source + 12) : ipv4Source(bytes, ip);
    senders[at + 4] = udpSourcePort(bytes, udp);
  }

  /** Sends to where the other end is now, in the other direction. */
  #follow(entry: number, { reverse }: Association): void {
    const senders = this.#senders;
    const at = entry * SENDER_WORDS;
    reverse?.outbound.follow(senders[at]!, senders[at + 1]!, senders[at + 2]!, senders[at + 3]!, senders[at + 4]!);
  }

  #flush(): void {
    const opener = this.#opener;
    if (opener.count === 0) return;
    const disposal = this.#disposal;
    const count = opener.flush();
    for (let index = 0; index < count; index++) {
      const source = opener.sources[index]!;
      const association = this.#associations[index]!;
      const verdict = opener.verdicts[index]!;
      if (verdict !== FORWARD) {
        disposal.drop(source, verdict, association.spec.row);
        continue;
      }
      const frame = opener.opened[index]!;
      if (frame !== source) {
        disposal.books[Book.originated]! += 1;
        disposal.consume(source);
      }
      if (association.inbound.isUdp) this.#follow(index, association);
      this.#emerge(frame, association);
    }
    opener.clear();
  }

  /** A packet has come out of an association. */
  #emerge(frame: Frame, association: Association): void {
    const disposal = this.#disposal;
    const { spec } = association;
    const { row, tunnel, policy, id } = spec;
    const { cells } = disposal.counters;
    const base = row * ROW_STRIDE;
    const octets = frame.end - frame.start;
    cells[base + Column.inFrames]! += 1;
    cells[base + Column.inOctets]! += octets;
    const scope = tunnel === -1 ? spec.routeDomain : tunnelScope(tunnel);
    this.#gate.read(frame, scope);
    const found = this.#gate.policies.find('in', scope);
    if (found?.action !== 'protect' || found.policy !== policy) {
      disposal.drop(frame, Drop.ipsecPolicyMismatch, row);
      return;
    }
    if (disposal.tap.passing) disposal.tap.recordPass(frame, row, Direction.inbound);
    frame.protection = id + 1;
    frame.outerStart = 0;
    frame.vlanTci = 0;
    if (!spec.sa.isTunnel) {
      this.#acceptLocal(frame, spec.routeDomain);
      return;
    }
    if (tunnel !== -1) {
      const member = this.#members[tunnel];
      if (member?.enabled !== true) {
        disposal.drop(frame, Drop.tunnelDisabled, row);
        return;
      }
      frame.member = tunnel;
      const tunnelBase = member.row * ROW_STRIDE;
      cells[tunnelBase + Column.inFrames]! += 1;
      cells[tunnelBase + Column.inOctets]! += octets;
    }
    this.#toRoute.push(frame);
  }

  #acceptLocal(frame: Frame, routeDomain: number): void {
    const bytes = this.#bytes;
    const { start } = frame;
    if (bytes[start]! >>> 4 === 4) {
      const owner = this.#addresses.ownerOf(routeDomain, 0, 0, 0, ipv4Destination(bytes, start));
      this.#receiver.acceptIpv4(frame, owner);
      return;
    }
    const at = start + IPV6_DESTINATION;
    const owner = this.#addresses.ownerOf(
      routeDomain,
      read32(bytes, at),
      read32(bytes, at + 4),
      read32(bytes, at + 8),
      read32(bytes, at + 12),
    );
    this.#receiver.acceptIpv6(frame, owner);
  }
}
