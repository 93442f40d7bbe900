// Sockets that serve an address, which this machine may not have yet; and those that a process with more rights has opened.

import { parseIpv6 } from '../core/address.ts';
import { type Addon, loadAddon } from '../native/addon.ts';

export type ServerAddress = {
  /** Without a route domain. */
  readonly address: string;
  readonly port: number;
  readonly isStream: boolean;
  /** Whether sockets of ours have the address, or a part of it; else it must be nobody's. */
  readonly isShared: boolean;
  /** File of the network namespace; absent: that of the process. */
  readonly namespace?: string;
};

/** Where a packet socket is opened that is bound to nothing. */
export type PacketPlace = { readonly namespace: string };

/** The file of a network namespace that ip(8) has named. */
export const namespaceFile = (name: string): string => `/run/netns/${name}`;

/** The descriptor of a bound socket, whose owner the caller is. Throws an Error of the operating system. */
export function openServerSocket(addon: Addon, { namespace = '', ...where }: ServerAddress): number {
  const family = parseIpv6(where.address) === undefined ? 4 : 6;
  return addon.serverSocketOpen({ family, namespace, ...where });
}

/** A packet socket in a network namespace, that of the process without one. Throws an Error of the operating system. */
const openPacketSocket = (addon: Addon, namespace: string): number =>
  addon.serverSocketOpen({ isPacket: true, namespace });

/** Opens a socket for another process, which finds it in its inbox under the number. Throws an Error. */
export function sendServerSocket(where: ServerAddress | PacketPlace, inbox: string, tag: number): void {
  const loaded = loadAddon();
  if (loaded.addon === undefined) throw new Error(loaded.reason);
  const { addon } = loaded;
  const descriptor = 'address' in where ? openServerSocket(addon, where) : openPacketSocket(addon, where.namespace);
  try {
    addon.descriptorSend({ path: inbox, tag, descriptor });
  } finally {
    addon.closeDescriptor(descriptor);
  }
}

/** Where sockets come that another process has opened for this one. */
export class SocketInbox {
  readonly path: string;
  readonly #addon: Addon;
  readonly #descriptor: number;
  readonly #taken = new Map<number, number>();
  #nextTag = 1;

  /** Throws an Error of the operating system. */
  constructor(addon: Addon, path: string) {
    this.path = path;
    this.#addon = addon;
    this.#descriptor = addon.descriptorInboxOpen({ path });
  }

  /** A number for a request that nobody else has. */
  tag(): number {
    return this.#nextTag++;
  }

  /** The descriptor that was sent under the number; undefined when none was. */
  take(tag: number): number | undefined {
    for (;;) {
      const [came, descriptor] = this.#addon.descriptorInboxTake(this.#descriptor);
      if (came === undefined) break;
      this.#taken.set(came, descriptor!);
    }
    const descriptor = this.#taken.get(tag);
    this.#taken.delete(tag);
    // Whatever else is there, nobody waits for any more.
    for (const other of this.#taken.values()) this.#addon.closeDescriptor(other);
    this.#taken.clear();
    return descriptor;
  }

  close(): void {
    this.#addon.closeDescriptor(this.#descriptor);
  }
}
