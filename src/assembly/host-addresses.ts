// The addresses of this host, as others see it.

import { networkInterfaces } from 'node:os';
import { formatBareAddress, isLoopback, parseAddress } from '../core/address.ts';

/** What others can reach this host by: also what the loopback device has, but for its own addresses. Canonical. */
export function hostAddresses(): Set<string> {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return new Set(
    all.flatMap(({ address: text }) => {
      const address = parseAddress(text);
      return address === undefined || isLoopback(address) ? [] : [formatBareAddress(address)];
    }),
  );
}
