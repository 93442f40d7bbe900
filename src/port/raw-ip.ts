// The underlay through the kernel's raw sockets: what travels is the payload of IP packets of one protocol, and routing, ARP,
// fragments and path MTU are the kernel's. For tunnels that have no UDP header: GRE, EtherIP.
//
// Opened on the main thread and used in the worker, as the packet ring is.

import { Drop, type Verdict } from '../core/drop-reason.ts';
import { type Addon, RAW_STRIDE } from '../native/addon.ts';
import type { ArenaAllocator } from '../packet/arena.ts';
import { BURST, Frame, type FrameBatch, HEADROOM_OCTETS, resetMetadata } from '../packet/frame.ts';
import type { Port } from './port.ts';
import { refusalOf } from './refusal.ts';
import { type SocketDescription, SocketPort } from './socket-port.ts';

export type RawIpOptions = {
  /** Position in the worker's table of ports. */
  index: number;
  name: string;
  family: 4 | 6;
  /** Number of the IP protocol. */
  protocol: number;
  /** Address of this host; or the multicast group to receive. */
  localAddress: string;
  /** Of what is sent; default 64. */
  ttl?: number;
  /** Sets DF (default): what is larger than the path is refused, not fragmented. */
  dontFragment?: boolean;
  /** The device by which multicast leaves and arrives; default: as the kernel's routes have it. */
  multicastDevice?: string;
  /** Whether `localAddress` is a group: it is joined on `multicastDevice`, and nothing is sent. */
  isGroup?: boolean;
  /** MTU of the underlay, if known; otherwise only the kernel tells what is too long. */
  mtu?: number;
};

/** All that a worker needs to use a socket; plain data, to be posted to it. */
export type RawIpDescription = SocketDescription & {
  sends: boolean;
  extent: { offset: number; octets: number };
};

/** A slot holds the largest packet, or as many segments as the kernel joins: 64 KB. */
const SLOT_OCTETS = 65 * 1024;
const SLOTS = 64;
const DEFAULT_TTL = 64;
export const IP_HEADER_OCTETS = { 4: 20, 6: 40 } as const;
/** The largest payload over IPv4. */
export const MAX_IP_PAYLOAD_OCTETS = 65_515;
/** Its header has 2 octets, so that its payload has to start elsewhere for the frame behind it to lie as others do. */
const PROTOCOL_ETHERIP = 97;

/**
 * Opens a socket in the calling thread's network namespace. Throws an Error with `code` (EADDRNOTAVAIL: the address is not
 * the host's; EPERM: CAP_NET_RAW is missing) that names the address and the call; nothing is held then.
 */
export function openRawIp(
  addon: Addon,
  arena: number,
  allocator: ArenaAllocator,
  options: RawIpOptions,
): RawIpDescription {
  const octets = SLOTS * SLOT_OCTETS;
  const offset = allocator.allocate(octets);
  if (offset === undefined) throw new Error(`${options.name}: the arena has no room for ${octets} octets`);
  const headerOctets = IP_HEADER_OCTETS[options.family];
  try {
    const handle = addon.rawOpen(arena, {
      family: options.family,
      protocol: options.protocol,
      localAddress: options.localAddress,
      ttl: options.ttl ?? DEFAULT_TTL,
      dontFragment: options.dontFragment ?? true,
      device: options.multicastDevice ?? '',
      joins: options.isGroup ?? false,
      slotsOffset: offset,
      slotOctets: SLOT_OCTETS,
      slots: SLOTS,
      headroomOctets: HEADROOM_OCTETS,
      shiftOctets: options.protocol === PROTOCOL_ETHERIP ? 2 : 0,
    });
    return {
      handle,
      index: options.index,
      name: options.name,
      maxFrameOctets: options.mtu === undefined ? MAX_IP_PAYLOAD_OCTETS : options.mtu - headerOctets,
      descriptors: addon.rawDescriptors(handle),
      headerOctets,
      sends: options.isGroup !== true,
      extent: { offset, octets },
    };
  } catch (error) {
    allocator.release(offset, octets);
    throw error;
  }
}

/** Gives back the memory of a socket whose port has been closed. */
export function releaseRawIp(allocator: ArenaAllocator, description: RawIpDescription): void {
  allocator.release(description.extent.offset, description.extent.octets);
}

export class RawIpPort extends SocketPort implements Port {
  readonly medium = 'raw-ip';
  readonly #sends: boolean;
  readonly #frames: Frame[] = [];
  readonly #received = new Int32Array(SLOTS * RAW_STRIDE);
  readonly #transmitted = new Int32Array(BURST * RAW_STRIDE);

  /** `now`: a monotonic clock in milliseconds. */
  constructor(addon: Addon, description: RawIpDescription, now: () => number) {
    super(addon, description, now);
    this.#sends = description.sends;
    for (let index = 0; index < SLOTS; index++) this.#frames.push(new Frame());
  }

  protected override readOverruns(): number {
    return this.addon.rawOverruns(this.handle);
  }

  receive(into: FrameBatch): number {
    const words = this.#received;
    const count = this.addon.rawReceive(this.handle, words, SLOTS);
    for (let index = 0, at = 0; index < count; index++, at += RAW_STRIDE) {
      const frame = this.#frames[index]!;
      const start = words[at]!;
      resetMetadata(frame);
      frame.port = this.index;
      frame.start = start;
      frame.end = start + words[at + 1]!;
      frame.headroomStart = start - HEADROOM_OCTETS;
      frame.outerTos = (words[at + 3]! >>> 16) & 0xff;
      frame.outer0 = words[at + 4]!;
      frame.outer1 = words[at + 5]!;
      frame.outer2 = words[at + 6]!;
      frame.outer3 = words[at + 7]!;
      frame.outerPort = 0;
      into.push(frame);
    }
    return count;
  }

  transmit(batch: FrameBatch, refuse: (frame: Frame, why: Verdict) => void): void {
    if (!this.isUp || !this.#sends) {
      const why = this.#sends ? Drop.portDown : Drop.transmitError;
      for (let index = 0; index < batch.length; index++) refuse(batch.frames[index]!, why);
      return;
    }
    for (let from = 0; from < batch.length; from += BURST) {
      this.#transmit(batch, from, Math.min(batch.length - from, BURST), refuse);
    }
  }

  #transmit(batch: FrameBatch, from: number, count: number, refuse: (frame: Frame, why: Verdict) => void): void {
    const words = this.#transmitted;
    const { frames } = batch;
    for (let index = 0, at = 0; index < count; index++, at += RAW_STRIDE) {
      const frame = frames[from + index]!;
      words[at] = frame.start;
      words[at + 1] = frame.end - frame.start;
      words[at + 3] = frame.outerTos << 16;
      words[at + 4] = frame.outer0;
      words[at + 5] = frame.outer1;
      words[at + 6] = frame.outer2;
      words[at + 7] = frame.outer3;
    }
    for (let next = 0; next < count; next++) {
      next += this.addon.rawTransmit(this.handle, words, next, count - next);
      if (next >= count) return;
      refuse(frames[from + next]!, refusalOf(this.addon.lastError()));
    }
  }

  close(): void {
    this.addon.rawClose(this.handle);
  }
}
