// Echo requests that measure a way: each of some size, over so many hops at most, timed to the microsecond.
//
// An answer counts with the identifier of this process, the sequence number of the request, random numbers of both in the payload, and
// for a reply the address that was asked; an error has to quote the request. docs/decisions/raw-probes.md says what raw sockets want.

import { randomBytes, randomInt } from 'node:crypto';
import { checksumAdd, checksumFinish } from '../core/checksum.ts';
import { read32, write16, write32 } from '../core/octets.ts';
import { IpProtocol } from '../wire/ipv4.ts';
import {
  echoIdentifier,
  echoSequence,
  EchoType,
  ErrorType,
  ErrorType6,
  errorWords,
  ICMP_HEADER_OCTETS,
  message,
  quoted,
} from './icmp-message.ts';
import type { ProbeTarget } from './packet-probes.ts';
import { isFrom, isQuotedDestination } from './packet-source.ts';
import type { IcmpWire } from './raw-icmp.ts';

export type Echo =
  /** The target has answered. */
  | { readonly end: 'reply'; readonly micros: number }
  /** A router on the way has said that the hops are used up. */
  | { readonly end: 'exceeded' }
  | { readonly end: 'silent' | 'impossible'; readonly reason: string };

export type EchoRequest = {
  readonly target: ProbeTarget;
  /** undefined: as many as usual. */
  readonly hops?: number | undefined;
  /** Of the IP packet. */
  readonly octets: number;
  readonly timeoutMs: number;
};

type Waiting = {
  readonly target: ProbeTarget;
  readonly token: number;
  readonly sentMs: number;
  readonly timer: NodeJS.Timeout;
  readonly done: (echo: Echo) => void;
  reason: string;
};

const CHECKSUM = 2;
const IDENTIFIER = 4;
const SEQUENCE = 6;
const PROCESS_TOKEN = ICMP_HEADER_OCTETS;
const PROBE_TOKEN = PROCESS_TOKEN + 8;
const LEAST_OCTETS = PROBE_TOKEN + 4;
const MOST_OCTETS = 1472;
const IP_OCTETS = { 4: 20, 6: 40 } as const;
const MOST_WAITING = 4096;

export class PathEcho {
  readonly #icmp: IcmpWire;
  readonly #identifier = randomBytes(2).readUInt16BE();
  readonly #processToken = randomBytes(8);
  readonly #packet = Buffer.alloc(MOST_OCTETS);
  readonly #waiting = new Map<number, Waiting>();
  #sequence = randomInt(65_536);

  constructor(icmp: IcmpWire) {
    this.#icmp = icmp;
    icmp.listen((bytes, octets, family, source) => this.#hear(bytes, octets, family, source));
  }

  ask({ target, hops, octets, timeoutMs }: EchoRequest): Promise<Echo> {
    const { family, address } = target;
    if (this.#waiting.size >= MOST_WAITING) return Promise.resolve({ end: 'impossible', reason: 'too many at a time' });
    const closed = this.#icmp.open(family);
    if (closed !== undefined) return Promise.resolve({ end: 'impossible', reason: closed.reason });
    const sequence = this.#nextSequence();
    const token = randomBytes(4).readInt32BE();
    const length = Math.max(LEAST_OCTETS, Math.min(MOST_OCTETS, octets - IP_OCTETS[family]));
    this.#write(family, sequence, token, length);
    return new Promise((done) => {
      const timer = setTimeout(() => this.#end(sequence, undefined), timeoutMs);
      const sentMs = performance.now();
      this.#waiting.set(sequence, { target, token, sentMs, timer, done, reason: 'no answer' });
      const failure = this.#icmp.send(family, this.#packet, length, address, target.mark, hops);
      if (failure === undefined) return;
      const { verdict, reason } = failure;
      this.#end(sequence, { end: verdict, reason });
    });
  }

  close(): void {
    for (const sequence of [...this.#waiting.keys()]) this.#end(sequence, undefined);
  }

  #nextSequence(): number {
    do this.#sequence = (this.#sequence + 1) & 0xffff;
    while (this.#waiting.has(this.#sequence));
    return this.#sequence;
  }

  #write(family: 4 | 6, sequence: number, token: number, length: number): void {
    const packet = this.#packet;
    packet.fill(0, 0, length);
    packet[0] = family === 4 ? EchoType.request4 : EchoType.request6;
    write16(packet, IDENTIFIER, this.#identifier);
    write16(packet, SEQUENCE, sequence);
    packet.set(this.#processToken, PROCESS_TOKEN);
    write32(packet, PROBE_TOKEN, token);
    // Over IPv6 the kernel writes it.
    if (family === 4) write16(packet, CHECKSUM, checksumFinish(checksumAdd(packet, 0, length, 0)));
  }

  /** Without an echo: it has not come in time. */
  #end(sequence: number, echo: Echo | undefined): void {
    const waiting = this.#waiting.get(sequence);
    if (waiting === undefined) return;
    this.#waiting.delete(sequence);
    clearTimeout(waiting.timer);
    waiting.done(echo ?? { end: 'silent', reason: waiting.reason });
  }

  #hear(bytes: Uint8Array, octets: number, family: 4 | 6, source: string): void {
    if (message.isError) {
      this.#hearError(bytes, family);
      return;
    }
    const { at } = message;
    if (octets - at < LEAST_OCTETS) return;
    const sequence = echoSequence(bytes, at);
    const waiting = this.#waitingFor(bytes, at, sequence, family);
    if (waiting === undefined || !this.#hasTokens(bytes, at, waiting)) return;
    if (!isFrom(waiting.target, bytes, source)) return;
    const micros = Math.max(1, Math.round(1000 * (performance.now() - waiting.sentMs)));
    this.#end(sequence, { end: 'reply', micros });
  }

  #hearError(bytes: Uint8Array, family: 4 | 6): void {
    const { ipStart, upperStart, end, protocol } = quoted;
    if (protocol !== (family === 4 ? IpProtocol.icmp : IpProtocol.icmpv6)) return;
    if (bytes[upperStart] !== (family === 4 ? EchoType.request4 : EchoType.request6)) return;
    const sequence = echoSequence(bytes, upperStart);
    const waiting = this.#waitingFor(bytes, upperStart, sequence, family);
    if (waiting === undefined || !isQuotedDestination(waiting.target, bytes, ipStart)) return;
    // Routers need not quote more than the header of ours (RFC 792).
    if (end - upperStart >= LEAST_OCTETS && !this.#hasTokens(bytes, upperStart, waiting)) return;
    const exceeded = family === 4 ? ErrorType.timeExceeded4 : ErrorType6.timeExceeded;
    if (message.type === exceeded && message.code === 0) this.#end(sequence, { end: 'exceeded' });
    // Anybody can forge an error, and routers may be wrong for a moment: it is but the reason, if nothing better comes.
    else waiting.reason = errorWords(family);
  }

  #waitingFor(bytes: Uint8Array, at: number, sequence: number, family: 4 | 6): Waiting | undefined {
    if (echoIdentifier(bytes, at) !== this.#identifier) return undefined;
    const waiting = this.#waiting.get(sequence);
    return waiting?.target.family === family ? waiting : undefined;
  }

  #hasTokens(bytes: Uint8Array, at: number, { token }: Waiting): boolean {
    if (read32(bytes, at + PROBE_TOKEN) !== token) return false;
    return this.#processToken.every((octet, index) => bytes[at + PROCESS_TOKEN + index] === octet);
  }
}
