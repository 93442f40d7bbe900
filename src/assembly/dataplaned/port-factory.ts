// Which adapter serves which kind of port: opening on the main thread, construction in the worker.

import type { Addon } from '../../native/addon.ts';
import type { Arena, ArenaAllocator } from '../../packet/arena.ts';
import { type AfXdpDescription, AfXdpPort, openAfXdp, releaseAfXdp } from '../../port/af-xdp.ts';
import {
  type CaptureFileDescription,
  CaptureFilePort,
  openCaptureFile,
  releaseCaptureFile,
} from '../../port/capture-file.ts';
import {
  openPacketRing,
  type PacketRingDescription,
  PacketRingPort,
  releasePacketRing,
} from '../../port/packet-ring.ts';
import { mayJoin } from '../../port/joining.ts';
import type { Port } from '../../port/port.ts';
import { openUdpPort, releaseUdpPort, type UdpPortDescription, UdpPort } from '../../port/udp.ts';
import type { InterfaceModel, SocketModel } from './model.ts';

/** What stands in for the device of an interface that has files. */
export const FILES_DEVICE = { index: 0, isUp: true, mtu: 65_535, addresses: new Set<string>() };

/** All that the worker needs to use a port; plain data. */
export type PortDescription =
  | { adapter: 'packet-ring'; ring: PacketRingDescription }
  | { adapter: 'af-xdp'; sockets: AfXdpDescription }
  | { adapter: 'capture-file'; files: CaptureFileDescription }
  | { adapter: 'udp'; socket: UdpPortDescription; listener: { address: number; port: number } };

/** A port as the main thread keeps it. */
export type OpenPort = {
  index: number;
  deviceIndex: number;
  description: PortDescription;
  /** What the user should know of this port. */
  warnings?: readonly string[];
};

export class PortOpener {
  readonly #addon: Addon;
  readonly #arena: number;
  readonly #allocator: ArenaAllocator;

  constructor(addon: Addon, arena: number, allocator: ArenaAllocator) {
    this.#addon = addon;
    this.#arena = arena;
    this.#allocator = allocator;
  }

  /** Opens the device or the files of an interface; throws an Error that names them. */
  openInterface(model: InterfaceModel, index: number): OpenPort {
    const options = { index, name: model.name, device: model.device };
    if (model.files !== undefined) {
      const files = openCaptureFile(this.#allocator, { index, name: model.name, ...model.files });
      const description: PortDescription = { adapter: 'capture-file', files };
      return { index, deviceIndex: FILES_DEVICE.index, description, warnings: files.warnings };
    }
    if (model.adapter === 'af-xdp') {
      const sockets = openAfXdp(this.#addon, this.#arena, this.#allocator, options);
      const description: PortDescription = { adapter: 'af-xdp', sockets };
      return { index, deviceIndex: sockets.deviceIndex, description, warnings: sockets.warnings };
    }
    const ring = openPacketRing(this.#addon, this.#arena, this.#allocator, options);
    return { index, deviceIndex: ring.deviceIndex, description: { adapter: 'packet-ring', ring } };
  }

  /** Opens the sockets of a local address and port; throws an Error that names them. `mtu`: of the device. */
  openSocket(model: SocketModel, index: number, deviceIndex: number, mtu: number): OpenPort {
    const socket = openUdpPort(this.#addon, this.#arena, this.#allocator, {
      index,
      name: model.key,
      family: 4,
      localAddress: model.localAddress,
      localPort: model.port,
      sourcePorts: { min: model.sourcePortMin, max: model.sourcePortMax },
      ttl: model.ttl,
      checksum: model.checksum,
      mtu,
    });
    const listener = { address: model.local[3], port: model.port };
    return { index, deviceIndex, description: { adapter: 'udp', socket, listener } };
  }

  /** Whether frames of one flow may leave the device of an interface joined, as its offloads are now. */
  joins(device: string): boolean {
    return mayJoin(this.#addon.deviceOffloads(device));
  }

  /** Gives back what a port held that the worker has closed. */
  release(open: OpenPort): void {
    const { description } = open;
    switch (description.adapter) {
      case 'packet-ring':
        return releasePacketRing(this.#allocator, description.ring);
      case 'af-xdp':
        return releaseAfXdp(this.#allocator, description.sockets);
      case 'capture-file':
        return releaseCaptureFile(this.#allocator, description.files);
      case 'udp':
        return releaseUdpPort(this.#allocator, description.socket);
    }
  }
}

/** The port in the worker. */
export function makePort(addon: Addon, arena: Arena, description: PortDescription, now: () => number): Port {
  switch (description.adapter) {
    case 'packet-ring':
      return new PacketRingPort(addon, description.ring, now);
    case 'af-xdp':
      return new AfXdpPort(addon, arena, description.sockets, now);
    case 'capture-file':
      return new CaptureFilePort(arena, description.files, { now, epoch: () => performance.timeOrigin + now() });
    case 'udp':
      return new UdpPort(addon, description.socket, now);
  }
}

/** Tells a port what has become of its device. */
export function setPortState(port: Port, state: { isUp: boolean; mtu: number; joins: boolean }): void {
  if (!(port instanceof PacketRingPort) && !(port instanceof UdpPort) && !(port instanceof AfXdpPort)) return;
  port.setUp(state.isUp);
  port.setMtu(state.mtu);
  if (port instanceof PacketRingPort) port.setJoins(state.joins);
}
