// Where tunnels meet the network below them: which local addresses exist, what listens on them, how to reach remote ends.
//
// A local address is either the kernel's, and then a socket port serves each (address, service) of a tunnel, or a self IP of
// a bridge domain of ours. A listener is a number for an (address, service) that tunnels use; what arrives is looked up by it.
// A multicast group is listened to in one domain, whose number is its scope; unicast addresses have the scope 0.

import type { Domain } from '../../bridge/domain.ts';
import type { AddressWords } from '../../core/address.ts';
import { AddressMap } from '../../core/address-map.ts';
import type { FrameBatch } from '../../packet/frame.ts';
import { SERVICE_BITS, serviceIsUdp } from '../../tunnel/service.ts';
import type { Underlay } from './endpoint-table.ts';
import type { IpsecGate } from './ipsec-gate.ts';
import type { LocalAddresses } from './local-addresses.ts';
import type { PortSlot } from './port-slot.ts';
import type { Routes } from './routes.ts';

/** What a socket port serves, or a tunnel listens on. */
export type ListenerPlace = {
  address: AddressWords;
  service: number;
  scope: number;
  /** Of a unicast address; absent: 0. */
  routeDomain?: number;
};

type Listener = ListenerPlace & {
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
const UNICAST_SCOPE = 0;

export class Underlays {
  readonly #addresses: LocalAddresses;
  readonly #domains: ReadonlyMap<number, Domain>;
  readonly #routes: Routes;
  readonly #ipsec: IpsecGate;
  readonly #toFlood: FrameBatch;
  /** By route domain, then by address and (scope, service) in one number. */
  readonly #indexes = new Map<number, AddressMap>();
  readonly #listeners: Listener[] = [];
  /** The service of each listener, by its number. */
  readonly services: number[] = [];
  /** Grows whenever a way may have become another. */
  #state = 0;

  constructor(
    addresses: LocalAddresses,
    domains: ReadonlyMap<number, Domain>,
    routes: Routes,
    ipsec: IpsecGate,
    toFlood: FrameBatch,
  ) {
    this.#addresses = addresses;
    this.#domains = domains;
    this.#routes = routes;
    this.#ipsec = ipsec;
    this.#toFlood = toFlood;
  }

  /** The number of an (address, service); the caller is counted as a user until `leave`. */
  join(address: AddressWords, service: number, routeDomain: number, scope = UNICAST_SCOPE): number {
    const number = this.#obtain(address, service, scope, routeDomain);
    this.#listeners[number]!.users += 1;
    this.#register(number);
    return number;
  }

  leave(number: number): void {
    const listener = this.#listeners[number]!;
    listener.users -= 1;
    this.#register(number);
  }

  /** Makes a socket port serve its (address, service); returns the listener's number. */
  addSocket(slot: PortSlot, { address, service, scope, routeDomain = 0 }: ListenerPlace): number {
    const number = this.#obtain(address, service, scope, routeDomain);
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

  /** The way from a local (address, service) to its remote ends; undefined while the address is not there. */
  of(address: AddressWords, service: number, routeDomain: number): Underlay | undefined {
    return this.#underlayOf(this.#listeners[this.#obtain(address, service, UNICAST_SCOPE, routeDomain)]!);
  }

  #underlayOf(listener: Listener): Underlay | undefined {
    if (listener.foundAt !== this.#state) {
      listener.foundAt = this.#state;
      listener.underlay = this.#find(listener);
    }
    return listener.underlay;
  }

  #find({ address, service, socket, routeDomain = 0 }: Listener): Underlay | undefined {
    if (socket !== undefined) {
      const medium = serviceIsUdp(service) ? 'udp' : 'raw-ip';
      return { medium, outlet: socket, cutsTunnelled: socket.port.cutsTunnelled === true };
    }
    const domain = this.#domainOf(address, routeDomain);
    if (domain === undefined) return undefined;
    const { localMember } = domain;
    const toFlood = this.#toFlood;
    return {
      medium: 'ethernet',
      bridge: domain,
      changes: domain.changes,
      macHigh: domain.macHigh,
      macLow: domain.macLow,
      routes: this.#routes.versionOf(routeDomain),
      policies: this.#ipsec.version,
      hopTo: (remote) => this.#routes.hopTo(routeDomain, remote),
      letGo: (hop) => this.#routes.letGo(hop),
      toGroup: {
        member: localMember,
        mtu: domain.mtu,
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

  #obtain(address: AddressWords, service: number, scope: number, routeDomain: number): number {
    const place = placeOf(service, scope);
    let index = this.#indexes.get(routeDomain);
    if (index === undefined) this.#indexes.set(routeDomain, (index = new AddressMap()));
    const known = index.get(place, ...address);
    if (known !== -1) return known;
    const number = this.#listeners.length;
    const unknown = { underlay: undefined, foundAt: -1, connected: undefined };
    const listener = { address, service, scope, routeDomain, users: 0, domain: NO_DOMAIN, socket: undefined };
    this.#listeners.push({ ...listener, ...unknown });
    this.services.push(service);
    index.set(place, ...address, number);
    return number;
  }

  /** Enters the listener where its address is now. */
  #register(number: number): void {
    const listener = this.#listeners[number]!;
    const domain = listener.users === 0 ? NO_DOMAIN : this.#domainFor(listener);
    if (domain === listener.domain) return;
    const { address, service } = listener;
    if (listener.domain !== NO_DOMAIN) this.#addresses.removeListener(listener.domain, address, service);
    if (domain !== NO_DOMAIN) this.#addresses.addListener(domain, address, service, number);
    listener.domain = domain;
  }

  #domainFor({ address, scope, routeDomain = 0 }: ListenerPlace): number {
    const domain = scope === UNICAST_SCOPE ? this.#domainOf(address, routeDomain) : this.#domains.get(scope);
    return domain?.hasLocal === true ? domain.id : NO_DOMAIN;
  }

  #domainOf(address: AddressWords, routeDomain: number): Domain | undefined {
    let found: Domain | undefined;
    for (const id of this.#addresses.domainsOf(address)) {
      const domain = this.#domains.get(id);
      if (domain?.routeDomain !== routeDomain || !domain.hasLocal) continue;
      if (found === undefined || id < found.id) found = domain;
    }
    return found;
  }
}

/** Scope and service in one number. */
const placeOf = (service: number, scope: number): number => (scope << SERVICE_BITS) | service;

/** Whether nothing of the way has changed that endpoints have taken over from it. */
function sameWay(a: Underlay | undefined, b: Underlay | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.medium !== 'ethernet') {
    return b.medium !== 'ethernet' && a.outlet === b.outlet && a.cutsTunnelled === b.cutsTunnelled;
  }
  return (
    b.medium === 'ethernet' &&
    a.bridge === b.bridge &&
    a.changes === b.changes &&
    a.macHigh === b.macHigh &&
    a.macLow === b.macLow &&
    a.routes === b.routes &&
    a.policies === b.policies
  );
}
