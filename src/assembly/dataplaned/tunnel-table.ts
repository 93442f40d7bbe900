// Tunnels by index, by bridge member, and by what arrives: (listener, key), then the remote address.

import { PairMap } from '../../core/pair-map.ts';
import type { Frame } from '../../packet/frame.ts';
import type { Tunnel } from '../../tunnel/tunnel.ts';
import type { EndpointTable, Underlay } from './endpoint-table.ts';

export class TunnelTable {
  readonly endpoints: EndpointTable;
  /** By bridge member. */
  readonly byMember: (Tunnel | undefined)[] = [];
  readonly #byKey = new PairMap();
  /** Tunnels of one listener and key, those with a remote address first. */
  readonly #groups: (Tunnel[] | undefined)[] = [];
  readonly #underlayOf: (tunnel: Tunnel) => Underlay | undefined;

  // The source that was looked up last: bursts come from one remote.
  #lastTunnel: Tunnel | undefined;
  #lastSource = 0;
  #lastEndpoint = -1;

  constructor(endpoints: EndpointTable, underlayOf: (tunnel: Tunnel) => Underlay | undefined) {
    this.endpoints = endpoints;
    this.#underlayOf = underlayOf;
  }

  add(tunnel: Tunnel, listener: number): void {
    this.byMember[tunnel.spec.member] = tunnel;
    const at = this.#byKey.get(listener, tunnel.spec.key);
    const group = at === -1 ? undefined : this.#groups[at];
    if (group === undefined) {
      const hole = this.#groups.indexOf(undefined);
      const place = hole === -1 ? this.#groups.length : hole;
      this.#groups[place] = [tunnel];
      this.#byKey.set(listener, tunnel.spec.key, place);
    } else if (tunnel.spec.remote === undefined) {
      group.push(tunnel);
    } else {
      group.unshift(tunnel);
    }
  }

  remove(tunnel: Tunnel, listener: number): void {
    this.byMember[tunnel.spec.member] = undefined;
    this.#lastTunnel = undefined;
    const at = this.#byKey.get(listener, tunnel.spec.key);
    const group = at === -1 ? undefined : this.#groups[at];
    if (group === undefined) return;
    const position = group.indexOf(tunnel);
    if (position !== -1) group.splice(position, 1);
    if (group.length > 0) return;
    this.#groups[at] = undefined;
    this.#byKey.delete(listener, tunnel.spec.key);
  }

  /** A tunnel of this listener and key: the first of those that `select` chooses from. */
  lookup(listener: number, key: number): Tunnel | undefined {
    const at = this.#byKey.get(listener, key);
    return at === -1 ? undefined : this.#groups[at]![0];
  }

  /** The tunnel among those of `first`'s listener and key that takes a frame from this source. */
  select(first: Tunnel, frame: Frame): Tunnel | undefined {
    if (takes(first, frame)) return first;
    const group = this.#groups[this.#byKey.get(frame.listener, first.spec.key)]!;
    for (let index = 1; index < group.length; index++) {
      const tunnel = group[index]!;
      if (takes(tunnel, frame)) return tunnel;
    }
    return undefined;
  }

  /** The endpoint that the frame came from, made on first sight; -1 when there are too many. */
  endpointOf(tunnel: Tunnel, frame: Frame): number {
    if (tunnel === this.#lastTunnel && frame.outer3 === this.#lastSource) return this.#lastEndpoint;
    const remote = [frame.outer0, frame.outer1, frame.outer2, frame.outer3] as const;
    let endpoint = this.endpoints.find(tunnel, frame.outer3);
    if (endpoint === -1) {
      endpoint = this.endpoints.obtain(tunnel, remote, this.#underlayOf(tunnel));
      // Learned endpoints stay as long as the tunnel: their number is bounded, and entries may refer to them.
      if (endpoint !== -1) this.endpoints.endpoints[endpoint]!.references += 1;
    }
    this.#lastTunnel = tunnel;
    this.#lastSource = frame.outer3;
    this.#lastEndpoint = endpoint;
    return endpoint;
  }

  /** Every tunnel there is. */
  *all(): Iterable<Tunnel> {
    for (const group of this.#groups) if (group !== undefined) yield* group;
  }
}

function takes(tunnel: Tunnel, frame: Frame): boolean {
  const { remote } = tunnel.spec;
  return (
    remote === undefined ||
    (remote[3] === frame.outer3 &&
      remote[2] === frame.outer2 &&
      remote[1] === frame.outer1 &&
      remote[0] === frame.outer0)
  );
}
