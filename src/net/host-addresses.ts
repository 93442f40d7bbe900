// The addresses of this host, in this network namespace.
//
// Asked of the kernel, not of node:os: that leaves out what is on a device without a carrier, and a machine whose cable is pulled out is
// still itself.

import { networkInterfaces } from 'node:os';
import { formatBareAddress, isLoopback, parseAddress } from '../core/address.ts';
import { loadAddon } from '../native/addon.ts';

type DeviceAddress = readonly [device: string, address: string, isUp: boolean];

/** What others can reach this host by: also what the loopback device has, but for its own addresses. Canonical. */
export function hostAddresses(): Set<string> {
  return new Set(
    deviceAddresses().flatMap(([, text]) => {
      const address = parseAddress(text);
      return address === undefined || isLoopback(address) ? [] : [formatBareAddress(address)];
    }),
  );
}

/** Which device has an address; undefined when none that is up has it. `address` as it is printed, without a route domain. */
export function deviceOfAddress(address: string): string | undefined {
  return deviceAddresses().find(([, text, isUp]) => isUp && text === address)?.[0];
}

function deviceAddresses(): readonly DeviceAddress[] {
  const { addon } = loadAddon();
  if (addon !== undefined) return addon.deviceAddresses();
  return Object.entries(networkInterfaces()).flatMap(([device, all = []]) =>
    all.map(({ address }): DeviceAddress => [device, address, true]),
  );
}
