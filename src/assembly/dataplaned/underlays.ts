// Where tunnels meet the network below them: which local addresses exist, what listens on them, how to reach remote ends.
//
// A local address is either the kernel's, and then a UDP socket port serves each (address, port) of a tunnel, or a self IP
// of a bridge domain of ours. A listener is a number for an (address, port) that tunnels use; what arrives is looked up by it.
// A multicast group is listened to in one domain, whose number is its scope; unicast addresses have the scope 0.

import type { Domain } from '../../bridge/domain.ts';
import { type AddressWords, wordsAreIpv6 } from '../../core/address.ts';
import { AddressMap } from '../../core/address-map.ts';
import type { FrameBatch } from '../../packet/frame.ts';
import type { Outlet } from '../../pipeline/node.ts';
import type { Neighbour } from '../../route/neighbour-table.ts';
import type { Underlay } from './endpoint-table.ts';
import type { LocalAddresses } from './local-addresses.ts';
import type { PortSlot } from './port-slot.ts';

/** What a socket port serves, or a tunnel listens on. */
export type ListenerPlace = { address: AddressWords; port: number; scope: number };

type Listener = ListenerPlace & { users: number; domain: number; socket: PortSlot | undefined };

const NO_DOMAIN = -1;
const UNICAST_SCOPE = 0;

export class Underlays {
  readonly #addresses: LocalAddresses;
  readonly #domains: ReadonlyMap<number, Domain>;
  readonly #outletOf: (domain: Domain, neighbour: Neighbour) => { outlet: Outlet; member: number } | undefined;
  readonly #toFlood: FrameBatch;
  /** By address, and (scope, port) in one number. */
  readonly #index = new AddressMap();
  readonly #listeners: Listener[] = [];

  constructor(
    addresses: LocalAddresses,
    domains: ReadonlyMap<number, Domain>,
    outletOf: (domain: Domain, neighbour: Neighbour) => { outlet: Outlet; member: number } | undefined,
    toFlood: FrameBatch,
  ) {
    this.#addresses = addresses;
    this.#domains = domains;
    this.#outletOf = outletOf;
    this.#toFlood = toFlood;
  }

  /** The number of an (address, UDP port); the caller is counted as a user until `leave`. */
  join(address: AddressWords, port: number, scope = UNICAST_SCOPE): number {
    const number = this.#obtain(address, port, scope);
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
  addSocket(slot: PortSlot, { address, port, scope }: ListenerPlace): number {
    const number = this.#obtain(address, port, scope);
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

  /** The groups that are listened to on domains of ours, each of them once. */
  groups(): { domain: number; group: AddressWords }[] {
    const found = new Map<string, { domain: number; group: AddressWords }>();
    for (const { address, scope, domain } of this.#listeners) {
      if (scope !== UNICAST_SCOPE && domain !== NO_DOMAIN) {
        found.set(`${domain} ${address.join(' ')}`, { domain, group: address });
      }
    }
    return [...found.values()];
  }

  /** The way from a local (address, UDP port) to its remote ends; undefined while the address is not there. */
  of(address: AddressWords, port: number): Underlay | undefined {
    const number = this.#index.get(placeOf(port, UNICAST_SCOPE), ...address);
    const socket = number === -1 ? undefined : this.#listeners[number]!.socket;
    if (socket !== undefined) {
      return { medium: 'udp', outlet: socket, cutsTunnelled: socket.port.cutsTunnelled === true };
    }
    const domain = this.#domainOf(address);
    if (domain === undefined) return undefined;
    const { localMember } = domain;
    const toFlood = this.#toFlood;
    return {
      medium: 'ethernet',
      domain: domain.id,
      macHigh: domain.macHigh,
      macLow: domain.macLow,
      networks: this.#addresses.of(domain.id).filter(({ isIpv6 }) => isIpv6 === wordsAreIpv6(address)),
      outletOf: (neighbour) => this.#outletOf(domain, neighbour),
      toGroup: {
        member: localMember,
        outlet: {
          push: (frame) => {
            // To the bridge it is a frame of our own, which goes to every member and not to ourselves.
            frame.member = localMember;
            frame.endpoint = -1;
            toFlood.push(frame);
          },
        },
      },
    };
  }

  #obtain(address: AddressWords, port: number, scope: number): number {
    const place = placeOf(port, scope);
    const known = this.#index.get(place, ...address);
    if (known !== -1) return known;
    const number = this.#listeners.length;
    this.#listeners.push({ address, port, scope, users: 0, domain: NO_DOMAIN, socket: undefined });
    this.#index.set(place, ...address, number);
    return number;
  }

  /** Enters the listener where its address is now. */
  #register(number: number): void {
    const listener = this.#listeners[number]!;
    const domain = listener.users === 0 ? NO_DOMAIN : this.#domainFor(listener);
    if (domain === listener.domain) return;
    const { address, port } = listener;
    if (listener.domain !== NO_DOMAIN) this.#addresses.removeListener(listener.domain, address, port);
    if (domain !== NO_DOMAIN) this.#addresses.addListener(domain, address, port, number);
    listener.domain = domain;
  }

  #domainFor({ address, scope }: ListenerPlace): number {
    const domain = scope === UNICAST_SCOPE ? this.#domainOf(address) : this.#domains.get(scope);
    return domain?.hasLocal === true ? domain.id : NO_DOMAIN;
  }

  #domainOf(address: AddressWords): Domain | undefined {
    const isIpv6 = wordsAreIpv6(address);
    for (const domain of this.#domains.values()) {
      if (!domain.hasLocal) continue;
      const { id } = domain;
      const has = isIpv6 ? this.#addresses.hasIpv6(id, ...address) : this.#addresses.hasIpv4(id, address[3]);
      if (has) return domain;
    }
    return undefined;
  }
}

/** Scope and port in one number. */
const placeOf = (port: number, scope: number): number => (scope << 16) | port;
