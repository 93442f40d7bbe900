// Which adapter serves which kind of port: opening on the main thread, construction in the worker.

import { wordsAreIpv6 } from '../../core/address.ts';
import { errorText } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Addon } from '../../native/addon.ts';
import { GsoFitter } from '../../net/gso-limits.ts';
import type { ArenaAllocator } from '../../packet/arena.ts';
import {
  openPacketRing,
  type PacketRingDescription,
  PacketRingPort,
  releasePacketRing,
} from '../../port/packet-ring.ts';
import { mayJoin } from '../../port/joining.ts';
import type { Port } from '../../port/port.ts';
import { openTap, releaseTap, type TapDescription, TapPort } from '../../port/tap.ts';
import { openUdpPort, releaseUdpPort, type UdpPortDescription, UdpPort } from '../../port/udp.ts';
import type { InterfaceModel, SocketModel } from './model.ts';
import type { ListenerPlace } from './underlays.ts';

/** All that the worker needs to use a port; plain data. */
export type PortDescription =
  | { adapter: 'packet-ring'; ring: PacketRingDescription }
  | { adapter: 'tap'; tap: TapDescription }
  | { adapter: 'udp'; socket: UdpPortDescription; listener: ListenerPlace };

/** A port as the main thread keeps it. */
export type OpenPort = { index: number; deviceIndex: number; description: PortDescription };

export class PortOpener {
  readonly #addon: Addon;
  readonly #arena: number;
  readonly #allocator: ArenaAllocator;
  readonly #fitter: GsoFitter;

  constructor(addon: Addon, arena: number, allocator: ArenaAllocator) {
    this.#addon = addon;
    this.#arena = arena;
    this.#allocator = allocator;
    this.#fitter = new GsoFitter(addon);
  }

  /** Opens the device of an interface; throws an Error that names it. */
  openInterface(model: InterfaceModel, index: number): OpenPort {
    const options = { index, name: model.name, device: model.device };
    if (model.adapter === 'tap') {
      const tap = openTap(this.#addon, this.#arena, this.#allocator, options);
      return { index, deviceIndex: tap.deviceIndex, description: { adapter: 'tap', tap } };
    }
    const ring = openPacketRing(this.#addon, this.#arena, this.#allocator, options);
    return { index, deviceIndex: ring.deviceIndex, description: { adapter: 'packet-ring', ring } };
  }

  /**
   * Opens the sockets of a local address and port, or of a multicast group; throws an Error that names them. `mtu`: of the
   * device; `scope`: number of the domain in which the group is listened to, otherwise 0.
   */
  openSocket(model: SocketModel, index: number, scope: number, deviceIndex: number, mtu: number): OpenPort {
    const socket = openUdpPort(this.#addon, this.#arena, this.#allocator, {
      index,
      name: model.key,
      family: wordsAreIpv6(model.bound) ? 6 : 4,
      localAddress: model.group?.text ?? model.localAddress,
      localPort: model.port,
      multicastDevice: model.device,
      isGroup: model.group !== undefined,
      sourcePorts: { min: model.sourcePortMin, max: model.sourcePortMax },
      ttl: model.ttl,
      checksum: model.checksum,
      acceptsNoChecksum: model.acceptsNoChecksum,
      mtu,
    });
    const listener = { address: model.bound, port: model.port, scope };
    return { index, deviceIndex, description: { adapter: 'udp', socket, listener } };
  }

  /** Whether frames of one flow may leave the device of an interface joined, as its offloads are now. */
  joins(device: string): boolean {
    return mayJoin(this.#addon.deviceOffloads(device));
  }

  /** Fits the super-frames of a TAP device to its MTU, so that each leaves a tunnel in one call. */
  fit(open: OpenPort, mtu: number, log: Log): void {
    if (open.description.adapter !== 'tap') return;
    this.#fitter.fit(open.deviceIndex, mtu).catch((error: unknown) => {
      log.debug(`super-frames of ${open.description.adapter} are not fitted to tunnels: ${errorText(error)}`);
    });
  }

  /** Ends what was begun for ports. */
  close(): void {
    this.#fitter.close();
  }

  /** Gives back what a port held that the worker has closed. */
  release(open: OpenPort): void {
    const { description } = open;
    this.#fitter.forget(open.deviceIndex);
    if (description.adapter === 'packet-ring') releasePacketRing(this.#allocator, description.ring);
    else if (description.adapter === 'tap') releaseTap(this.#allocator, description.tap);
    else releaseUdpPort(this.#allocator, description.socket);
  }
}

/** The port in the worker. */
export function makePort(addon: Addon, description: PortDescription, now: () => number): Port {
  switch (description.adapter) {
    case 'packet-ring':
      return new PacketRingPort(addon, description.ring, now);
    case 'tap':
      return new TapPort(addon, description.tap, now);
    case 'udp':
      return new UdpPort(addon, description.socket, now);
  }
}

/** Tells a port what has become of its device. */
export function setPortState(port: Port, state: { isUp: boolean; mtu: number; joins: boolean }): void {
  if (!(port instanceof PacketRingPort) && !(port instanceof UdpPort) && !(port instanceof TapPort)) return;
  port.setUp(state.isUp);
  port.setMtu(state.mtu);
  if (port instanceof PacketRingPort) port.setJoins(state.joins);
}
