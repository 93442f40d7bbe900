// The network devices of this namespace and their addresses, and every change to them, by rtnetlink.

import { EventEmitter } from 'node:events';
import { formatPrefix, type IpPrefix } from '../core/address.ts';
import type { Addon } from '../native/addon.ts';
import {
  AddressFlag,
  type AddressRecord,
  dumpAddressesRequest,
  dumpLinksRequest,
  LinkFlag,
  type LinkRecord,
  RtnetlinkGroup,
  type RtnetlinkRecord,
} from '../wire/rtnetlink.ts';
import { NetlinkMonitor, NetlinkSocket } from './netlink-socket.ts';

/** A device as it was when it was last reported; a change makes a new value. */
export type Device = {
  readonly index: number;
  readonly name: string;
  readonly mtu: number;
  readonly mac: Uint8Array;
  /** Set up by its administrator. */
  readonly isUp: boolean;
  /** Up, and with a carrier: frames can pass. */
  readonly isRunning: boolean;
  readonly isLoopback: boolean;
  /** Index of the bridge, bond or VRF that it belongs to; 0: none. */
  readonly master: number;
  /** Addresses that can be used: neither tentative nor failed duplicate address detection. */
  readonly addresses: readonly IpPrefix[];
};

export type DeviceEvents = {
  appeared: [device: Device];
  changed: [device: Device, before: Device];
  gone: [device: Device];
  addressAdded: [device: Device, address: IpPrefix];
  addressRemoved: [device: Device, address: IpPrefix];
  /** Nothing can be watched any more. */
  failed: [error: Error];
};

/** Whoever knows the devices and reports changes. */
export interface Devices extends EventEmitter<DeviceEvents> {
  /** Reads all there is, reporting it as it does; changes are reported from then on. */
  start(): Promise<void>;
  readonly devices: readonly Device[];
  find(name: string): Device | undefined;
  close(): void;
}

const UNUSABLE = AddressFlag.tentative | AddressFlag.dadFailed;

/**
 * A device that is renamed is gone by its old name and appears by the new one; one that is deleted and made again has
 * another index. Addresses are reported after their device appeared and before it is gone.
 */
export class DeviceWatcher extends EventEmitter<DeviceEvents> implements Devices {
  readonly #socket: NetlinkSocket;
  readonly #monitor: NetlinkMonitor;
  readonly #devices = new Map<number, Device>();
  #refreshing: Promise<void> | undefined;
  #closed = false;

  /** Throws an Error with `code` when the kernel gives no sockets. */
  constructor(addon: Addon) {
    super();
    this.#socket = new NetlinkSocket(addon);
    const groups = RtnetlinkGroup.link | RtnetlinkGroup.ipv4Address | RtnetlinkGroup.ipv6Address;
    try {
      this.#monitor = new NetlinkMonitor(
        addon,
        groups,
        (record) => this.#heard(record),
        () => this.#refreshAgain(),
      );
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  /** Reads all there is, reporting it as it does; changes are reported from then on. */
  async start(): Promise<void> {
    await this.#refresh();
  }

  /** All devices, by index. */
  get devices(): readonly Device[] {
    return [...this.#devices.values()];
  }

  find(name: string): Device | undefined {
    return this.devices.find((device) => device.name === name);
  }

  close(): void {
    this.#closed = true;
    this.#monitor.close();
    this.#socket.close();
  }

  #refreshAgain(): void {
    this.#refresh().catch((error: unknown) => {
      if (!this.#closed) this.emit('failed', error as Error);
    });
  }

  /** Compares what the kernel has with what was reported; a call during another waits for it and looks once more. */
  async #refresh(): Promise<void> {
    while (this.#refreshing !== undefined) await this.#refreshing;
    this.#refreshing = this.#readAll();
    try {
      await this.#refreshing;
    } finally {
      this.#refreshing = undefined;
    }
  }

  async #readAll(): Promise<void> {
    // What was notified so far is older than what is read now.
    this.#monitor.drain();
    const links = await this.#socket.request('list links', dumpLinksRequest);
    const addresses = await this.#socket.request('list addresses', dumpAddressesRequest);
    if (this.#closed) return;
    const present = new Set(links.flatMap((record) => (record.type === 'link' ? [record.index] : [])));
    for (const device of this.devices) if (!present.has(device.index)) this.#forget(device);
    for (const record of links) this.#heard(record);
    const listed = new Set(addresses.flatMap((record) => (record.type === 'address' ? [keyOf(record)] : [])));
    for (const device of this.devices) {
      for (const prefix of device.addresses) {
        if (!listed.has(keyOf({ index: device.index, prefix }))) this.#setAddress(device.index, prefix, false);
      }
    }
    for (const record of addresses) this.#heard(record);
  }

  #heard(record: RtnetlinkRecord): void {
    if (record.type === 'link') this.#noteLink(record);
    else if (record.type === 'address') {
      this.#setAddress(record.index, record.prefix, !record.removed && (record.flags & UNUSABLE) === 0);
    }
  }

  #noteLink(record: LinkRecord): void {
    const before = this.#devices.get(record.index);
    if (record.removed) {
      if (before !== undefined) this.#forget(before);
      return;
    }
    const device: Device = {
      index: record.index,
      name: record.name,
      mtu: record.mtu,
      mac: record.mac,
      isUp: (record.flags & LinkFlag.up) !== 0,
      isRunning: (record.flags & LinkFlag.up) !== 0 && (record.flags & LinkFlag.lowerUp) !== 0,
      isLoopback: (record.flags & LinkFlag.loopback) !== 0,
      master: record.master,
      addresses: before?.addresses ?? [],
    };
    if (before !== undefined && before.name !== device.name) {
      const { addresses } = before;
      this.#forget(before);
      this.#devices.set(device.index, { ...device, addresses: [] });
      this.emit('appeared', this.#devices.get(device.index)!);
      for (const prefix of addresses) this.#setAddress(device.index, prefix, true);
      return;
    }
    this.#devices.set(device.index, device);
    if (before === undefined) this.emit('appeared', device);
    else if (!isSame(before, device)) this.emit('changed', device, before);
  }

  #setAddress(index: number, prefix: IpPrefix, present: boolean): void {
    const before = this.#devices.get(index);
    if (before === undefined) return;
    const key = formatPrefix(prefix);
    const others = before.addresses.filter((other) => formatPrefix(other) !== key);
    if (others.length < before.addresses.length === present) return;
    const device = { ...before, addresses: present ? [...others, prefix] : others };
    this.#devices.set(index, device);
    this.emit(present ? 'addressAdded' : 'addressRemoved', device, prefix);
  }

  #forget(device: Device): void {
    for (const prefix of device.addresses) this.#setAddress(device.index, prefix, false);
    const last = this.#devices.get(device.index) ?? device;
    this.#devices.delete(device.index);
    this.emit('gone', last);
  }
}

const keyOf = ({ index, prefix }: Pick<AddressRecord, 'index' | 'prefix'>): string =>
  `${index} ${formatPrefix(prefix)}`;

const isSame = (a: Device, b: Device): boolean =>
  a.mtu === b.mtu &&
  a.isUp === b.isUp &&
  a.isRunning === b.isRunning &&
  a.master === b.master &&
  Buffer.compare(a.mac, b.mac) === 0;
