// A port in memory whose frames come with any metadata that a contract allows, and whose transmission fails at will.

import { Drop, type Verdict } from '../../src/core/drop-reason.ts';
import type { Arena, ArenaAllocator } from '../../src/packet/arena.ts';
import { BURST, Frame, type FrameBatch, HEADROOM_OCTETS, resetMetadata } from '../../src/packet/frame.ts';
import type { Port, PortCounters, PortMedium } from '../../src/port/port.ts';

/** What an adapter may know of a frame besides its octets; offsets relative to the frame. */
export type OfferedMetadata = {
  vlanTpid?: number;
  vlanTci?: number;
  checksumStart?: number;
  checksumOffset?: number;
  checksumVerified?: number;
  gsoType?: number;
  gsoSize?: number;
  truncatedFrom?: number;
  headroom?: number;
  /** For medium `udp`: the other end. */
  address?: number;
  tos?: number;
};

const SLOT_OCTETS = 16_384;

/** Reasons with which an adapter may refuse a frame. */
export const ADAPTER_REFUSALS: readonly Verdict[] = [
  Drop.transmitQueueFull,
  Drop.transmitError,
  Drop.transmitTooLong,
  Drop.portDown,
  Drop.gsoUnsupported,
  Drop.noRoute,
];

export class FuzzPort implements Port {
  readonly name: string;
  readonly medium: PortMedium;
  readonly index: number;
  readonly maxFrameOctets = 9344;
  readonly descriptors: readonly number[] = [];
  readonly counters: Readonly<PortCounters> = { receiveOverruns: 0 };
  readonly isUp = true;
  offered = 0;
  transmitted = 0;
  refused = 0;
  /** Decides the fate of each frame: FORWARD sends it. */
  readonly #fate: () => Verdict;
  readonly #arena: Arena;
  readonly #offset: number;
  readonly #frames: Frame[] = [];
  #waiting = 0;

  constructor(
    arena: Arena,
    allocator: ArenaAllocator,
    options: { index: number; medium: PortMedium; fate: () => Verdict },
  ) {
    this.name = `fuzz${options.index}`;
    this.index = options.index;
    this.medium = options.medium;
    this.#fate = options.fate;
    this.#arena = arena;
    this.#offset = allocator.allocate(BURST * SLOT_OCTETS)!;
    for (let slot = 0; slot < BURST; slot++) this.#frames.push(new Frame());
  }

  /** Puts a frame where the next receive finds it; at most BURST of them. */
  offer(octets: Uint8Array, metadata: OfferedMetadata): void {
    const slot = this.#waiting++;
    const frame = this.#frames[slot]!;
    resetMetadata(frame);
    frame.port = this.index;
    frame.slot = -1;
    frame.headroomStart = this.#offset + slot * SLOT_OCTETS;
    frame.start = frame.headroomStart + (metadata.headroom ?? HEADROOM_OCTETS + 2);
    frame.end = frame.start + octets.length;
    this.#arena.bytes.set(octets, frame.start);
    frame.vlanTpid = metadata.vlanTpid ?? 0;
    frame.vlanTci = metadata.vlanTci ?? 0;
    frame.checksumStart = metadata.checksumStart === undefined ? 0 : frame.start + metadata.checksumStart;
    frame.checksumOffset = metadata.checksumOffset ?? 0;
    frame.checksumVerified = metadata.checksumVerified ?? 0;
    frame.gsoType = metadata.gsoType ?? 0;
    frame.gsoSize = metadata.gsoSize ?? 0;
    frame.truncatedFrom = metadata.truncatedFrom ?? 0;
    frame.outer3 = metadata.address ?? 0;
    frame.outerTos = metadata.tos ?? 0;
    this.offered += 1;
  }

  receive(into: FrameBatch): number {
    const count = this.#waiting;
    for (let slot = 0; slot < count; slot++) into.push(this.#frames[slot]!);
    this.#waiting = 0;
    return count;
  }

  transmit(batch: FrameBatch, refuse: (frame: Frame, why: Verdict) => void): void {
    for (let index = 0; index < batch.length; index++) {
      const frame = batch.frames[index]!;
      if (!(frame.headroomStart <= frame.start && frame.start < frame.end)) {
        throw new Error(`a frame from ${frame.start} to ${frame.end} was sent, headroom from ${frame.headroomStart}`);
      }
      const fate = this.#fate();
      if (fate === 0) this.transmitted += 1;
      else {
        this.refused += 1;
        refuse(frame, fate);
      }
    }
  }

  close(): void {
    this.#waiting = 0;
  }
}
