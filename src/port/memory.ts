// Two ports joined back to back in memory, for tests: what one sends, the other receives, copied.

import { Drop, type Verdict } from '../core/drop-reason.ts';
import type { Arena, ArenaAllocator } from '../packet/arena.ts';
import { BURST, copyMetadata, Frame, type FrameBatch, HEADROOM_OCTETS, resetMetadata } from '../packet/frame.ts';
import { LARGE_FRAME_OCTETS } from '../packet/pool.ts';
import type { Port, PortCounters, PortMedium } from './port.ts';

export type MemoryEnd = {
  name: string;
  index: number;
  /** For medium `udp`: the IPv4 address and port that the other end sees as the source. */
  address?: number;
  port?: number;
  /** Whether it takes super-frames behind outer headers, and passes them on as they are. */
  cutsTunnelled?: boolean;
};

export type MemoryPairOptions = {
  ends: readonly [MemoryEnd, MemoryEnd];
  medium?: PortMedium;
  /** Frames that wait in each direction, those handed over by the last receive included. */
  slots?: number;
  maxFrameOctets?: number;
};

/** Room behind a full-sized frame for the VLAN tag that `maxFrameOctets` does not count. */
const TAG_OCTETS = 4;

/** Makes both ends; throws when the arena has no room for their slots. */
export function createMemoryPair(
  arena: Arena,
  allocator: ArenaAllocator,
  options: MemoryPairOptions,
): [MemoryPort, MemoryPort] {
  const [left, right] = options.ends;
  const a = new MemoryPort(arena, allocator, left, options);
  const b = new MemoryPort(arena, allocator, right, options);
  a.connect(b);
  b.connect(a);
  return [a, b];
}

export class MemoryPort implements Port {
  readonly name: string;
  readonly index: number;
  readonly medium: PortMedium;
  readonly maxFrameOctets: number;
  readonly descriptors: readonly number[] = [];
  readonly counters: Readonly<PortCounters> = { receiveOverruns: 0 };
  readonly cutsTunnelled: boolean;
  isUp = true;
  readonly #arena: Arena;
  readonly #allocator: ArenaAllocator;
  readonly #extent: { offset: number; octets: number };
  /** A ring of slots that wait for our receive: `lent` were handed over, `waiting` follow them from `first` on. */
  readonly #frames: Frame[] = [];
  #first = 0;
  #lent = 0;
  #waiting = 0;
  readonly #address: number;
  readonly #port: number;
  #peer: MemoryPort | undefined;

  constructor(arena: Arena, allocator: ArenaAllocator, end: MemoryEnd, options: MemoryPairOptions) {
    this.name = end.name;
    this.index = end.index;
    this.medium = options.medium ?? 'ethernet';
    this.maxFrameOctets = options.maxFrameOctets ?? LARGE_FRAME_OCTETS;
    this.#arena = arena;
    this.#allocator = allocator;
    this.#address = end.address ?? 0;
    this.#port = end.port ?? 0;
    this.cutsTunnelled = end.cutsTunnelled ?? false;
    const slots = options.slots ?? 2 * BURST;
    // A frame starts at 2 modulo 4, as those of the other ports do.
    const stride = (HEADROOM_OCTETS + 2 + this.maxFrameOctets + TAG_OCTETS + 63) & ~63;
    const offset = allocator.allocate(slots * stride);
    if (offset === undefined)
      throw new Error(`${end.name}: the arena has no room for ${slots} slots of ${stride} octets`);
    this.#extent = { offset, octets: slots * stride };
    for (let slot = 0; slot < slots; slot++) {
      const frame = new Frame();
      frame.headroomStart = offset + slot * stride;
      this.#frames.push(frame);
    }
  }

  connect(peer: MemoryPort): void {
    this.#peer = peer;
  }

  setUp(isUp: boolean): void {
    this.isUp = isUp;
  }

  receive(into: FrameBatch): number {
    const frames = this.#frames;
    this.#first = (this.#first + this.#lent) % frames.length;
    const count = Math.min(this.#waiting, BURST);
    for (let index = 0; index < count; index++) into.push(frames[(this.#first + index) % frames.length]!);
    this.#lent = count;
    this.#waiting -= count;
    return count;
  }

  transmit(batch: FrameBatch, refuse: (frame: Frame, why: Verdict) => void): void {
    const peer = this.#peer;
    for (let index = 0; index < batch.length; index++) {
      const frame = batch.frames[index]!;
      const isSuperFrame = frame.gsoType !== 0;
      if (!this.isUp || peer?.isUp !== true) refuse(frame, Drop.portDown);
      else if (frame.end - frame.start > this.maxFrameOctets + TAG_OCTETS) {
        refuse(frame, isSuperFrame ? Drop.gsoUnsupported : Drop.transmitTooLong);
      } else if (!peer.#accept(frame, this.#address, this.#port)) refuse(frame, Drop.transmitQueueFull);
    }
  }

  /** Takes a copy; false when no slot is free. */
  #accept(source: Frame, address: number, port: number): boolean {
    const frames = this.#frames;
    const used = this.#lent + this.#waiting;
    if (used === frames.length) return false;
    const frame = frames[(this.#first + used) % frames.length]!;
    const { start, end } = source;
    copyMetadata(source, frame);
    resetMetadata(frame);
    frame.port = this.index;
    frame.start = frame.headroomStart + HEADROOM_OCTETS + 2;
    frame.end = frame.start + end - start;
    this.#arena.bytes.copyWithin(frame.start, start, end);
    frame.vlanTci = source.vlanTci;
    frame.vlanTpid = source.vlanTpid;
    frame.checksumStart = source.checksumStart === 0 ? 0 : source.checksumStart - start + frame.start;
    frame.checksumOffset = source.checksumOffset;
    frame.gsoType = source.gsoType;
    frame.gsoSize = source.gsoSize;
    frame.innerStart = source.innerStart === 0 ? 0 : source.innerStart - start + frame.start;
    if (this.medium === 'udp') {
      frame.outer0 = frame.outer1 = frame.outer2 = 0;
      frame.outer3 = address;
      frame.outerPort = port;
    }
    this.#waiting += 1;
    return true;
  }

  close(): void {
    this.#peer?.setUp(false);
    this.isUp = false;
    this.#lent = this.#waiting = 0;
    this.#allocator.release(this.#extent.offset, this.#extent.octets);
  }
}
