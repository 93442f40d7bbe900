// Which adapter serves which kind of port: opening on the main thread, construction in the worker.

import { wordsAreIpv6 } from '../../core/address.ts';
import { errorText } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Addon, LoadedAddon } from '../../native/addon.ts';
import { GsoFitter } from '../../net/gso-limits.ts';
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
import { openPcap, type PcapDescription, PcapPort, releasePcap, setPcapLink } from '../../port/pcap.ts';
import type { Port } from '../../port/port.ts';
import { openRawIp, type RawIpDescription, RawIpPort, releaseRawIp } from '../../port/raw-ip.ts';
import {
  openRawSocket,
  type RawSocketDescription,
  RawSocketPort,
  releaseRawSocket,
} from '../../port/raw-socket-port.ts';
import { openTap, releaseTap, type TapDescription, TapPort } from '../../port/tap.ts';
import { openUdpPort, releaseUdpPort, type UdpPortDescription, UdpPort } from '../../port/udp.ts';
import { serviceNumber } from '../../tunnel/service.ts';
import type { InterfaceModel, SocketModel } from './model.ts';
import type { ListenerPlace } from './underlays.ts';

/** What stands in for the device of an interface that has files. */
export const FILES_DEVICE = { index: 0, isUp: true, mtu: 65_535, addresses: new Set<string>() };

/** All that the worker needs to use a port; plain data. */
export type PortDescription =
  | { adapter: 'packet-ring'; ring: PacketRingDescription }
  | { adapter: 'af-xdp'; sockets: AfXdpDescription }
  | { adapter: 'pcap'; link: PcapDescription }
  | { adapter: 'capture-file'; files: CaptureFileDescription }
  | { adapter: 'tap'; tap: TapDescription }
  | { adapter: 'udp'; socket: UdpPortDescription; listener: ListenerPlace }
  | { adapter: 'raw-ip'; socket: RawIpDescription; listener: ListenerPlace }
  | { adapter: 'raw-socket'; socket: RawSocketDescription; listener: ListenerPlace };

/** A port as the main thread keeps it. */
export type OpenPort = {
  index: number;
  deviceIndex: number;
  description: PortDescription;
  /** What the user should know of this port. */
  warnings?: readonly string[];
};

/** Where ports live. */
export interface PortHost {
  /** Handle of the arena for the addon. */
  readonly arena: number;
  readonly memory: Arena;
  readonly allocator: ArenaAllocator;
  /** Frames wait in a port that is fed by this thread; `many`: so many that they should be taken at once. */
  arrived(many: boolean): void;
}

/** A device as it was when the port was asked for. */
type PresentDevice = { index: number; isUp: boolean; mtu: number };

export class PortOpener {
  readonly #loaded: LoadedAddon;
  readonly #host: PortHost;
  readonly #allocator: ArenaAllocator;
  /** Without the addon there is no TAP device to fit. */
  readonly #fitter: GsoFitter | undefined;

  constructor(loaded: LoadedAddon, host: PortHost) {
    this.#loaded = loaded;
    this.#host = host;
    this.#allocator = host.allocator;
    this.#fitter = loaded.addon === undefined ? undefined : new GsoFitter(loaded.addon);
  }

  get #arena(): number {
    return this.#host.arena;
  }

  /** The addon for an adapter that cannot do without. */
  #addonFor(adapter: string): Addon {
    if (this.#loaded.addon !== undefined) return this.#loaded.addon;
    throw new Error(`adapter ${adapter} needs the addon, and ${this.#loaded.reason}; adapter pcap works without`);
  }

  /** Opens the device or the files of an interface; throws an Error that names them. */
  openInterface(model: InterfaceModel, index: number, device: PresentDevice | undefined): OpenPort {
    const options = { index, name: model.name, device: model.device };
    if (model.files !== undefined) {
      const files = openCaptureFile(this.#allocator, { index, name: model.name, ...model.files });
      const description: PortDescription = { adapter: 'capture-file', files };
      return { index, deviceIndex: FILES_DEVICE.index, description, warnings: files.warnings };
    }
    if (model.adapter === 'pcap') {
      if (device === undefined) throw new Error(`device ${model.device} does not exist`);
      const link = openPcap(this.#host.memory, this.#allocator, {
        ...options,
        deviceIndex: device.index,
        mtu: device.mtu,
        isUp: device.isUp,
        addon: this.#loaded.addon,
        arrived: (many) => this.#host.arrived(many),
      });
      return { index, deviceIndex: device.index, description: { adapter: 'pcap', link }, warnings: link.warnings };
    }
    if (model.adapter === 'af-xdp') {
      const sockets = openAfXdp(this.#addonFor('af-xdp'), this.#arena, this.#allocator, options);
      const description: PortDescription = { adapter: 'af-xdp', sockets };
      return { index, deviceIndex: sockets.deviceIndex, description, warnings: sockets.warnings };
    }
    if (model.adapter === 'tap' || model.adapter === 'tun') {
      const kind = model.adapter;
      const tap = openTap(this.#addonFor(kind), this.#arena, this.#allocator, { ...options, kind });
      return { index, deviceIndex: tap.deviceIndex, description: { adapter: 'tap', tap } };
    }
    const ring = openPacketRing(this.#addonFor('packet-ring'), this.#arena, this.#allocator, options);
    return { index, deviceIndex: ring.deviceIndex, description: { adapter: 'packet-ring', ring } };
  }

  /**
   * Opens the sockets of a local address and port, or of a multicast group; throws an Error that names them. `mtu`: of the
   * device; `scope`: number of the domain in which the group is listened to, otherwise 0.
   */
  openSocket(model: SocketModel, index: number, scope: number, deviceIndex: number, mtu: number): OpenPort {
    const { udp, device, ttl } = model;
    const listener = { address: model.bound, service: model.service, scope };
    const options = {
      index,
      name: model.key,
      localAddress: model.group?.text ?? model.localAddress,
      multicastDevice: device,
      isGroup: model.group !== undefined,
      ttl,
      mtu,
    };
    const family = wordsAreIpv6(model.bound) ? 6 : 4;
    const number = serviceNumber(model.service);
    if (udp !== undefined) {
      const addon = this.#addonFor('udp');
      const socket = openUdpPort(addon, this.#arena, this.#allocator, {
        ...options,
        family,
        localPort: number,
        sourcePorts: { min: udp.sourcePortMin, max: udp.sourcePortMax },
        checksum: udp.checksum,
        acceptsNoChecksum: udp.acceptsNoChecksum,
      });
      return { index, deviceIndex, description: { adapter: 'udp', socket, listener } };
    }
    const { addon } = this.#loaded;
    if (addon !== undefined) {
      const socket = openRawIp(addon, this.#arena, this.#allocator, { ...options, family, protocol: number });
      return { index, deviceIndex, description: { adapter: 'raw-ip', socket, listener } };
    }
    const arrived = (): void => this.#host.arrived(false);
    const socket = openRawSocket(this.#allocator, { ...options, protocol: number, device, deviceIndex, arrived });
    return { index, deviceIndex, description: { adapter: 'raw-socket', socket, listener } };
  }

  /** Whether frames of one flow may leave the device of an interface joined, as its offloads are now. */
  joins(device: string): boolean {
    return mayJoin(this.#addonFor('packet-ring').deviceOffloads(device));
  }

  /** Tells what this thread has of a port what has become of its device. */
  note({ index, description }: OpenPort, isUp: boolean, mtu: number): void {
    if (description.adapter === 'pcap') setPcapLink(index, isUp, mtu);
  }

  /** Fits the super-frames of a TAP device to its MTU, so that each leaves a tunnel in one call. */
  fit(open: OpenPort, mtu: number, log: Log): void {
    if (open.description.adapter !== 'tap') return;
    this.#fitter?.fit(open.deviceIndex, mtu).catch((error: unknown) => {
      log.debug(`super-frames of ${open.description.adapter} are not fitted to tunnels: ${errorText(error)}`);
    });
  }

  /** Ends what was begun for ports. */
  close(): void {
    this.#fitter?.close();
  }

  /** Gives back what a port held that the worker has closed. */
  release(open: OpenPort): void {
    const { description } = open;
    this.#fitter?.forget(open.deviceIndex);
    switch (description.adapter) {
      case 'packet-ring':
        releasePacketRing(this.#allocator, description.ring);
        break;
      case 'af-xdp':
        releaseAfXdp(this.#allocator, description.sockets);
        break;
      case 'pcap':
        releasePcap(this.#allocator, description.link);
        break;
      case 'capture-file':
        releaseCaptureFile(this.#allocator, description.files);
        break;
      case 'tap':
        releaseTap(this.#allocator, description.tap);
        break;
      case 'udp':
        releaseUdpPort(this.#allocator, description.socket);
        break;
      case 'raw-ip':
        releaseRawIp(this.#allocator, description.socket);
        break;
      case 'raw-socket':
        releaseRawSocket(this.#allocator, description.socket);
        break;
    }
  }
}

/** What a socket port serves; undefined for any other. */
export function listenerOf(description: PortDescription): ListenerPlace | undefined {
  return 'listener' in description ? description.listener : undefined;
}

/** The port where the data plane runs; without the addon there are only those that need none. */
export function makePort(
  addon: Addon | undefined,
  arena: Arena,
  description: PortDescription,
  now: () => number,
): Port {
  if (description.adapter === 'pcap') return new PcapPort(addon, arena, description.link);
  if (description.adapter === 'capture-file') {
    return new CaptureFilePort(arena, description.files, { now, epoch: () => performance.timeOrigin + now() });
  }
  if (description.adapter === 'raw-socket') return new RawSocketPort(arena, description.socket, now);
  if (addon === undefined) throw new Error(`adapter ${description.adapter} needs the addon`);
  switch (description.adapter) {
    case 'packet-ring':
      return new PacketRingPort(addon, description.ring, now);
    case 'tap':
      return new TapPort(addon, description.tap, now);
    case 'af-xdp':
      return new AfXdpPort(addon, arena, description.sockets, now);
    case 'udp':
      return new UdpPort(addon, description.socket, now);
    case 'raw-ip':
      return new RawIpPort(addon, description.socket, now);
  }
}

/** Tells a port what has become of its device. */
export function setPortState(port: Port, state: { isUp: boolean; mtu: number; joins: boolean }): void {
  const isKnown =
    port instanceof PacketRingPort ||
    port instanceof UdpPort ||
    port instanceof RawIpPort ||
    port instanceof RawSocketPort ||
    port instanceof TapPort ||
    port instanceof AfXdpPort ||
    port instanceof PcapPort;
  if (!isKnown) return;
  port.setUp(state.isUp);
  port.setMtu(state.mtu);
  if (port instanceof PacketRingPort) port.setJoins(state.joins);
}
