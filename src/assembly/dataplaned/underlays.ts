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

type Listener = {
  address: number;
  port: number;
  users: number;
  domain: number;
  socket: PortSlot | undefined;
  /** The way to its remote ends, and the state of affairs for which it was found. */
  underlay: Underlay | undefined;
  foundAt: number;
  /** The way by which its tunnels are connected. */
  connected: Underlay | undefined;
};

const NO_DOMAIN = -1;

export class Underlays {
  readonly #addresses: LocalAddresses;
  readonly #domains: ReadonlyMap<number, Domain>;
  readonly #outletOf: (domain: Domain, neighbour: Neighbour) => { outlet: Outlet; member: number } | undefined;
  readonly #index = new PairMap();
  readonly #listeners: Listener[] = [];
  /** Grows whenever a way may have become another. */
  #state = 0;

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
    this.disturb();
    return number;
  }

  removeSocket(slot: PortSlot): void {
    for (const listener of this.#listeners) if (listener.socket === slot) listener.socket = undefined;
    this.disturb();
  }

  /** To be called when ports, domains, their members or self IPs have changed. */
  disturb(): void {
    this.#state += 1;
  }

  /** Listeners whose tunnels have another way now than at the last call. */
  changed(): Set<number> {
    const numbers = new Set<number>();
    this.#listeners.forEach((listener, number) => {
      const underlay = this.#underlayOf(listener);
      if (sameWay(listener.connected, underlay)) return;
      listener.connected = underlay;
      numbers.add(number);
    });
    return numbers;
  }

  /** To be called when self IPs or domains have changed: listeners follow their addresses. */
  addressesChanged(): void {
    for (let number = 0; number < this.#listeners.length; number++) this.#register(number);
  }

  /** The way from a local (IPv4 address, UDP port) to its remote ends; undefined while the address is not there. */
  of(address: number, port: number): Underlay | undefined {
    return this.#underlayOf(this.#listeners[this.#obtain(address, port)]!);
  }

  #underlayOf(listener: Listener): Underlay | undefined {
    if (listener.foundAt !== this.#state) {
      listener.foundAt = this.#state;
      listener.underlay = this.#find(listener);
    }
    return listener.underlay;
  }

  #find({ address, socket }: Listener): Underlay | undefined {
    if (socket !== undefined) return { medium: 'udp', outlet: socket };
    const domain = this.#domainOf(address);
    if (domain === undefined) return undefined;
    return {
      medium: 'ethernet',
      domain: domain.id,
      bridge: domain,
      changes: domain.changes,
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
    const unknown = { underlay: undefined, foundAt: -1, connected: undefined };
    this.#listeners.push({ address, port, users: 0, domain: NO_DOMAIN, socket: undefined, ...unknown });
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
    let found: Domain | undefined;
    for (const id of this.#addresses.domainsOf(address)) {
      const domain = this.#domains.get(id);
      if (domain?.hasLocal === true && (found === undefined || id < found.id)) found = domain;
    }
    return found;
  }
}

/** Whether nothing of the way has changed that endpoints have taken over from it. */
function sameWay(a: Underlay | undefined, b: Underlay | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.medium === 'udp') return b.medium === 'udp' && a.outlet === b.outlet;
  return (
    b.medium === 'ethernet' &&
    a.bridge === b.bridge &&
    a.changes === b.changes &&
    a.macHigh === b.macHigh &&
    a.macLow === b.macLow &&
    a.networks.length === b.networks.length &&
    a.networks.every(
      ({ address, prefixBits }, at) => b.networks[at]!.address === address && b.networks[at]!.prefixBits === prefixBits,
    )
  );
}
