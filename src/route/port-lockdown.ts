// Port lockdown: which services a self IP lets in from the network (`allow-service`).
//
// It is asked for what nothing else of ours takes: ARP, neighbour discovery, echo and tunnels are served without it, as on
// a BIG-IP, and answers to what sockets of this host began are let in by host-flows.ts.

/** In place of services: every one of them. */
export const ALL_SERVICES = 'all';

/** Services packed as in wire/service-names.ts, or all of them. */
export type AllowedServices = readonly number[] | typeof ALL_SERVICES;

const PORT_BITS = 16;
const PROTOCOLS = 256;

export class PortLockdown {
  /** By protocol number: 1 when every packet of it may come in. */
  readonly #protocols = new Uint8Array(PROTOCOLS);
  /** Services with a port, ascending. */
  readonly #services: Int32Array;

  constructor(allowed: AllowedServices) {
    if (allowed === ALL_SERVICES) {
      this.#protocols.fill(1);
      this.#services = new Int32Array(0);
      return;
    }
    for (const service of allowed) {
      if ((service & ((1 << PORT_BITS) - 1)) === 0) this.#protocols[service >>> PORT_BITS] = 1;
    }
    this.#services = Int32Array.from(allowed).sort();
  }

  /** Whether a packet of this protocol may come in to this port, 0 where the protocol has none. */
  allows(protocol: number, port: number): boolean {
    if (this.#protocols[protocol] !== 0) return true;
    if (port === 0) return false;
    const service = (protocol << PORT_BITS) | port;
    const services = this.#services;
    let low = 0;
    let high = services.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (services[middle]! < service) low = middle + 1;
      else high = middle;
    }
    return low < services.length && services[low] === service;
  }
}
