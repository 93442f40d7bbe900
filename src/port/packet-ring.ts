// A network device, or a veth end, through AF_PACKET: frames stay in the receive ring, with headroom in front of each,
// until the next receive, and are sent from wherever in the arena they are.
//
// It is opened on the main thread, which takes milliseconds, and used in the worker:
//
//   main thread                                worker
//   openPacketRing → PacketRingDescription  →  new PacketRingPort(addon, description, now)
//   device watcher                          →  port.setUp(isUp)
//   releasePacketRing                       ←  port.close()
//
// A device that goes down keeps its ring. A device that is deleted and made again is another device: close, release, and
// open once more.

import { Drop, type Verdict } from '../core/drop-reason.ts';
import { errorText } from '../core/errors.ts';
import { type Addon, RING_REFUSED, RING_STRIDE } from '../native/addon.ts';
import type { ArenaAllocator } from '../packet/arena.ts';
import { BURST, Frame, type FrameBatch, HEADROOM_OCTETS } from '../packet/frame.ts';
import { type DeviceDescription, DevicePort } from './device-port.ts';
import { mayJoin } from './joining.ts';
import { ReceivePolicy } from './receive-policy.ts';
import { refusalOf } from './refusal.ts';
import { readFrame, writeFrame } from './ring-words.ts';

export type PacketRingOptions = {
  /** Position in the worker's table of ports. */
  index: number;
  name: string;
  device: string;
  /** Takes frames to every MAC address (default), or only those to the device's own and to groups. */
  promiscuous?: boolean;
  /**
   * Makes a TAP that leads to the device, for super-frames that have outer headers already; gives its descriptor, or throws an
   * Error that says why there is none.
   */
  openUnderlayTap?: (deviceIndex: number) => number;
  /** When that is done: default `auto`, only where what leaves is cut behind the device. */
  tunnelOffload?: TunnelOffload;
  /** Blocks of the receive ring: its size, and how long the worker may be away at full rate. */
  blocks?: number;
};

/** All that a worker needs to use a ring; plain data, to be posted to it. */
export type PacketRingDescription = DeviceDescription & {
  /** The MAC address of the device when it was opened. */
  mac: Uint8Array;
  joins: boolean;
  /** Whether there is an underlay TAP, and whether it is used whatever the other side sees. */
  tunnelOffload: { isOpen: boolean; isForced: boolean };
  /** Why there is none that was asked for. */
  warnings: readonly string[];
};

/** Whether super-frames may leave in a tunnel whole: where the kernel or the card cuts them (`auto`), or everywhere. */
export type TunnelOffload = 'auto' | 'enabled' | 'disabled';

const BLOCK_OCTETS = 256 * 1024;
const DEFAULT_BLOCKS = 32;
/** Low-latency receive: a slot holds the largest super-frame, 64 KB and its MAC header. */
const SLOT_OCTETS = 65 * 1024;
const SLOTS = 64;
const ETHERNET_HEADER_OCTETS = 14;
const IFF_UP = 0x1;

/**
 * Opens a device in the calling thread's network namespace. Throws an Error with `code` (ENODEV, EPERM, …) that names the
 * device and the call that failed; nothing is held then.
 */
export function openPacketRing(
  addon: Addon,
  arena: number,
  allocator: ArenaAllocator,
  options: PacketRingOptions,
): PacketRingDescription {
  const { index, name, device } = options;
  const facts = addon.deviceQuery(device);
  const offloads = addon.deviceOffloads(device);
  const joins = mayJoin(offloads);
  const blocks = options.blocks ?? DEFAULT_BLOCKS;
  const ringOctets = blocks * BLOCK_OCTETS;
  const octets = ringOctets + SLOTS * SLOT_OCTETS;
  const offset = allocator.allocate(octets);
  if (offset === undefined) throw new Error(`${device}: the arena has no room for a ring of ${octets} octets`);
  try {
    const handle = addon.ringOpen(arena, {
      device,
      offset,
      blockOctets: BLOCK_OCTETS,
      blocks,
      slotsOffset: offset + ringOctets,
      slotOctets: SLOT_OCTETS,
      slots: SLOTS,
      headroomOctets: HEADROOM_OCTETS,
      promiscuous: options.promiscuous ?? true,
      joins,
    });
    if (offloads.driver === 'veth') addXdp(addon, handle, device, facts.index);
    return {
      handle,
      index,
      name,
      device,
      deviceIndex: facts.index,
      mac: facts.mac,
      maxFrameOctets: facts.mtu + ETHERNET_HEADER_OCTETS,
      // Not IFF_RUNNING, which lags behind the carrier by up to a second: the watcher tells of the carrier.
      isUp: (facts.flags & IFF_UP) !== 0,
      descriptors: addon.ringDescriptors(handle),
      extent: { offset, octets },
      joins,
      ...addUnderlayTap(addon, handle, facts.index, joins, options),
    };
  } catch (error) {
    allocator.release(offset, octets);
    throw error;
  }
}

/** A socket of AF_XDP beside the others, where frames that leave by it and by them stay in order: nothing waits in between. */
function addXdp(addon: Addon, ring: number, device: string, deviceIndex: number): void {
  if (addon.deviceQueueing(device) !== 'noqueue' || addon.deviceTransmitQueues(device) !== 1) return;
  try {
    addon.ringAddXdp(ring, deviceIndex);
  } catch {
    // Another program has the queue, the memory may not be pinned, or the kernel has no AF_XDP: it is only faster.
  }
}

function addUnderlayTap(
  addon: Addon,
  ring: number,
  deviceIndex: number,
  joins: boolean,
  { openUnderlayTap, tunnelOffload = 'auto' }: PacketRingOptions,
): Pick<PacketRingDescription, 'tunnelOffload' | 'warnings'> {
  const isForced = tunnelOffload === 'enabled';
  const none = { tunnelOffload: { isOpen: false, isForced }, warnings: [] };
  if (openUnderlayTap === undefined || tunnelOffload === 'disabled' || (!isForced && !joins)) return none;
  try {
    addon.ringSetUnderlayTap(ring, openUnderlayTap(deviceIndex));
    return { tunnelOffload: { isOpen: true, isForced }, warnings: [] };
  } catch (error) {
    // Without being asked for, it is where it can be.
    return isForced ? { ...none, warnings: [`tunnel-offload: ${errorText(error)}`] } : none;
  }
}

/** Gives back the memory of a ring whose port has been closed. */
export function releasePacketRing(allocator: ArenaAllocator, description: PacketRingDescription): void {
  allocator.release(description.extent.offset, description.extent.octets);
}

export class PacketRingPort extends DevicePort {
  /** By an underlay TAP, or in the addon. */
  readonly cutsTunnelled = true;
  readonly #policy: ReceivePolicy;
  readonly #tunnelOffload: PacketRingDescription['tunnelOffload'];
  #joins: boolean;

  /** `now`: a monotonic clock in milliseconds. */
  constructor(addon: Addon, description: PacketRingDescription, now: () => number) {
    super(addon, description, now);
    this.#policy = new ReceivePolicy(now);
    this.#tunnelOffload = { ...description.tunnelOffload };
    this.#joins = description.joins;
    addon.ringUseUnderlayTap(this.handle, this.usesUnderlayTap);
    this.#setLimit();
    addon.ringSetLowLatency(this.handle, this.#policy.lowLatency);
  }

  override setMtu(mtu: number): void {
    super.setMtu(mtu);
    this.#setLimit();
  }

  /** AF_XDP is used where frames leave joined, that is to say complete. */
  #setLimit(): void {
    this.addon.ringLimit(this.handle, this.#joins ? this.maxFrameOctets : 0);
  }

  /** Whether frames come one by one, not by blocks. */
  get lowLatency(): boolean {
    return this.#policy.lowLatency;
  }

  /** Whether super-frames in tunnels leave by an underlay TAP; not where the other side would see them whole. */
  get usesUnderlayTap(): boolean {
    const { isOpen, isForced } = this.#tunnelOffload;
    return isOpen && (isForced || this.#joins);
  }

  /** Whether frames of one flow may leave joined. */
  setJoins(joins: boolean): void {
    this.addon.ringSetJoins(this.handle, joins);
    if (joins === this.#joins) return;
    this.#joins = joins;
    this.#setLimit();
    this.addon.ringUseUnderlayTap(this.handle, this.usesUnderlayTap);
  }

  receive(into: FrameBatch): number {
    const words = this.received;
    const count = this.addon.ringReceive(this.handle, words, BURST);
    const frames = this.frames;
    for (let index = 0, at = 0; index < count; index++, at += RING_STRIDE) {
      const frame = frames[index]!;
      readFrame(frame, words, at, this.index);
      into.push(frame);
    }
    if (this.#policy.note(count)) this.addon.ringSetLowLatency(this.handle, this.#policy.lowLatency);
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
    for (let index = 0, at = 0; index < count; index++, at += RING_STRIDE) {
      writeFrame(frames[from + index]!, words, at);
    }
    // A device that is down would refuse each frame by itself, at the price of a system call.
    if (!this.isUp) {
      for (let index = 0; index < count; index++) refuse(frames[from + index]!, Drop.portDown);
      return;
    }
    if (this.addon.ringTransmit(this.handle, words, count) === 0) return;
    for (let index = 0, at = 0; index < count; index++, at += RING_STRIDE) {
      if (words[at + 3] === RING_REFUSED) refuse(frames[from + index]!, refusalOf(words[at + 5]!));
    }
  }

  close(): void {
    this.addon.ringClose(this.handle);
  }

  protected readOverruns(): number {
    return this.addon.ringOverruns(this.handle);
  }
}
