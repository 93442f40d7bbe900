// The underlay through the kernel's UDP sockets: what travels is the payload of datagrams, and routing, ARP, fragments and
// path MTU are the kernel's.
//
// One socket receives; several send, each from a source port of its own, so that the underlay can spread flows over its
// paths (RFC 7348, section 5). A frame's flow hash chooses the socket, so a flow keeps its port and its order; frames of
// different flows may leave in another order than they were given.
//
// Opened on the main thread and used in the worker, as the packet ring is.

import { Drop, type Verdict } from '../core/drop-reason.ts';
import { type Addon, UDP_STRIDE } from '../native/addon.ts';
import type { ArenaAllocator } from '../packet/arena.ts';
import { BURST, Frame, type FrameBatch, Gso, HEADROOM_OCTETS, resetMetadata } from '../packet/frame.ts';
import type { Port } from './port.ts';
import { refusalOf } from './refusal.ts';
import { type SocketDescription, SocketPort } from './socket-port.ts';

export type UdpPortOptions = {
  /** Position in the worker's table of ports. */
  index: number;
  name: string;
  family: 4 | 6;
  /** Address of this host, or the unspecified one; or the multicast group to receive. */
  localAddress: string;
  localPort: number;
  /** Inclusive; default 49152 to 65535 (RFC 6335, section 6). */
  sourcePorts?: { min: number; max: number };
  /** How many source ports are used; default 16. */
  sourceSockets?: number;
  /** Of what is sent; default 64. */
  ttl?: number;
  /** Whether outgoing datagrams carry a checksum. Only those can leave many at a time (UDP_SEGMENT). */
  checksum: boolean;
  /** Over IPv6: whether datagrams without a checksum are taken (RFC 6935, section 5); default: as those that are sent. */
  acceptsNoChecksum?: boolean;
  /** The device by which multicast leaves and arrives; default: as the kernel's routes have it. */
  multicastDevice?: string;
  /** Whether `localAddress` is a group: it is joined on `multicastDevice`, and nothing is sent. */
  isGroup?: boolean;
  /** Sets DF (default): what is larger than the path is refused, not fragmented. */
  dontFragment?: boolean;
  /** Only by this device; default any. */
  device?: string;
  /** MTU of the underlay, if known; otherwise only the kernel tells what is too long. */
  mtu?: number;
};

/** All that a worker needs to use an endpoint; plain data, to be posted to it. */
export type UdpPortDescription = SocketDescription & {
  /** The source ports in use. */
  sourcePorts: number[];
  extent: { offset: number; octets: number };
};

/** A slot holds the largest datagram, or as many as the kernel joins: 64 KB. */
const SLOT_OCTETS = 65 * 1024;
const SLOTS = 64;
const DEFAULT_SOURCE_SOCKETS = 16;
const EPHEMERAL = { min: 49152, max: 65535 };
const DEFAULT_TTL = 64;
const UDP_HEADER_OCTETS = 8;
const IP_HEADER_OCTETS = { 4: 20, 6: 40 } as const;
/** The largest UDP payload over IPv4. */
const MAX_PAYLOAD_OCTETS = 65507;

/**
 * Opens an endpoint in the calling thread's network namespace. Throws an Error with `code` (EADDRNOTAVAIL: the address is
 * not the host's; EADDRINUSE: somebody else has the port) that names the address and the call; nothing is held then.
 */
export function openUdpPort(
  addon: Addon,
  arena: number,
  allocator: ArenaAllocator,
  options: UdpPortOptions,
): UdpPortDescription {
  const octets = SLOTS * SLOT_OCTETS;
  const offset = allocator.allocate(octets);
  if (offset === undefined) throw new Error(`${options.name}: the arena has no room for ${octets} octets`);
  const range = options.sourcePorts ?? EPHEMERAL;
  const headerOctets = IP_HEADER_OCTETS[options.family] + UDP_HEADER_OCTETS;
  try {
    const handle = addon.udpOpen(arena, {
      family: options.family,
      localAddress: options.localAddress,
      localPort: options.localPort,
      sourceSockets: options.isGroup === true ? 0 : (options.sourceSockets ?? DEFAULT_SOURCE_SOCKETS),
      sourcePortMin: range.min,
      sourcePortMax: range.max,
      ttl: options.ttl ?? DEFAULT_TTL,
      checksum: options.checksum,
      acceptsNoChecksum: options.acceptsNoChecksum ?? !options.checksum,
      multicastDevice: options.multicastDevice ?? '',
      joins: options.isGroup ?? false,
      dontFragment: options.dontFragment ?? true,
      device: options.device ?? '',
      slotsOffset: offset,
      slotOctets: SLOT_OCTETS,
      slots: SLOTS,
      headroomOctets: HEADROOM_OCTETS,
    });
    return {
      handle,
      index: options.index,
      name: options.name,
      maxFrameOctets: options.mtu === undefined ? MAX_PAYLOAD_OCTETS : options.mtu - headerOctets,
      descriptors: addon.udpDescriptors(handle),
      sourcePorts: addon.udpSourcePorts(handle),
      headerOctets,
      extent: { offset, octets },
    };
  } catch (error) {
    allocator.release(offset, octets);
    throw error;
  }
}

/** Gives back the memory of an endpoint whose port has been closed. */
export function releaseUdpPort(allocator: ArenaAllocator, description: UdpPortDescription): void {
  allocator.release(description.extent.offset, description.extent.octets);
}

export class UdpPort extends SocketPort implements Port {
  readonly medium = 'udp';
  readonly cutsTunnelled = true;
  readonly #sources: number;
  readonly #frames: Frame[] = [];
  /** Buffers of the last receive, and how far they have been split into datagrams. */
  readonly #received = new Int32Array(SLOTS * UDP_STRIDE);
  #buffers = 0;
  #buffer = 0;
  #splitOctets = 0;
  readonly #transmitted = new Int32Array(BURST * UDP_STRIDE);
  /** Indices into the batch, by source socket. */
  readonly #order = new Int32Array(BURST);
  readonly #socketOf = new Int32Array(BURST);
  readonly #places: Int32Array;

  /** `now`: a monotonic clock in milliseconds. */
  constructor(addon: Addon, description: UdpPortDescription, now: () => number) {
    super(addon, description, now);
    this.#sources = description.sourcePorts.length;
    this.#places = new Int32Array(this.#sources + 1);
    for (let index = 0; index < BURST; index++) this.#frames.push(new Frame());
  }

  protected override readOverruns(): number {
    return this.addon.udpOverruns(this.handle);
  }

  receive(into: FrameBatch): number {
    const words = this.#received;
    if (this.#buffer === this.#buffers) {
      this.#buffers = this.addon.udpReceive(this.handle, words, SLOTS);
      this.#buffer = 0;
      this.#splitOctets = 0;
    }
    let count = 0;
    while (this.#buffer < this.#buffers && count < BURST) {
      const at = this.#buffer * UDP_STRIDE;
      const start = words[at]! + this.#splitOctets;
      const end = words[at]! + words[at + 1]!;
      const octets = words[at + 2]!;
      const frame = this.#frames[count]!;
      resetMetadata(frame);
      frame.port = this.index;
      frame.start = start;
      frame.end = octets === 0 || start + octets > end ? end : start + octets;
      // In front of a joined datagram lies the one before it: only the first has headroom, the others their own header.
      frame.headroomStart = this.#splitOctets === 0 ? start - HEADROOM_OCTETS : start;
      const other = words[at + 3]!;
      frame.outerPort = other & 0xffff;
      frame.outerTos = (other >>> 16) & 0xff;
      frame.outer0 = words[at + 4]!;
      frame.outer1 = words[at + 5]!;
      frame.outer2 = words[at + 6]!;
      frame.outer3 = words[at + 7]!;
      into.push(frame);
      count += 1;
      if (frame.end < end) {
        this.#splitOctets += octets;
      } else {
        this.#buffer += 1;
        this.#splitOctets = 0;
      }
    }
    return count;
  }

  transmit(batch: FrameBatch, refuse: (frame: Frame, why: Verdict) => void): void {
    if (this.#sources === 0) {
      for (let index = 0; index < batch.length; index++) refuse(batch.frames[index]!, Drop.transmitError);
      return;
    }
    for (let from = 0; from < batch.length; from += BURST) {
      this.#transmit(batch, from, Math.min(batch.length - from, BURST), refuse);
    }
  }

  #transmit(batch: FrameBatch, from: number, count: number, refuse: (frame: Frame, why: Verdict) => void): void {
    const words = this.#transmitted;
    const { frames } = batch;
    this.#sortBySource(batch, from, count);
    for (let place = 0, at = 0; place < count; place++, at += UDP_STRIDE) {
      const index = this.#order[place]!;
      const frame = frames[from + index]!;
      words[at] = frame.start;
      words[at + 1] = frame.end - frame.start;
      words[at + 2] = this.#socketOf[index]!;
      words[at + 3] = frame.outerPort | (frame.outerTos << 16);
      words[at + 4] = frame.outer0;
      words[at + 5] = frame.outer1;
      words[at + 6] = frame.outer2;
      words[at + 7] = frame.outer3;
      words[at + 8] = frame.gsoSize;
      if (frame.gsoType !== Gso.none) {
        words[at + 9] = (frame.checksumStart - frame.start) | ((frame.innerStart - frame.start) << 16);
      }
    }
    for (let next = 0; next < count; next++) {
      let why: Verdict = Drop.portDown;
      if (this.isUp) {
        next += this.addon.udpTransmit(this.handle, words, next, count - next);
        if (next >= count) return;
        why = refusalOf(this.addon.lastError());
      }
      refuse(frames[from + this.#order[next]!]!, why);
    }
  }

  /** A counting sort that keeps the order within a socket: neighbours that go the same way leave in one call. */
  #sortBySource(batch: FrameBatch, from: number, count: number): void {
    const places = this.#places.fill(0);
    for (let index = 0; index < count; index++) {
      const socket = (batch.frames[from + index]!.flowHash >>> 0) % this.#sources;
      this.#socketOf[index] = socket;
      places[socket + 1]! += 1;
    }
    for (let socket = 1; socket < this.#sources; socket++) places[socket]! += places[socket - 1]!;
    for (let index = 0; index < count; index++) this.#order[places[this.#socketOf[index]!]!++] = index;
  }

  close(): void {
    this.addon.udpClose(this.handle);
  }
}
