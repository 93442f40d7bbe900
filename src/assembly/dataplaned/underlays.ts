// Where tunnels meet the network below them: which local addresses exist, what listens on them, how to reach remote ends.
//
// A local address is either the kernel's, and then a UDP socket port serves each (address, port) of a tunnel, or a self IP
// of a bridge domain of ours. A listener is a number for an (address, port) that tunnels use; what arrives is looked up by it.

import type { Domain } from '../../bridge/domain.ts';
import { PairMap } from '../../core/pair-map.ts';
import type { Outlet } from '../../pipeline/node.ts';
import type { Neighbour } from '../../route/neighbour-table.ts';
import type { Underlay } from './endpoint-table.ts';
import type { LocalAddresses } from './local-addresses.ts';
import type { PortSlot } from './port-slot.ts';

type Listener = { address: number; port: number; users: number; domain: number; socket: PortSlot | undefined };

const NO_DOMAIN = -1;

export class Underlays {
  readonly #addresses: LocalAddresses;
  readonly #domains: ReadonlyMap<number, Domain>;
  readonly #outletOf: (domain: Domain, neighbour: Neighbour) => { outlet: Outlet; member: number } | undefined;
  readonly #index = new PairMap();
  readonly #listeners: Listener[] = [];

  constructor(
    addresses: LocalAddresses,
    domains: ReadonlyMap<number, Domain>,
    outletOf: (domain: Domain, neighbour: Neighbour) => { outlet: Outlet; member: number } | undefined,
  ) {
    this.#addresses = addresses;
    this.#domains = domains;
    this.#outletOf = outletOf;
  }

  /** The number of an (IPv4 address, UDP port); the caller is counted as a user until `leave`. */
  join(address: number, port: number): number {
    const number = this.#obtain(address, port);
    this.#listeners[number]!.users += 1;
    this.#register(number);
    return number;
  }

  leave(number: number): void {
    const listener = this.#listeners[number]!;
    listener.users -= 1;
    this.#register(number);
  }

  /** Makes a socket port serve its (address, port); returns the listener's number. */
  addSocket(slot: PortSlot, address: number, port: number): number {
    const number = this.#obtain(address, port);
    this.#listeners[number]!.socket = slot;
    return number;
  }

  removeSocket(slot: PortSlot): void {
    for (const listener of this.#listeners) if (listener.socket === slot) listener.socket = undefined;
  }

  /** To be called when self IPs or domains have changed: listeners follow their addresses. */
  addressesChanged(): void {
    for (let number = 0; number < this.#listeners.length; number++) this.#register(number);
  }

  /** The way from a local (IPv4 address, UDP port) to its remote ends; undefined while the address is not there. */
  of(address: number, port: number): Underlay | undefined {
    const number = this.#index.get(address, port);
    const socket = number === -1 ? undefined : this.#listeners[number]!.socket;
    if (socket !== undefined) {
      return { medium: 'udp', outlet: socket, cutsTunnelled: socket.port.cutsTunnelled === true };
    }
    const domain = this.#domainOf(address);
    if (domain === undefined) return undefined;
    return {
      medium: 'ethernet',
      domain: domain.id,
      macHigh: domain.macHigh,
      macLow: domain.macLow,
      networks: this.#addresses
        .of(domain.id)
        .filter(({ isIpv6 }) => !isIpv6)
        .map(({ words, prefixBits }) => ({ address: words[3], prefixBits })),
      outletOf: (neighbour) => this.#outletOf(domain, neighbour),
    };
  }

  #obtain(address: number, port: number): number {
    const known = this.#index.get(address, port);
    if (known !== -1) return known;
    const number = this.#listeners.length;
    this.#listeners.push({ address, port, users: 0, domain: NO_DOMAIN, socket: undefined });
    this.#index.set(address, port, number);
    return number;
  }

  /** Enters the listener where its address is now. */
  #register(number: number): void {
    const listener = this.#listeners[number]!;
    const domain = listener.users === 0 ? NO_DOMAIN : (this.#domainOf(listener.address)?.id ?? NO_DOMAIN);
    if (domain === listener.domain) return;
    const { address, port } = listener;
    if (listener.domain !== NO_DOMAIN) this.#addresses.removeListener(listener.domain, address, port);
    if (domain !== NO_DOMAIN) this.#addresses.addListener(domain, address, port, number);
    listener.domain = domain;
  }

  #domainOf(address: number): Domain | undefined {
    for (const domain of this.#domains.values()) {
      if (domain.hasLocal && this.#addresses.hasIpv4(domain.id, address)) return domain;
    }
    return undefined;
  }
}
