// Which device of this network namespace has an address.

import { networkInterfaces } from 'node:os';

/** Undefined when no device that is up has it. `address` as it is printed, without a route domain. */
export function deviceOfAddress(address: string): string | undefined {
  for (const [device, addresses = []] of Object.entries(networkInterfaces())) {
    if (addresses.some((each) => each.address === address)) return device;
  }
  return undefined;
}
