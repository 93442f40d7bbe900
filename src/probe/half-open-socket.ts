// The raw TCP socket of one family for half-open probes, and the ports that it sends from, by the addon: the package raw-socket
// would get all TCP of the host, for only the kernel can be told by a filter what concerns us (docs/decisions/raw-probes.md).
//
// A reserved port is bound and does not listen: the kernel answers the SYN-ACK with RST by itself, and gives the port to nobody.

import { getSystemErrorName } from 'node:util';
import { errorText } from '../core/errors.ts';
import { type Addon, RAW_STRIDE, type Watch } from '../native/addon.ts';
import { accept, assemble, Code, type Instruction, refuse } from '../net/classic-bpf.ts';
import { Arena, EXTENT_ALIGNMENT } from '../packet/arena.ts';
import { IpProtocol } from '../wire/ipv4.ts';
import { TCP_FLAGS, TCP_RST, TCP_SYN } from '../wire/tcp.ts';
import type { SendFailure } from './packet-probes.ts';
import { HOW_TO_PERMIT } from './raw-icmp.ts';
import { SYN_OCTETS, type Syn, writeSyn } from './tcp-segment.ts';

/** Ports that a family sends from, so that the probes of one target do not meet each other. */
const PORTS = 8;
const SLOTS = 64;
/** Room for a header with options; of more nothing is wanted. */
const SLOT_OCTETS = 256;
/** Receives in a row; what is left keeps the socket readable. */
const MAX_RECEIVES = 8;
const TTL = 64;
const ANY = { 4: '0.0.0.0', 6: '::' } as const;

/** Hears of what came: a segment in [at, end), from the address in four words. */
export type SegmentListener = (bytes: Uint8Array, at: number, end: number, words: Int32Array, wordsAt: number) => void;

export class HalfOpenSocket {
  readonly #addon: Addon;
  readonly #family: 4 | 6;
  readonly #arena: Arena;
  readonly #socket: number;
  readonly #watch: Watch;
  readonly #reserved: (readonly [descriptor: number, port: number])[] = [];
  readonly #received = new Int32Array(SLOTS * RAW_STRIDE);
  readonly #transmitted = new Int32Array(RAW_STRIDE);
  readonly #source = new Int32Array(4);
  readonly #listener: SegmentListener;
  #isOpen = true;
  #mark = 0;

  /** Throws an Error that says for a person what is missing. */
  constructor(addon: Addon, family: 4 | 6, listener: SegmentListener) {
    this.#addon = addon;
    this.#family = family;
    this.#listener = listener;
    const arena = addon.arenaCreate(EXTENT_ALIGNMENT + SLOTS * SLOT_OCTETS);
    this.#arena = new Arena(addon.arenaBuffer(arena));
    try {
      for (let index = 0; index < PORTS; index++) this.#reserved.push(addon.portReserve(family));
      this.#socket = addon.rawOpen(
        arena,
        {
          ...{ family, protocol: IpProtocol.tcp, localAddress: ANY[family], ttl: TTL },
          ...{ dontFragment: false, device: '', joins: false, headroomOctets: 0, shiftOctets: 0 },
          ...{ slotsOffset: EXTENT_ALIGNMENT, slotOctets: SLOT_OCTETS, slots: SLOTS },
        },
        segmentFilter(family, this.ports),
      );
    } catch (error) {
      this.#free();
      const isForbidden = error instanceof Error && 'code' in error && error.code === 'EPERM';
      throw new Error(`no raw TCP socket: ${isForbidden ? HOW_TO_PERMIT : errorText(error)}`, { cause: error });
    }
    this.#watch = addon.watchReadable(addon.rawDescriptors(this.#socket)[0]!, () => this.#receive());
  }

  get ports(): readonly number[] {
    return this.#reserved.map(([, port]) => port);
  }

  /** Sends a SYN from whatever address the routes of packets with the mark say. */
  send(syn: Omit<Syn, 'family' | 'source'>, mark: number): SendFailure | undefined {
    const { destination } = syn;
    for (let index = 0; index < 4; index++) this.#source[index] = destination[index]!;
    const unreachable = this.#addon.sourceAddress(this.#family, this.#source, mark);
    if (unreachable !== 0) return failureOf(unreachable);
    const unmarked = this.#markAs(mark);
    if (unmarked !== 0) return failureOf(unmarked);
    writeSyn(this.#arena.bytes, 0, { ...syn, family: this.#family, source: this.#source });
    const words = this.#transmitted;
    words[0] = 0;
    words[1] = SYN_OCTETS;
    for (let index = 0; index < 4; index++) words[4 + index] = destination[index]!;
    if (this.#addon.rawTransmit(this.#socket, words, 0, 1) === 1) return undefined;
    return failureOf(this.#addon.lastError());
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#addon.unwatch(this.#watch);
    this.#addon.rawClose(this.#socket);
    this.#free();
  }

  /** 0, or the errno that says why not. */
  #markAs(mark: number): number {
    if (mark === this.#mark) return 0;
    const error = this.#addon.markSocket(this.#addon.rawDescriptors(this.#socket)[0]!, mark);
    if (error === 0) this.#mark = mark;
    return error;
  }

  #free(): void {
    for (const [descriptor] of this.#reserved.splice(0)) this.#addon.closeDescriptor(descriptor);
  }

  #receive(): void {
    const words = this.#received;
    for (let turn = 0; turn < MAX_RECEIVES; turn++) {
      const count = this.#addon.rawReceive(this.#socket, words, SLOTS);
      for (let index = 0, at = 0; index < count; index++, at += RAW_STRIDE) {
        const start = words[at]!;
        this.#listener(this.#arena.bytes, start, start + words[at + 1]!, words, at + 4);
        if (!this.#isOpen) return;
      }
      if (count < SLOTS) return;
    }
  }
}

/** Segments with SYN or RST to one of the ports. */
function segmentFilter(family: 4 | 6, ports: readonly number[]): Uint8Array {
  // Of IPv6 the kernel hands over what is behind the header.
  const header: Instruction[] = family === 4 ? [[Code.indexHeader, 0, 0, 0]] : [[Code.index, 0, 0, 0]];
  return assemble([
    ...header,
    [Code.loadByteIndexed, 0, 0, TCP_FLAGS],
    [Code.jumpBits, 1, 0, TCP_SYN | TCP_RST],
    refuse,
    [Code.loadHalfIndexed, 0, 0, 2],
    ...ports.flatMap((port): Instruction[] => [[Code.jumpEqual, 0, 1, port], accept]),
    refuse,
  ]);
}

function failureOf(errno: number): SendFailure {
  const code = getSystemErrorName(-errno);
  if (code === 'ENETUNREACH' || code === 'EHOSTUNREACH') return { verdict: 'silent', reason: 'no route to it' };
  if (code === 'ENETDOWN') return { verdict: 'silent', reason: 'the network is down' };
  const why = code === 'EPERM' ? 'not permitted, perhaps by a packet filter of this host' : code;
  return { verdict: 'impossible', reason: `could not be sent: ${why}` };
}
