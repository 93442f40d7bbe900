// Monitors of type tcp-half-open: a SYN; SYN-ACK is an answer, and the kernel answers it with RST, so that the target never has a
// connection; RST is a refusal.
//
// The sequence number of the SYN is the slot and a random number; what comes back has to acknowledge just that, from the
// address and the port of the target to the port that it was sent from.

import { errorText } from '../core/errors.ts';
import { read16, read32 } from '../core/octets.ts';
import type { ProbeOutcome } from '../health/probe.ts';
import { loadAddon } from '../native/addon.ts';
import { IpProtocol } from '../wire/ipv4.ts';
import { TCP_SEQUENCE } from '../wire/tcp.ts';
import { HalfOpenSocket } from './half-open-socket.ts';
import { errorWords, isRefusal, message, quoted } from './icmp-message.ts';
import {
  type Attempts,
  MAX_PROBES,
  PacketProbes,
  type ProbeTarget,
  type SendFailure,
  SLOT_BITS,
} from './packet-probes.ts';
import { isFrom, isQuotedDestination, nameOfReporter } from './packet-source.ts';
import type { IcmpWire } from './raw-icmp.ts';
import { readSegment, segment, SegmentKind } from './tcp-segment.ts';

/** A socket that could not be opened is tried again after this long. */
const AGAIN_MS = 10_000;

type Failed = { readonly failure: SendFailure; readonly atMs: number };

export class HalfOpenProber {
  readonly #icmp: IcmpWire;
  readonly #sockets: Record<4 | 6, HalfOpenSocket | Failed | undefined> = { 4: undefined, 6: undefined };
  readonly #probes = new PacketProbes({ sent: 'TCP SYN', send: (slot) => this.#send(slot) });
  /** The port that each slot sends from, by its place among those of the family. */
  readonly #fromPort = new Uint16Array(MAX_PROBES);
  #turn = 0;

  /** `icmp`: where errors about SYNs come in. */
  constructor(icmp: IcmpWire) {
    this.#icmp = icmp;
    icmp.listen((bytes, _octets, family, source) => this.#hearError(bytes, family, source));
  }

  /** Undefined: too many are under way. */
  probe(target: ProbeTarget, attempts: Attempts, done: (outcome: ProbeOutcome) => void): (() => void) | undefined {
    return this.#probes.start(target, attempts, done);
  }

  close(): void {
    this.#probes.close();
    for (const family of [4, 6] as const) {
      const socket = this.#sockets[family];
      if (socket instanceof HalfOpenSocket) socket.close();
      this.#sockets[family] = undefined;
    }
  }

  #send(slot: number): SendFailure | undefined {
    const { family, words, port, mark } = this.#probes.targets[slot]!;
    const socket = this.#open(family);
    if (!(socket instanceof HalfOpenSocket)) return socket.failure;
    const { ports } = socket;
    // A further SYN of a probe is the same one again.
    if (!this.#probes.hasLeft(slot)) this.#fromPort[slot] = ports[this.#turn++ % ports.length]!;
    const sourcePort = this.#fromPort[slot]!;
    return socket.send(
      { destination: words, sourcePort, destinationPort: port, sequence: this.#sequenceOf(slot) },
      mark,
    );
  }

  #open(family: 4 | 6): HalfOpenSocket | Failed {
    const known = this.#sockets[family];
    if (known instanceof HalfOpenSocket) return known;
    if (known !== undefined && performance.now() - known.atMs < AGAIN_MS) return known;
    const socket = this.#openSocket(family);
    this.#sockets[family] = socket;
    return socket;
  }

  #openSocket(family: 4 | 6): HalfOpenSocket | Failed {
    const failed = (reason: string): Failed => ({
      failure: { verdict: 'impossible', reason },
      atMs: performance.now(),
    });
    const loaded = loadAddon();
    if (loaded.addon === undefined) return failed(`no half-open connections: ${loaded.reason}`);
    // Without it probes work, and do not hear what routers say.
    this.#icmp.open(family);
    try {
      return new HalfOpenSocket(loaded.addon, family, (bytes, at, end, words, wordsAt) => {
        if (readSegment(bytes, at, end)) this.#hear(family, words, wordsAt);
      });
    } catch (error) {
      return failed(errorText(error));
    }
  }

  /** What has been read last, from an address in four words. */
  #hear(family: 4 | 6, words: Int32Array, wordsAt: number): void {
    const { kind, sourcePort, destinationPort, answers } = segment;
    const slot = this.#slotOf(answers, destinationPort, sourcePort, family);
    if (slot === undefined) return;
    const target = this.#probes.targets[slot]!;
    for (let index = 0; index < 4; index++) if (words[wordsAt + index] !== target.words[index]) return;
    if (kind === SegmentKind.accepts) this.#probes.succeed(slot, 'TCP SYN, ACK');
    else this.#probes.refuse(slot, 'connection refused', 'TCP RST');
  }

  #hearError(bytes: Uint8Array, family: 4 | 6, source: string): void {
    if (!message.isError || quoted.protocol !== IpProtocol.tcp) return;
    const { ipStart, upperStart } = quoted;
    const sequence = read32(bytes, upperStart + TCP_SEQUENCE);
    const slot = this.#slotOf(sequence, read16(bytes, upperStart), read16(bytes, upperStart + 2), family);
    if (slot === undefined) return;
    const target = this.#probes.targets[slot]!;
    if (!isQuotedDestination(target, bytes, ipStart)) return;
    const words = errorWords(family);
    if (isRefusal(family) && isFrom(target, bytes, source)) this.#probes.refuse(slot, words, `ICMP ${words}`);
    else this.#probes.note(slot, `${words}, says ${nameOfReporter(bytes, family, source, ipStart)}`);
  }

  #sequenceOf(slot: number): number {
    return (this.#probes.tokens[slot]! << SLOT_BITS) | slot;
  }

  /** The probe whose SYN had this sequence number and these ports. */
  #slotOf(sequence: number, ownPort: number, targetPort: number, family: 4 | 6): number | undefined {
    const slot = sequence & (MAX_PROBES - 1);
    if (!this.#probes.isRunning(slot) || this.#sequenceOf(slot) !== sequence) return undefined;
    if (!this.#probes.hasLeft(slot) || this.#fromPort[slot] !== ownPort) return undefined;
    const target = this.#probes.targets[slot]!;
    return target.port === targetPort && target.family === family ? slot : undefined;
  }
}
