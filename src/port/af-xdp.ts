// A network device through AF_XDP sockets in copy mode, one for each of its receive queues: frames stay in the chunk that
// the kernel copied them into, with headroom in front of each, until the next receive. What is sent is copied once more.
//
// XDP sees a frame before the kernel has a place for what is not in its octets. So an unfinished checksum of a sender on
// this host is recognised here and finished, and a VLAN tag that a card or a veth end keeps beside the frame is lost: see
// `xdpWarnings`. A frame larger than a chunk is lost and counted, which leaves out jumbo frames.
//
// Opened on the main thread and used in the worker, as the packet ring is.

import { Drop, type Verdict } from '../core/drop-reason.ts';
import { type Addon, RING_REFUSED, RING_STRIDE, XDP_CHUNK_OCTETS, XDP_CHUNK_RESERVED } from '../native/addon.ts';
import { XDP_MAX_QUEUES } from '../native/addon.ts';
import type { Arena, ArenaAllocator } from '../packet/arena.ts';
import { finishUnannouncedOffloads } from '../packet/complete-checksum.ts';
import { BURST, Frame, type FrameBatch, HEADROOM_OCTETS, resetMetadata } from '../packet/frame.ts';
import { ETHERNET_HEADER_OCTETS, VLAN_TAG_OCTETS } from '../wire/ethernet.ts';
import { type DeviceDescription, DevicePort } from './device-port.ts';
import type { DeviceOffloads } from './joining.ts';
import { refusalOf } from './refusal.ts';

export type AfXdpOptions = {
  /** Position in the worker's table of ports. */
  index: number;
  name: string;
  device: string;
};

/** All that a worker needs to use the sockets; plain data, to be posted to it. */
export type AfXdpDescription = DeviceDescription & {
  mac: Uint8Array;
  /** Whether the program runs in the driver. */
  isNative: boolean;
  /** What the user should know about this device, each with what to do. */
  warnings: string[];
};

/** A queue holds this many frames while the worker is away; each takes a chunk of pinned memory. */
const RECEIVE_CHUNKS = 2048;
const TRANSMIT_CHUNKS = 1024;
const IFF_UP = 0x1;
/** The largest frame that a chunk holds, and the largest that is sent: a reply has no more room than the question. */
const CAPACITY_OCTETS = XDP_CHUNK_OCTETS - XDP_CHUNK_RESERVED;

/**
 * Opens a device in the calling thread's network namespace. Throws an Error with `code` (ENODEV, EPERM, EBUSY, …) that
 * names the device and the call that failed; nothing is held then.
 */
export function openAfXdp(
  addon: Addon,
  arena: number,
  allocator: ArenaAllocator,
  options: AfXdpOptions,
): AfXdpDescription {
  const { index, name, device } = options;
  const facts = addon.deviceQuery(device);
  const present = addon.deviceReceiveQueues(device);
  const queues = Math.min(present, XDP_MAX_QUEUES);
  const octets = (queues * RECEIVE_CHUNKS + TRANSMIT_CHUNKS) * XDP_CHUNK_OCTETS;
  const offset = allocator.allocate(octets);
  if (offset === undefined) throw new Error(`${device}: the arena has no room for ${queues} queues of AF_XDP chunks`);
  try {
    const handle = addon.xdpOpen(arena, {
      device,
      queues,
      offset,
      receiveChunks: RECEIVE_CHUNKS,
      transmitChunks: TRANSMIT_CHUNKS,
    });
    return {
      handle,
      index,
      name,
      device,
      deviceIndex: facts.index,
      mac: facts.mac,
      maxFrameOctets: maxFrameOctets(facts.mtu),
      isUp: (facts.flags & IFF_UP) !== 0,
      descriptors: addon.xdpDescriptors(handle),
      isNative: addon.xdpIsNative(handle),
      extent: { offset, octets },
      warnings: xdpWarnings(device, { mtu: facts.mtu, queues: present, offloads: addon.deviceOffloads(device) }),
    };
  } catch (error) {
    allocator.release(offset, octets);
    throw explained(error as NodeJS.ErrnoException);
  }
}

/** What is behind the errors that the kernel gives for want of a privilege or of room on the device. */
function explained(error: NodeJS.ErrnoException): NodeJS.ErrnoException {
  const { code } = error;
  if (code === 'EPERM') error.message += '; AF_XDP needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF';
  if (code === 'ENOBUFS') error.message += '; the memory cannot be pinned without CAP_IPC_LOCK';
  if (code === 'EBUSY' || code === 'EEXIST') error.message += '; another program has the device, see: ip link show';
  return error;
}

/** Gives back the memory of sockets whose port has been closed. */
export function releaseAfXdp(allocator: ArenaAllocator, description: AfXdpDescription): void {
  allocator.release(description.extent.offset, description.extent.octets);
}

export type XdpDevice = { mtu: number; queues: number; offloads: DeviceOffloads };

/** What AF_XDP cannot do on a device, each with what to do about it. */
export function xdpWarnings(device: string, { mtu, queues, offloads }: XdpDevice): string[] {
  const warnings: string[] = [];
  if (mtu + ETHERNET_HEADER_OCTETS + VLAN_TAG_OCTETS > CAPACITY_OCTETS) {
    const limit = CAPACITY_OCTETS - ETHERNET_HEADER_OCTETS - VLAN_TAG_OCTETS;
    warnings.push(
      `${device} has an MTU of ${mtu}, and AF_XDP holds packets of at most ${limit} octets: larger ones are lost; ` +
        `fix: ip link set dev ${device} mtu ${limit}, or adapter packet-ring`,
    );
  }
  if (queues > XDP_MAX_QUEUES) {
    warnings.push(
      `${device} receives by ${queues} queues, of which AF_XDP serves the first ${XDP_MAX_QUEUES}; ` +
        `fix: ethtool -L ${device} combined ${XDP_MAX_QUEUES}`,
    );
  }
  if (offloads.active.includes('rx-vlan-hw-parse')) {
    warnings.push(
      `VLAN tags that ${device} takes out of frames are lost with AF_XDP, if any are sent to it; ` +
        `fix: ethtool -K ${device} rxvlan off, and on the other end of a veth pair: txvlan off`,
    );
  }
  return warnings;
}

const maxFrameOctets = (mtu: number): number => Math.min(mtu + ETHERNET_HEADER_OCTETS, CAPACITY_OCTETS);

export class AfXdpPort extends DevicePort {
  readonly needsFinished = true;
  readonly #arena: Arena;

  /** `now`: a monotonic clock in milliseconds. */
  constructor(addon: Addon, arena: Arena, description: AfXdpDescription, now: () => number) {
    super(addon, description, now);
    this.#arena = arena;
  }

  /** The MTU of the device, as the watcher on the main thread sees it. */
  override setMtu(mtu: number): void {
    this.maxFrameOctets = maxFrameOctets(mtu);
  }

  receive(into: FrameBatch): number {
    const words = this.received;
    const count = this.addon.xdpReceive(this.handle, words, BURST);
    const frames = this.frames;
    const largest = this.maxFrameOctets + VLAN_TAG_OCTETS;
    const mtu = this.maxFrameOctets - ETHERNET_HEADER_OCTETS;
    for (let index = 0, at = 0; index < count; index++, at += RING_STRIDE) {
      const frame = frames[index]!;
      const start = words[at]!;
      resetMetadata(frame);
      frame.start = start;
      frame.end = start + words[at + 1]!;
      frame.headroomStart = start - HEADROOM_OCTETS;
      frame.port = this.index;
      frame.offloadsUnknown = 1;
      finishUnannouncedOffloads(this.#arena, frame, mtu, largest);
      into.push(frame);
    }
    return count;
  }

  protected transmitBurst(
    batch: FrameBatch,
    from: number,
    count: number,
    refuse: (frame: Frame, why: Verdict) => void,
  ): void {
    const words = this.transmitted;
    const { frames } = batch;
    const largest = this.maxFrameOctets + VLAN_TAG_OCTETS;
    let taken = 0;
    for (let index = from; index < from + count; index++) {
      const frame = frames[index]!;
      const octets = frame.end - frame.start;
      if (!this.isUp) refuse(frame, Drop.portDown);
      else if (octets > largest) refuse(frame, Drop.transmitTooLong);
      else {
        const at = taken * RING_STRIDE;
        words[at] = frame.start;
        words[at + 1] = octets;
        // Ignored by the sockets: the place of the frame in the batch, for those that come back.
        words[at + 2] = index;
        taken += 1;
      }
    }
    if (taken === 0 || this.addon.xdpTransmit(this.handle, words, taken) === 0) return;
    for (let at = 0; at < taken * RING_STRIDE; at += RING_STRIDE) {
      if (words[at + 3] === RING_REFUSED) refuse(frames[words[at + 2]!]!, refusalOf(words[at + 5]!));
    }
  }

  close(): void {
    this.addon.xdpClose(this.handle);
  }

  protected readOverruns(): number {
    return this.addon.xdpOverruns(this.handle);
  }
}
