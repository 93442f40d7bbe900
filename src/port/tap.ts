// The overlay as a Linux interface of this host: a TAP device, whose other end is the kernel with its addresses and routes; or
// a TUN device, by which IP packets pass instead of frames.
//
// Super-frames and unfinished checksums pass both ways. Frames of one TCP or UDP flow are handed over joined, for their
// receiver is a kernel, which would join them itself (native-bindings/join.h).
//
// A device that exists is attached to and left behind when the port closes; it has to be one of its kind. One that does not
// exist is made, and goes with the port: `wideplane up` makes it beforehand, so that it outlives a restart.
//
// Opened on the main thread and used in the worker, as the packet ring is.

import { Drop, type Verdict } from '../core/drop-reason.ts';
import { type Addon, RING_REFUSED, RING_STRIDE } from '../native/addon.ts';
import type { ArenaAllocator } from '../packet/arena.ts';
import { BURST, Frame, type FrameBatch, Gso, HEADROOM_OCTETS } from '../packet/frame.ts';
import { type DeviceDescription, DevicePort } from './device-port.ts';
import { refusalOf } from './refusal.ts';
import { readFrame, writeFrame } from './ring-words.ts';

export type TapOptions = {
  /** Position in the worker's table of ports. */
  index: number;
  name: string;
  device: string;
  /** Default `tap`. */
  kind?: TapKind;
};

export type TapKind = 'tap' | 'tun';

/** All that a worker needs to use a device; plain data, to be posted to it. */
export type TapDescription = DeviceDescription & { kind: TapKind };

/** What one receive can fill: a burst of full-sized frames, or 15 super-frames; what fits in a cache. */
const REGION_OCTETS = 1 << 20;
const ETHERNET_HEADER_OCTETS = 14;
const VLAN_TAG_OCTETS = 4;
const IFF_UP = 0x1;
/** The errno of a write to a device that is down (tun_get_user in drivers/net/tun.c). */
const EIO = 5;
/** What such a device is called; the kernel gives its kind as its bus. */
const LABELS: Record<TapKind, string> = { tap: 'TAP device', tun: 'TUN device' };

/**
 * Opens a device in the calling thread's network namespace, and makes it where there is none. Throws an Error, with `code`
 * where the kernel refused, that names the device; nothing is held then.
 */
export function openTap(
  addon: Addon,
  arena: number,
  allocator: ArenaAllocator,
  { index, name, device, kind = 'tap' }: TapOptions,
): TapDescription {
  const exists = checkDevice(addon, device, kind);
  const offset = allocator.allocate(REGION_OCTETS);
  if (offset === undefined) throw new Error(`${device}: the arena has no room for ${REGION_OCTETS} octets`);
  let handle: number | undefined;
  try {
    const extent = { offset, octets: REGION_OCTETS };
    handle = addon.tapOpen(arena, {
      device,
      isTun: kind === 'tun',
      ...extent,
      headroomOctets: HEADROOM_OCTETS,
      up: !exists,
    });
    const facts = addon.deviceQuery(device);
    return {
      handle,
      index,
      name,
      device,
      deviceIndex: facts.index,
      maxFrameOctets: facts.mtu + (kind === 'tun' ? 0 : ETHERNET_HEADER_OCTETS),
      isUp: (facts.flags & IFF_UP) !== 0,
      descriptors: addon.tapDescriptors(handle),
      extent,
      kind,
    };
  } catch (error) {
    if (handle !== undefined) addon.tapClose(handle);
    allocator.release(offset, REGION_OCTETS);
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    throw new Error(`property device, value ${device}: another program has this ${LABELS[kind]} open`, {
      cause: error,
    });
  }
}

/** Whether there is such a device; throws when it is none that can be attached to. */
function checkDevice(addon: Addon, device: string, kind: TapKind): boolean {
  try {
    addon.deviceQuery(device);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENODEV') return false;
    throw error;
  }
  if (addon.deviceOffloads(device).bus === kind) return true;
  throw new Error(
    `property device, value ${device}: exists and is no ${LABELS[kind]}; name one that does not exist, or use adapter packet-ring`,
  );
}

/** Gives back the memory of a device whose port has been closed. */
export function releaseTap(allocator: ArenaAllocator, description: TapDescription): void {
  allocator.release(description.extent.offset, description.extent.octets);
}

export class TapPort extends DevicePort {
  /** Room for a tag, which the MTU does not count. */
  readonly #tagOctets: number;
  /** The frames that `transmitted` describes. */
  readonly #sending: Frame[] = [];

  constructor(addon: Addon, description: TapDescription, now: () => number) {
    super(addon, description, now, description.kind === 'tun' ? 'ip' : 'ethernet');
    this.#tagOctets = description.kind === 'tun' ? 0 : VLAN_TAG_OCTETS;
  }

  receive(into: FrameBatch): number {
    const words = this.received;
    const count = this.addon.tapReceive(this.handle, words, BURST);
    for (let index = 0, at = 0; index < count; index++, at += RING_STRIDE) {
      const frame = this.frames[index]!;
      readFrame(frame, words, at, this.index);
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
    const sending = this.#sending;
    const limit = this.maxFrameOctets + this.#tagOctets;
    let accepted = 0;
    for (let index = 0; index < count; index++) {
      const frame = batch.frames[from + index]!;
      // The kernel would take it whatever its length; a device that is down refuses, at the price of a system call.
      if (!this.isUp) {
        refuse(frame, Drop.portDown);
      } else if (frame.end - frame.start > limit && frame.gsoType === Gso.none) {
        refuse(frame, Drop.transmitTooLong);
      } else {
        writeFrame(frame, words, accepted * RING_STRIDE);
        sending[accepted++] = frame;
      }
    }
    if (accepted === 0 || this.addon.tapTransmit(this.handle, words, accepted) === 0) return;
    for (let index = 0, at = 0; index < accepted; index++, at += RING_STRIDE) {
      if (words[at + 3] !== RING_REFUSED) continue;
      const errno = words[at + 5]!;
      refuse(sending[index]!, errno === EIO ? Drop.portDown : refusalOf(errno));
    }
  }

  close(): void {
    this.addon.tapClose(this.handle);
  }

  protected readOverruns(): number {
    return this.addon.tapOverruns(this.handle);
  }
}
