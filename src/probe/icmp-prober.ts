// Monitors of type icmp and gateway-icmp: echo requests of all probes by one socket for each family (raw-icmp.ts).
//
// A reply counts when identifier (of this process), sequence number (the slot), source address and two random numbers in the
// payload, one of this process and one of the probe, are those that were sent.

import { randomBytes } from 'node:crypto';
import { checksumAdd, checksumFinish } from '../core/checksum.ts';
import { read32, write16, write32 } from '../core/octets.ts';
import type { ProbeOutcome } from '../health/probe.ts';
import { IpProtocol } from '../wire/ipv4.ts';
import {
  echoIdentifier,
  echoSequence,
  EchoType,
  errorWords,
  ICMP_HEADER_OCTETS,
  isRefusal,
  message,
  quoted,
} from './icmp-message.ts';
import { type Attempts, PacketProbes, type ProbeTarget, type SendFailure } from './packet-probes.ts';
import { isFrom, isQuotedDestination, nameOfReporter } from './packet-source.ts';
import type { IcmpWire } from './raw-icmp.ts';

const CHECKSUM = 2;
const IDENTIFIER = 4;
const SEQUENCE = 6;
const PROCESS_TOKEN = ICMP_HEADER_OCTETS;
const PROBE_TOKEN = PROCESS_TOKEN + 8;
/** A multiple of 4, and as small as it may be: a network that loses large packets is not what is asked about. */
const PACKET_OCTETS = PROBE_TOKEN + 4;

export class IcmpProber {
  readonly #icmp: IcmpWire;
  readonly #identifier = randomBytes(2).readUInt16BE();
  readonly #processToken = randomBytes(8);
  readonly #packets: Record<4 | 6, Buffer>;
  /** The sum over what is the same in each packet. */
  readonly #sum: number;
  readonly #probes = new PacketProbes({ sent: 'ICMP echo request', send: (slot) => this.#send(slot) });

  constructor(icmp: IcmpWire) {
    this.#icmp = icmp;
    this.#packets = { 4: this.#template(EchoType.request4), 6: this.#template(EchoType.request6) };
    this.#sum = checksumAdd(this.#packets[4], 0, PACKET_OCTETS, 0);
    icmp.listen((bytes, octets, family, source) => this.#hear(bytes, octets, family, source));
  }

  /** Undefined: too many are under way. */
  probe(target: ProbeTarget, attempts: Attempts, done: (outcome: ProbeOutcome) => void): (() => void) | undefined {
    return this.#probes.start(target, attempts, done);
  }

  close(): void {
    this.#probes.close();
  }

  #template(type: number): Buffer {
    const packet = Buffer.alloc(PACKET_OCTETS);
    packet[0] = type;
    write16(packet, IDENTIFIER, this.#identifier);
    packet.set(this.#processToken, PROCESS_TOKEN);
    return packet;
  }

  #send(slot: number): SendFailure | undefined {
    const { family, address, mark } = this.#probes.targets[slot]!;
    const closed = this.#icmp.open(family);
    if (closed !== undefined) return closed;
    const packet = this.#packets[family];
    const token = this.#probes.tokens[slot]!;
    write16(packet, SEQUENCE, slot);
    write32(packet, PROBE_TOKEN, token);
    // Over IPv6 the kernel writes it.
    if (family === 4) write16(packet, CHECKSUM, checksumFinish(this.#sum + slot + (token >>> 16) + (token & 0xffff)));
    return this.#icmp.send(family, packet, PACKET_OCTETS, address, mark);
  }

  #hear(bytes: Uint8Array, octets: number, family: 4 | 6, source: string): void {
    if (message.isError) {
      this.#hearError(bytes, family, source);
      return;
    }
    const { at } = message;
    const slot = echoSequence(bytes, at);
    if (octets - at < PACKET_OCTETS || !this.#isOurs(bytes, at, slot, family)) return;
    if (!this.#hasTokens(bytes, at, slot)) return;
    if (isFrom(this.#probes.targets[slot]!, bytes, source)) this.#probes.succeed(slot, 'ICMP echo reply');
  }

  #hearError(bytes: Uint8Array, family: 4 | 6, source: string): void {
    const { ipStart, upperStart, end, protocol } = quoted;
    if (protocol !== (family === 4 ? IpProtocol.icmp : IpProtocol.icmpv6)) return;
    if (bytes[upperStart] !== (family === 4 ? EchoType.request4 : EchoType.request6)) return;
    const slot = echoSequence(bytes, upperStart);
    if (!this.#isOurs(bytes, upperStart, slot, family)) return;
    const target = this.#probes.targets[slot]!;
    if (!isQuotedDestination(target, bytes, ipStart)) return;
    // Routers need not quote more than the header of ours (RFC 792); such an error decides nothing.
    const isLong = end - upperStart >= PACKET_OCTETS;
    if (isLong && !this.#hasTokens(bytes, upperStart, slot)) return;
    const words = errorWords(family);
    if (isLong && isRefusal(family) && isFrom(target, bytes, source)) {
      this.#probes.refuse(slot, words, `ICMP ${words}`);
    } else this.#probes.note(slot, `${words}, says ${nameOfReporter(bytes, family, source, ipStart)}`);
  }

  #isOurs(bytes: Uint8Array, at: number, slot: number, family: 4 | 6): boolean {
    if (echoIdentifier(bytes, at) !== this.#identifier || !this.#probes.isRunning(slot)) return false;
    return this.#probes.hasLeft(slot) && this.#probes.targets[slot]!.family === family;
  }

  #hasTokens(bytes: Uint8Array, at: number, slot: number): boolean {
    if (read32(bytes, at + PROBE_TOKEN) !== this.#probes.tokens[slot]) return false;
    for (let index = 0; index < 8; index++) {
      if (bytes[at + PROCESS_TOKEN + index] !== this.#processToken[index]) return false;
    }
    return true;
  }
}
