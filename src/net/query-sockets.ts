// Questions straight from a device by AF_XDP sockets, as query-ring.ts has them from a packet ring: the kernel's IP stack never sees
// them, so nothing has to be kept from it, and the program leaves the device with this process. It needs CAP_NET_ADMIN and CAP_BPF.

import { type Addon, RING_STRIDE, XDP_CHUNK_OCTETS, XDP_CHUNK_RESERVED } from '../native/addon.ts';
import { XDP_MAX_QUEUES } from '../native/addon.ts';
import type { QueryFilter } from './query-filter.ts';
import { queryProgram } from './query-program.ts';
import type { FrameReplyMaker } from './query-ring.ts';

/** Frames of a step: what the addon gives at most. */
const BATCH = 256;
const RECEIVE_CHUNKS = 2048;
const TRANSMIT_CHUNKS = 1024;

/** Octets of a reply frame at most. */
export const QUERY_SOCKETS_CAPACITY = XDP_CHUNK_OCTETS - XDP_CHUNK_RESERVED;

/** Octets of the arena that the sockets of a device take. */
export function querySocketsOctets(addon: Addon, device: string): number {
  return (queuesOf(addon, device) * RECEIVE_CHUNKS + TRANSMIT_CHUNKS) * XDP_CHUNK_OCTETS;
}

const queuesOf = (addon: Addon, device: string): number => Math.min(addon.deviceReceiveQueues(device), XDP_MAX_QUEUES);

/** A driver that copies every frame into a page for the program, in a poll of its own: the generic code is quicker. */
const VETH = 'veth';

/** How long the load is looked at, and frames in that time from which on it is quicker to sleep a little than to be woken. */
const LOAD_WINDOW_MS = 10;
const LOAD_FRAMES = 600;
const LOAD_SLEEP_MS = 0.05;

export type QuerySocketsOpening = QueryFilter & {
  readonly device: string;
  /** How long a step waits at most, in milliseconds. */
  readonly waitMs?: number;
};

export class QuerySockets {
  received = 0;
  sent = 0;
  readonly #addon: Addon;
  readonly #device: string;
  readonly #handle: number;
  readonly #waitMs: number;
  readonly #descriptors = new Int32Array(BATCH * RING_STRIDE);
  readonly #readiness: Int32Array;
  readonly #sleep = new Int32Array(new SharedArrayBuffer(4));
  #failed = 0;
  #waiting = 0;
  #windowStartMs = 0;
  #windowFrames = 0;
  #isLoaded = false;

  /** Takes `querySocketsOctets` of the arena from the start on. Throws an Error of the operating system. */
  constructor(addon: Addon, arena: number, opening: QuerySocketsOpening) {
    const { device, waitMs = 100 } = opening;
    this.#addon = addon;
    this.#device = device;
    this.#waitMs = waitMs;
    const chunks = { offset: 0, receiveChunks: RECEIVE_CHUNKS, transmitChunks: TRANSMIT_CHUNKS };
    const isGeneric = addon.deviceOffloads(device).driver === VETH;
    const program = queryProgram(opening, addon.deviceQuery(device).mac);
    this.#handle = addon.xdpOpen(arena, { device, queues: queuesOf(addon, device), isGeneric, ...chunks }, program);
    this.#readiness = Int32Array.from(addon.xdpDescriptors(this.#handle).flatMap((descriptor) => [descriptor, 0]));
  }

  /** As that of a QueryRing; frames carry no flags, for XDP knows of none. */
  step(make: FrameReplyMaker): number {
    const addon = this.#addon;
    const descriptors = this.#descriptors;
    if (this.#waiting > 0) this.#failed += addon.xdpTransmit(this.#handle, descriptors, this.#waiting);
    this.#waiting = 0;
    const count = this.#receive();
    this.received += count;
    this.#windowFrames += count;
    let waiting = 0;
    for (let slot = 0; slot < count; slot++) {
      const start = descriptors[slot * RING_STRIDE]!;
      const end = make(start, start + descriptors[slot * RING_STRIDE + 1]!, 0);
      if (end === start) continue;
      // Those that are sent stand side by side.
      descriptors[waiting * RING_STRIDE] = start;
      descriptors[waiting * RING_STRIDE + 1] = end - start;
      waiting++;
    }
    this.#waiting = waiting;
    this.sent += waiting;
    return count;
  }

  #receive(): number {
    const addon = this.#addon;
    this.#measureLoad();
    let count = addon.xdpReceive(this.#handle, this.#descriptors, BATCH);
    if (count > 0) return count;
    if (this.#isLoaded) Atomics.wait(this.#sleep, 0, 0, LOAD_SLEEP_MS);
    else if (addon.wait(this.#readiness, this.#readiness.length >> 1, this.#waitMs, 0) === 0) this.mtu();
    count = addon.xdpReceive(this.#handle, this.#descriptors, BATCH);
    return count;
  }

  #measureLoad(): void {
    const now = performance.now();
    const passed = now - this.#windowStartMs;
    if (passed < LOAD_WINDOW_MS) return;
    this.#isLoaded = this.#windowFrames * LOAD_WINDOW_MS > LOAD_FRAMES * passed;
    this.#windowStartMs = now;
    this.#windowFrames = 0;
  }

  /** Frames for which there was no room, and replies that the device did not take. */
  losses(): { overruns: number; failed: number } {
    return { overruns: this.#addon.xdpOverruns(this.#handle), failed: this.#failed };
  }

  /** The MTU of the device now; throws where that has gone, of which the sockets themselves say nothing. */
  mtu(): number {
    try {
      return this.#addon.deviceQuery(this.#device).mtu;
    } catch {
      throw new Error(`${this.#device}: the device has gone`);
    }
  }

  close(): void {
    this.#addon.xdpClose(this.#handle);
  }
}
