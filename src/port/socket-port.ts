// What the ports on the kernel's sockets have in common: their place, the MTU of the underlay, and counters that are not read
// more often than anybody looks.

import type { Addon } from '../native/addon.ts';
import type { PortCounters } from './port.ts';

/** Of what `openUdpPort` and `openRawIp` hand over. */
export type SocketDescription = {
  handle: number;
  index: number;
  name: string;
  maxFrameOctets: number;
  descriptors: number[];
  /** Octets of the headers that the kernel puts in front of each payload. */
  headerOctets: number;
};

const OVERRUNS_AGE_MS = 100;

export abstract class SocketPort {
  readonly name: string;
  readonly index: number;
  readonly descriptors: readonly number[];
  maxFrameOctets: number;
  isUp = true;
  protected readonly addon: Addon;
  protected readonly handle: number;
  readonly #headerOctets: number;
  readonly #now: () => number;
  readonly #counters: PortCounters = { receiveOverruns: 0 };
  #countersReadMs = -Infinity;

  /** `now`: a monotonic clock in milliseconds. */
  constructor(addon: Addon, description: SocketDescription, now: () => number) {
    this.name = description.name;
    this.index = description.index;
    this.descriptors = description.descriptors;
    this.maxFrameOctets = description.maxFrameOctets;
    this.addon = addon;
    this.handle = description.handle;
    this.#headerOctets = description.headerOctets;
    this.#now = now;
  }

  /** Datagrams that the socket had no room for, since it was opened. */
  protected abstract readOverruns(): number;

  get counters(): Readonly<PortCounters> {
    const nowMs = this.#now();
    if (nowMs - this.#countersReadMs >= OVERRUNS_AGE_MS) {
      this.#countersReadMs = nowMs;
      this.#counters.receiveOverruns = this.readOverruns();
    }
    return this.#counters;
  }

  /** Whether the local address is there, as the watcher on the main thread sees it. */
  setUp(isUp: boolean): void {
    this.isUp = isUp;
  }

  /** The MTU of the underlay, as the watcher on the main thread sees it. */
  setMtu(mtu: number): void {
    this.maxFrameOctets = mtu - this.#headerOctets;
  }
}
