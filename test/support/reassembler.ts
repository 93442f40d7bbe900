// A reassembly by itself: fragments go in as octets, and what comes out is looked at and given back.

import { Column, CounterTable } from '../../src/core/counters.ts';
import { DROP_NAMES } from '../../src/core/drop-reason.ts';
import { Arena } from '../../src/packet/arena.ts';
import { FramePool, poolOctets, type PoolSizes } from '../../src/packet/pool.ts';
import { Book, createBooks, imbalance } from '../../src/pipeline/books.ts';
import { Disposal } from '../../src/pipeline/disposal.ts';
import { NullTap } from '../../src/pipeline/tap.ts';
import { Reassembly } from '../../src/route/reassembly.ts';
import { FILLER } from './octets.ts';

export const DOMAIN = 7;
const ROW = 3;

export class Reassembler {
  readonly pool: FramePool;
  readonly books = createBooks();
  readonly reassembly: Reassembly;
  nowMs = 1000;
  readonly #arena: Arena;
  readonly #disposal: Disposal;
  readonly #counters = new CounterTable(8);
  readonly #slots: number;

  constructor(sizes: PoolSizes = { smallSlots: 256, largeSlots: 160 }) {
    this.#arena = new Arena(new ArrayBuffer(4096 + poolOctets(sizes)));
    this.pool = new FramePool(this.#arena, 4096, sizes);
    this.#slots = sizes.smallSlots + sizes.largeSlots + (sizes.packetSlots ?? 0);
    this.#disposal = new Disposal(this.books, this.#counters, this.pool, new NullTap());
    this.reassembly = new Reassembly(this.#disposal);
  }

  /** Takes a packet behind `link` octets of link header; what comes out behind them, undefined: nothing. */
  accept(packet: Uint8Array, domain = DOMAIN, link = 14, member = 1): Buffer | undefined {
    const { bytes } = this.#arena;
    const frame = this.pool.acquire(link + packet.length)!;
    this.books[Book.received]! += 1;
    bytes.fill(FILLER, frame.start, frame.start + link);
    bytes.set(packet, frame.start + link);
    frame.end = frame.start + link + packet.length;
    frame.member = member;
    const accept = packet[0]! >>> 4 === 4 ? 'acceptIpv4' : 'acceptIpv6';
    const whole = this.reassembly[accept](frame, frame.start + link, domain, ROW, this.nowMs);
    if (imbalance(this.books) !== (whole === undefined ? 0 : 1)) throw new Error(`books: ${[...this.books].join(' ')}`);
    if (whole === undefined) return undefined;
    if (whole.member !== member) throw new Error(`the packet came in by ${whole.member}`);
    const octets = Buffer.from(bytes.slice(whole.start, whole.end));
    if (!octets.subarray(0, link).every((octet) => octet === FILLER))
      throw new Error('not the link header of a fragment');
    this.#disposal.consume(whole);
    return octets.subarray(link);
  }

  /** Drops by reason. */
  get drops(): Record<string, number> {
    const counts = DROP_NAMES.map((name, verdict) => [name, this.#counters.read(ROW, Column.drops + verdict)] as const);
    return Object.fromEntries(counts.filter(([, count]) => count > 0));
  }

  /** Packets that are being put together. */
  get held(): number {
    return this.books[Book.held]!;
  }

  /** Buffers that are in use. */
  get used(): number {
    return this.#slots - this.pool.free;
  }
}
