// One contiguous region that holds every octet of packet memory: rings of the ports, slots of the pool.
//
// A frame is a pair of offsets into it, so no view is ever made per packet, every access in the hot path has one shape,
// and a frame received by one port can be sent by another straight from the first one's ring.
//
// The region comes from the addon (mapped, shared by the threads of the process) or, without it, from plain memory.
// Reserved octets cost nothing until they are touched.

export class Arena {
  readonly buffer: ArrayBufferLike;
  readonly bytes: Uint8Array;
  /** Native-endian 32-bit words: offset >> 2. */
  readonly words: Int32Array;

  constructor(buffer: ArrayBufferLike) {
    this.buffer = buffer;
    this.bytes = new Uint8Array(buffer);
    this.words = new Int32Array(buffer, 0, buffer.byteLength >> 2);
  }
}

/** The alignment of every extent: a page, as mmap asks for. */
export const EXTENT_ALIGNMENT = 4096;

/** Hands out page-aligned extents of an arena; used where ports and pools are opened, never in the hot path. */
export class ArenaAllocator {
  readonly octets: number;
  /** Free extents in ascending order, none adjacent to the next. */
  #free: { offset: number; octets: number }[];

  constructor(octets: number) {
    this.octets = octets;
    // Offset 0 stays unused: it means "none" wherever an offset is optional.
    this.#free = [{ offset: EXTENT_ALIGNMENT, octets: octets - EXTENT_ALIGNMENT }];
  }

  /** The offset of a free extent of at least `octets`, or undefined when the arena is full. */
  allocate(octets: number): number | undefined {
    const wanted = roundUp(octets);
    const index = this.#free.findIndex((extent) => extent.octets >= wanted);
    const extent = this.#free[index];
    if (extent === undefined) return undefined;
    const { offset } = extent;
    if (extent.octets === wanted) this.#free.splice(index, 1);
    else this.#free[index] = { offset: offset + wanted, octets: extent.octets - wanted };
    return offset;
  }

  /** Gives back what `allocate(octets)` returned. */
  release(offset: number, octets: number): void {
    const size = roundUp(octets);
    const at = this.#free.findIndex((extent) => extent.offset > offset);
    const index = at === -1 ? this.#free.length : at;
    this.#free.splice(index, 0, { offset, octets: size });
    this.#mergeWithNext(index);
    if (index > 0) this.#mergeWithNext(index - 1);
  }

  #mergeWithNext(index: number): void {
    const extent = this.#free[index];
    const next = this.#free[index + 1];
    if (extent === undefined || next?.offset !== extent.offset + extent.octets) return;
    this.#free.splice(index, 2, { offset: extent.offset, octets: extent.octets + next.octets });
  }
}

const roundUp = (octets: number): number => Math.ceil(octets / EXTENT_ALIGNMENT) * EXTENT_ALIGNMENT;
