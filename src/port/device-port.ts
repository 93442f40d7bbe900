// What adapters have in common that own a device of the addon: frames of a burst, the words that describe them, counters of
// the kernel that are read now and then, and what the watcher on the main thread tells of the device.

import type { Verdict } from '../core/drop-reason.ts';
import { type Addon, RING_STRIDE } from '../native/addon.ts';
import { BURST, Frame, type FrameBatch } from '../packet/frame.ts';
import { ETHERNET_HEADER_OCTETS } from '../wire/ethernet.ts';
import type { Port, PortCounters, PortMedium } from './port.ts';

/** What a worker needs of every open device; plain data, to be posted to it. */
export type DeviceDescription = {
  handle: number;
  index: number;
  name: string;
  device: string;
  /** The device that was opened: a new one of the same name has another. */
  deviceIndex: number;
  maxFrameOctets: number;
  isUp: boolean;
  descriptors: number[];
  /** What it holds of the arena. */
  extent: { offset: number; octets: number };
};

/** How old a reading of the kernel's loss counters may be. */
const OVERRUNS_AGE_MS = 100;

export abstract class DevicePort implements Port {
  readonly name: string;
  readonly medium: PortMedium;
  readonly index: number;
  readonly descriptors: readonly number[];
  maxFrameOctets: number;
  isUp: boolean;
  protected readonly addon: Addon;
  protected readonly handle: number;
  protected readonly frames: readonly Frame[] = Array.from({ length: BURST }, () => new Frame());
  /** Descriptors of a burst, RING_STRIDE words each. */
  protected readonly received = new Int32Array(BURST * RING_STRIDE);
  protected readonly transmitted = new Int32Array(BURST * RING_STRIDE);
  /** In front of an IP packet of the MTU. */
  readonly #linkOctets: number;
  readonly #now: () => number;
  readonly #counters: PortCounters = { receiveOverruns: 0 };
  #countersReadMs = -Infinity;

  /** `now`: a monotonic clock in milliseconds. */
  constructor(addon: Addon, description: DeviceDescription, now: () => number, medium: 'ethernet' | 'ip' = 'ethernet') {
    this.medium = medium;
    this.#linkOctets = medium === 'ip' ? 0 : ETHERNET_HEADER_OCTETS;
    this.name = description.name;
    this.index = description.index;
    this.descriptors = description.descriptors;
    this.maxFrameOctets = description.maxFrameOctets;
    this.isUp = description.isUp;
    this.addon = addon;
    this.handle = description.handle;
    this.#now = now;
  }

  get counters(): Readonly<PortCounters> {
    const nowMs = this.#now();
    if (nowMs - this.#countersReadMs >= OVERRUNS_AGE_MS) {
      this.#countersReadMs = nowMs;
      this.#counters.receiveOverruns = this.readOverruns();
    }
    return this.#counters;
  }

  /** The state of the device, as the watcher on the main thread sees it. */
  setUp(isUp: boolean): void {
    this.isUp = isUp;
  }

  /** The MTU of the device, as the watcher on the main thread sees it. */
  setMtu(mtu: number): void {
    this.maxFrameOctets = mtu + this.#linkOctets;
  }

  transmit(batch: FrameBatch, refuse: (frame: Frame, why: Verdict) => void): void {
    for (let from = 0; from < batch.length; from += BURST) {
      this.transmitBurst(batch, from, Math.min(batch.length - from, BURST), refuse);
    }
  }

  abstract receive(into: FrameBatch): number;
  abstract close(): void;
  /** Frames lost in front of us since the device was opened. */
  protected abstract readOverruns(): number;
  /** `transmit` of frames [from, from + count) of the batch, at most BURST. */
  protected abstract transmitBurst(
    batch: FrameBatch,
    from: number,
    count: number,
    refuse: (frame: Frame, why: Verdict) => void,
  ): void;
}
