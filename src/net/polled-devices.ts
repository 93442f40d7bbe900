// The network devices of this namespace, asked of ip(8) again and again: what stands in for the device watcher where the
// addon, and with it rtnetlink, cannot be had.

import { EventEmitter } from 'node:events';
import { parsePrefix } from '../core/address.ts';
import { parseMac } from '../core/mac.ts';
import type { Device, DeviceEvents, Devices } from './device-watcher.ts';
import { runCommand } from './helper-program.ts';

const POLL_MS = 500;
/** Failures in a row after which nothing is watched any more. */
const MAX_FAILURES = 10;

type IpLink = {
  ifindex: number;
  ifname: string;
  flags: string[];
  mtu: number;
  address?: string;
  master?: string;
  addr_info?: { family?: string; local?: string; prefixlen?: number; tentative?: boolean; dadfailed?: boolean }[];
};

export class PolledDevices extends EventEmitter<DeviceEvents> implements Devices {
  #devices: readonly Device[] = [];
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #closed = false;

  /** Reads all there is; changes are reported from then on. Rejects when ip(8) cannot be asked. */
  async start(): Promise<void> {
    this.#take(await listDevices());
    this.#wait();
  }

  get devices(): readonly Device[] {
    return this.#devices;
  }

  find(name: string): Device | undefined {
    return this.#devices.find((device) => device.name === name);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    if (!this.#closed) this.#timer = setTimeout(() => void this.#poll(), POLL_MS);
  }

  async #poll(): Promise<void> {
    try {
      const devices = await listDevices();
      if (this.#closed) return;
      this.#failures = 0;
      this.#take(devices);
    } catch (error) {
      if (this.#closed) return;
      if (++this.#failures >= MAX_FAILURES) {
        this.emit('failed', error instanceof Error ? error : new Error(String(error)));
        return;
      }
    }
    this.#wait();
  }

  #take(devices: readonly Device[]): void {
    const before = new Map(this.#devices.map((device) => [device.index, device]));
    this.#devices = devices;
    for (const device of devices) {
      const old = before.get(device.index);
      before.delete(device.index);
      if (old === undefined) this.emit('appeared', device);
      else if (JSON.stringify(old) !== JSON.stringify(device)) this.emit('changed', device, old);
    }
    for (const gone of before.values()) this.emit('gone', gone);
  }
}

async function listDevices(): Promise<readonly Device[]> {
  const { status, stdout, stderr } = await runCommand('ip', ['-json', 'address', 'show']);
  if (status !== 0) throw new Error(`ip address show: ${stderr}; install iproute2 if it is missing`);
  const links = JSON.parse(stdout.length === 0 ? '[]' : stdout.toString()) as IpLink[];
  const indexOf = new Map(links.map(({ ifname, ifindex }) => [ifname, ifindex]));
  return links.map((link) => deviceOf(link, indexOf));
}

function deviceOf(link: IpLink, indexOf: ReadonlyMap<string, number>): Device {
  const isUp = link.flags.includes('UP');
  return {
    index: link.ifindex,
    name: link.ifname,
    mtu: link.mtu,
    mac: parseMac(link.address ?? '') ?? new Uint8Array(6),
    isUp,
    isRunning: isUp && link.flags.includes('LOWER_UP'),
    isLoopback: link.flags.includes('LOOPBACK'),
    master: (link.master === undefined ? undefined : indexOf.get(link.master)) ?? 0,
    addresses: (link.addr_info ?? []).flatMap(({ local, prefixlen, tentative, dadfailed }) => {
      const prefix = parsePrefix(`${local ?? ''}/${prefixlen ?? ''}`);
      return prefix === undefined || tentative === true || dadfailed === true ? [] : [prefix];
    }),
  };
}
