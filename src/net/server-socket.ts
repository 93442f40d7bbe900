// Sockets that serve an address, which this machine may not have yet.

import { parseIpv6 } from '../core/address.ts';
import type { Addon } from '../native/addon.ts';

export type ServerAddress = {
  /** Without a route domain. */
  readonly address: string;
  readonly port: number;
  readonly isStream: boolean;
  /** File of the network namespace; absent: that of the process. */
  readonly namespace?: string;
};

/** The descriptor of a bound socket, whose owner the caller is. Throws an Error of the operating system. */
export function openServerSocket(addon: Addon, { address, port, isStream, namespace = '' }: ServerAddress): number {
  const family = parseIpv6(address) === undefined ? 4 : 6;
  return addon.serverSocketOpen({ family, address, port, isStream, namespace });
}
