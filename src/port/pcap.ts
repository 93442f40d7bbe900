// A network device through libpcap (package `cap`), for machines on which the addon cannot be built or loaded.
//
// libpcap is driven by the event loop of the main thread. What it receives is copied into a ring, from which the port takes
// it: in the same thread when that runs the data plane, in the worker otherwise, and then what the worker sends comes back
// by a second ring.
//
//   main thread                             the thread of the data plane
//   PcapLink ── received ring ────────────► PcapPort.receive
//   PcapLink ◄─ to be sent: a call, or ──── PcapPort.transmit
//               the ring of the worker
//
// Frames that we, or the kernel, send are not received: the filter is `inbound`. libpcap tells nothing of unfinished
// checksums, so they are recognised; tags stand in the octets. What the kernel had no room for is not told either: it is
// the difference between what the device and what we have counted, for as long as no offload joins frames in between.

import { readFileSync } from 'node:fs';
import { Drop, type Verdict } from '../core/drop-reason.ts';
import type { Addon } from '../native/addon.ts';
import type { Arena, ArenaAllocator } from '../packet/arena.ts';
import { finishUnannouncedOffloads } from '../packet/complete-checksum.ts';
import { BURST, Frame, type FrameBatch, HEADROOM_OCTETS, resetMetadata } from '../packet/frame.ts';
import { ETHERNET_HEADER_OCTETS, VLAN_TAG_OCTETS } from '../wire/ethernet.ts';
import { type CapHandle, loadCap } from './cap.ts';
import { createFrameRing, FrameRing, type FrameRingMemory, frameRingOctets } from './frame-ring.ts';
import type { Port, PortCounters } from './port.ts';
import { refusalOfText } from './refusal.ts';

export type PcapOptions = {
  /** Position in the table of ports. */
  index: number;
  name: string;
  device: string;
  /** What the device is now. */
  deviceIndex: number;
  mtu: number;
  isUp: boolean;
  /** With the addon the port is used in a worker, without it in this thread. */
  addon: Addon | undefined;
  /** Called, in this thread, when frames have come; `many`: so many that they should be taken before this returns. */
  arrived: (many: boolean) => void;
};

/** All that a thread needs to use a link; plain data. */
export type PcapDescription = {
  index: number;
  name: string;
  device: string;
  deviceIndex: number;
  maxFrameOctets: number;
  isUp: boolean;
  received: FrameRingMemory;
  /** Doubles: LOST_WORD. */
  statistics: SharedArrayBuffer;
  /** Of a port in a worker: what is to be sent, and the eventfds that wake the worker and this thread. */
  worker: { transmitted: FrameRingMemory; wakeWorker: number; wakeLink: number } | undefined;
  extent: { offset: number; octets: number };
  warnings: string[];
};

const RECEIVE_SLOTS = 2048;
const TRANSMIT_SLOTS = 1024;
/** Of the kernel's ring; where segments may come joined, libpcap makes each place in it 64 KB large. */
const KERNEL_BUFFER_OCTETS = 32 << 20;
const MAX_FRAME_OCTETS = 65_535;
/** Frames that are waiting before they are taken from within the callback: libpcap calls as long as more come. */
const MANY = 64;
const COUNT_MS = 250;
const LOST_WORD = 0;

/** One buffer for all links, since each frame is copied out of it at once. */
const buffer = Buffer.alloc(MAX_FRAME_OCTETS);
const sendBuffer = Buffer.alloc(MAX_FRAME_OCTETS);
/** Handles that are in use or were: a handle that is freed leaves the event loop with a pointer to it. */
const handles: CapHandle[] = [];
/** Links by index of their port: how a port in this thread finds its link. */
const links = new Map<number, PcapLink>();

/** Opens a device; throws an Error that names it. The link is used by a PcapPort, and closed by `releasePcap`. */
export function openPcap(arena: Arena, allocator: ArenaAllocator, options: PcapOptions): PcapDescription {
  const { index, name, device, deviceIndex, addon } = options;
  const loaded = loadCap();
  if (loaded.cap === undefined) throw new Error(`${device}: ${loaded.reason}`);
  const receiveOctets = frameRingOctets(RECEIVE_SLOTS);
  const octets = receiveOctets + (addon === undefined ? 0 : frameRingOctets(TRANSMIT_SLOTS));
  const offset = allocator.allocate(octets);
  if (offset === undefined) throw new Error(`${device}: the arena has no room for a ring of ${octets} octets`);
  const description: PcapDescription = {
    index,
    name,
    device,
    deviceIndex,
    maxFrameOctets: options.mtu + ETHERNET_HEADER_OCTETS,
    isUp: options.isUp,
    received: createFrameRing(offset, RECEIVE_SLOTS),
    statistics: new SharedArrayBuffer(8),
    worker: undefined,
    extent: { offset, octets },
    warnings: loaded.weakness === undefined ? [] : [loaded.weakness],
  };
  try {
    const link = new PcapLink(arena, description, options);
    if (addon !== undefined) {
      const transmitted = createFrameRing(offset + receiveOctets, TRANSMIT_SLOTS);
      description.worker = { transmitted, wakeWorker: addon.eventOpen(), wakeLink: addon.eventOpen() };
      link.serveWorker(addon, description.worker);
    }
    links.set(index, link);
    return description;
  } catch (error) {
    allocator.release(offset, octets);
    throw error;
  }
}

/** Closes the link of a port that no longer uses it, and gives back its memory. */
export function releasePcap(allocator: ArenaAllocator, description: PcapDescription): void {
  links.get(description.index)?.close();
  links.delete(description.index);
  allocator.release(description.extent.offset, description.extent.octets);
}

/** Tells the link of a port what has become of its device. */
export function setPcapLink(index: number, isUp: boolean, mtu: number): void {
  links.get(index)?.setState(isUp, mtu);
}

/** libpcap's side of a port: on the main thread. */
class PcapLink {
  readonly #device: string;
  readonly #arena: Arena;
  readonly #ring: FrameRing;
  readonly #statistics: Float64Array;
  #arrived: (many: boolean) => void;
  #maxFrameOctets: number;
  #handle: CapHandle | undefined;
  readonly #timer: NodeJS.Timeout;
  /** Frames that libpcap has handed over since the first, and what the device had counted at that one. */
  #seen = 0;
  #base = 0;
  /** What the device had counted at the last look; undefined when its counts and ours cannot be compared. */
  #counted: number | undefined;
  #lostInKernel = 0;
  #comparable = true;
  #stopServing: () => void = () => undefined;

  /** Throws when a device that is up cannot be opened. */
  constructor(arena: Arena, description: PcapDescription, options: PcapOptions) {
    this.#device = description.device;
    this.#arena = arena;
    this.#ring = new FrameRing(arena, description.received);
    this.#statistics = new Float64Array(description.statistics);
    this.#arrived = options.arrived;
    this.#maxFrameOctets = description.maxFrameOctets;
    if (options.isUp) this.#open();
    this.#timer = setInterval(() => this.#count(), COUNT_MS);
    this.#timer.unref();
  }

  get isOpen(): boolean {
    return this.#handle !== undefined;
  }

  /** A link that went down is dead to libpcap: it is opened anew when it is back. */
  setState(isUp: boolean, mtu: number): void {
    this.#maxFrameOctets = mtu + ETHERNET_HEADER_OCTETS;
    if (!isUp) {
      this.#close();
    } else if (this.#handle === undefined) {
      try {
        this.#open();
      } catch {
        // It has gone down again, or was deleted: the next look at the device tells.
      }
    }
  }

  /** Sends the octets, or says why not. */
  send(start: number, octets: number): Verdict {
    if (this.#handle === undefined) return Drop.portDown;
    const { bytes } = this.#arena;
    for (let index = 0; index < octets; index++) sendBuffer[index] = bytes[start + index]!;
    try {
      this.#handle.send(sendBuffer, octets);
      return 0;
    } catch (error) {
      // What pcap_sendpacket says is `send: ` and the text of an errno.
      return refusalOfText(error instanceof Error ? error.message : '');
    }
  }

  /** Sends what a worker puts into the ring. */
  serveWorker(addon: Addon, { transmitted, wakeWorker, wakeLink }: NonNullable<PcapDescription['worker']>): void {
    const ring = new FrameRing(this.#arena, transmitted);
    this.#arrived = () => addon.eventSignal(wakeWorker);
    const watch = addon.watchReadable(wakeLink, () => {
      addon.eventDrain(wakeLink);
      for (let waiting = ring.waiting; waiting > 0; waiting--) {
        const slot = ring.slot(0);
        if (this.send(ring.start(slot), ring.octets(slot)) !== 0) this.#statistics[LOST_WORD]! += 1;
        ring.empty(1);
      }
    });
    this.#stopServing = () => {
      addon.unwatch(watch);
      addon.closeDescriptor(wakeLink);
      addon.closeDescriptor(wakeWorker);
    };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#close();
    this.#stopServing();
  }

  #open(): void {
    const loaded = loadCap();
    if (loaded.cap === undefined) throw new Error(loaded.reason);
    const handle = new loaded.cap.Cap();
    handles.push(handle);
    let linkType: string;
    try {
      linkType = handle.open(this.#device, 'inbound', KERNEL_BUFFER_OCTETS, buffer);
    } catch (error) {
      throw new Error(`${this.#device}: libpcap: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
    if (linkType !== 'ETHERNET') {
      handle.close();
      throw new Error(`${this.#device}: its link type is ${linkType}, not Ethernet`);
    }
    handle.on('packet', (octets) => this.#accept(octets));
    this.#handle = handle;
    this.#lostInKernel = this.#statistics[LOST_WORD]!;
    this.#seen = 0;
    this.#counted = undefined;
  }

  #close(): void {
    this.#handle?.close();
    this.#handle = undefined;
  }

  #accept(octets: number): void {
    // libpcap loses the first frame that it gets after its filter was set.
    if (this.#seen++ === 0) this.#base = receivedFrames(this.#device) - 1;
    if (octets > this.#maxFrameOctets + VLAN_TAG_OCTETS) this.#comparable = false;
    this.#ring.fill(buffer, 0, octets);
    this.#arrived(this.#ring.waiting >= MANY);
  }

  /** What the device had counted at the look before and we have not seen since is lost. */
  #count(): void {
    if (this.#handle === undefined || this.#seen === 0 || !this.#comparable) return;
    const lost = this.#counted === undefined ? 0 : this.#counted - this.#base - this.#seen;
    if (lost > this.#lostInKernel) {
      this.#statistics[LOST_WORD]! += lost - this.#lostInKernel;
      this.#lostInKernel = lost;
    }
    this.#counted = receivedFrames(this.#device);
  }
}

/** Frames that a device of this namespace has received. */
function receivedFrames(device: string): number {
  const line = readFileSync('/proc/net/dev', 'utf8')
    .split('\n')
    .find((text) => text.trimStart().startsWith(`${device}:`));
  const fields = line
    ?.slice(line.indexOf(':') + 1)
    .trim()
    .split(/\s+/);
  return Number(fields?.[1] ?? 0);
}

export class PcapPort implements Port {
  readonly name: string;
  readonly medium = 'ethernet';
  readonly index: number;
  readonly descriptors: readonly number[];
  readonly needsFinished = true;
  maxFrameOctets: number;
  isUp: boolean;
  readonly #addon: Addon | undefined;
  readonly #arena: Arena;
  readonly #ring: FrameRing;
  readonly #statistics: Float64Array;
  /** In this thread, or undefined in a worker, which has the ring. */
  readonly #link: PcapLink | undefined;
  readonly #transmitted: FrameRing | undefined;
  readonly #worker: PcapDescription['worker'];
  readonly #counters: PortCounters = { receiveOverruns: 0 };
  readonly #frames: Frame[] = [];
  #lent = 0;

  /** `addon`: in a worker. */
  constructor(addon: Addon | undefined, arena: Arena, description: PcapDescription) {
    const { worker } = description;
    this.name = description.name;
    this.index = description.index;
    this.descriptors = worker === undefined ? [] : [worker.wakeWorker];
    this.maxFrameOctets = description.maxFrameOctets;
    this.isUp = description.isUp;
    this.#addon = addon;
    this.#arena = arena;
    this.#ring = new FrameRing(arena, description.received);
    this.#statistics = new Float64Array(description.statistics);
    this.#worker = worker;
    this.#link = worker === undefined ? links.get(description.index) : undefined;
    this.#transmitted = worker === undefined ? undefined : new FrameRing(arena, worker.transmitted);
    for (let index = 0; index < BURST; index++) this.#frames.push(new Frame());
  }

  get counters(): Readonly<PortCounters> {
    this.#counters.receiveOverruns = this.#ring.lost + this.#statistics[LOST_WORD]!;
    return this.#counters;
  }

  /** The state of the device, as the watcher sees it. */
  setUp(isUp: boolean): void {
    this.isUp = isUp;
  }

  /** The MTU of the device, as the watcher sees it. */
  setMtu(mtu: number): void {
    this.maxFrameOctets = mtu + ETHERNET_HEADER_OCTETS;
  }

  receive(into: FrameBatch): number {
    const ring = this.#ring;
    ring.empty(this.#lent);
    if (this.#worker !== undefined) this.#addon!.eventDrain(this.#worker.wakeWorker);
    const count = Math.min(ring.waiting, BURST);
    this.#lent = count;
    const largest = this.maxFrameOctets + VLAN_TAG_OCTETS;
    const mtu = this.maxFrameOctets - ETHERNET_HEADER_OCTETS;
    for (let index = 0; index < count; index++) {
      const frame = this.#frames[index]!;
      const slot = ring.slot(index);
      resetMetadata(frame);
      frame.start = ring.start(slot);
      frame.end = frame.start + ring.octets(slot);
      frame.headroomStart = frame.start - HEADROOM_OCTETS;
      frame.port = this.index;
      frame.offloadsUnknown = 1;
      finishUnannouncedOffloads(this.#arena, frame, mtu, largest);
      into.push(frame);
    }
    return count;
  }

  transmit(batch: FrameBatch, refuse: (frame: Frame, why: Verdict) => void): void {
    const largest = this.maxFrameOctets + VLAN_TAG_OCTETS;
    const transmitted = this.#transmitted;
    for (let index = 0; index < batch.length; index++) {
      const frame = batch.frames[index]!;
      const octets = frame.end - frame.start;
      let why: Verdict = 0;
      if (!this.isUp) why = Drop.portDown;
      else if (octets > largest) why = Drop.transmitTooLong;
      else if (this.#link !== undefined) why = this.#link.send(frame.start, octets);
      else if (transmitted?.fill(this.#arena.bytes, frame.start, octets) !== true) why = Drop.transmitQueueFull;
      if (why !== 0) refuse(frame, why);
    }
    if (this.#worker !== undefined) this.#addon!.eventSignal(this.#worker.wakeLink);
  }

  /** The link is closed where it was opened. */
  close(): void {
    this.isUp = false;
    this.#ring.empty(this.#lent);
    this.#lent = 0;
  }
}
