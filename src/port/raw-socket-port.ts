// The underlay through raw IPv4 sockets of the package `raw-socket`, for machines on which the addon cannot be built or loaded:
// the same medium as raw-ip.ts, in the one thread that then runs the data plane.
//
// Packets are received straight into slots of the arena, and sent from where they lie, behind an IP header that is written
// into their headroom: only so have they the source address, TOS and TTL of the tunnel. The kernel fills in length,
// identification and checksum. The package can bind no address: what was sent to another one is passed over here.
//
// Over IPv6 the package tells neither to which address a packet was sent nor its traffic class, so there is no such port.

import { formatIpv4, parseIpv4 } from '../core/address.ts';
import { Drop, type Verdict } from '../core/drop-reason.ts';
import { read32 } from '../core/octets.ts';
import { loadRawSocket, type RawSocketHandle } from '../native/raw-socket.ts';
import type { Arena, ArenaAllocator } from '../packet/arena.ts';
import { Frame, type FrameBatch, HEADROOM_OCTETS, resetMetadata } from '../packet/frame.ts';
import {
  IPV4_DESTINATION,
  IPV4_HEADER_OCTETS,
  IPV4_SOURCE,
  ipv4HeaderOctets,
  ipv4Tos,
  writeIpv4,
} from '../wire/ipv4.ts';
import type { Port, PortCounters } from './port.ts';
import { refusalOfText } from './refusal.ts';

export type RawSocketOptions = {
  /** Position in the table of ports. */
  index: number;
  name: string;
  /** Number of the IP protocol. */
  protocol: number;
  /** IPv4 address of this host; or the multicast group to receive. */
  localAddress: string;
  /** Of what is sent; default 64. */
  ttl?: number;
  /** The device by which multicast leaves and arrives, and its number. */
  device: string;
  deviceIndex: number;
  /** Whether `localAddress` is a group: it is joined on the device, and nothing is sent. */
  isGroup?: boolean;
  mtu: number;
  /** Called when packets have come. */
  arrived: () => void;
};

export type RawSocketDescription = {
  index: number;
  name: string;
  maxFrameOctets: number;
  protocol: number;
  localAddress: number;
  ttl: number;
  sends: boolean;
  extent: { offset: number; octets: number };
};

/** A slot holds the largest packet, or as many segments as the kernel joins: 64 KB. */
const SLOT_OCTETS = 65 * 1024;
/** Packets of one receive; one slot more is for what has no room for a header of its own. */
const SLOTS = 64;
/** What is looked at in one receive, packets to other addresses included. */
const MAX_ATTEMPTS = 4 * SLOTS;
const DEFAULT_TTL = 64;
/** Destinations whose text is remembered. */
const MAX_TEXTS = 1024;
const RECEIVE_BUFFER_OCTETS = 16 << 20;
const SEND_BUFFER_OCTETS = 8 << 20;
const STATISTICS_AGE_MS = 100;

/** Numbers of Linux that the package has no names for. */
const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SO_MEMINFO = 55;
const SOL_IP = 0;
const IP_HDRINCL = 3;
const IP_MULTICAST_IF = 32;
const IP_MULTICAST_LOOP = 34;
const IP_ADD_MEMBERSHIP = 35;
/** Places in what SO_MEMINFO gives: octets that wait, and packets that were dropped. */
const MEMINFO_WORDS = 9;
const WAITING = 0;
const DROPPED = 8;

/** Sockets by index of their port: how a port finds its own. */
const sockets = new Map<number, RawSocketHandle>();

/** Opens a socket; throws an Error that names the address. It is used by a RawSocketPort, and closed by `releaseRawSocket`. */
export function openRawSocket(allocator: ArenaAllocator, options: RawSocketOptions): RawSocketDescription {
  const { index, name, protocol, localAddress, isGroup = false } = options;
  const loaded = loadRawSocket();
  if (loaded.rawSocket === undefined) throw new Error(`${localAddress}: ${loaded.reason}`);
  const local = parseIpv4(localAddress);
  if (local === undefined) throw new Error(`${localAddress}: adapter raw-ip carries IPv6 only with the addon`);
  const octets = (SLOTS + 1) * SLOT_OCTETS;
  const offset = allocator.allocate(octets);
  if (offset === undefined) throw new Error(`${name}: the arena has no room for ${octets} octets`);
  let handle: RawSocketHandle | undefined;
  try {
    const { rawSocket } = loaded;
    handle = rawSocket.createSocket({ protocol, addressFamily: rawSocket.AddressFamily.IPv4 }).wrap;
    configure(handle, options, local);
  } catch (error) {
    if (handle !== undefined) forget(handle);
    allocator.release(offset, octets);
    throw new Error(`${localAddress}: raw-socket: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  sockets.set(index, handle);
  return {
    index,
    name,
    maxFrameOctets: options.mtu - IPV4_HEADER_OCTETS,
    protocol,
    localAddress: local,
    ttl: options.ttl ?? DEFAULT_TTL,
    sends: !isGroup,
    extent: { offset, octets },
  };
}

function configure(handle: RawSocketHandle, options: RawSocketOptions, local: number): void {
  const { device, deviceIndex, isGroup = false, arrived } = options;
  // The package would receive by itself, an event for each packet.
  handle.removeAllListeners('recvReady');
  handle.removeAllListeners('sendReady');
  handle.removeAllListeners('error');
  handle.on('recvReady', arrived);
  handle.on('error', arrived);
  handle.setOption(SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_OCTETS);
  handle.setOption(SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER_OCTETS);
  handle.setOption(SOL_IP, IP_HDRINCL, 1);
  handle.setOption(SOL_IP, IP_MULTICAST_LOOP, 0);
  // struct ip_mreqn: group, local address, index of the device.
  const by = Buffer.alloc(12);
  by.writeInt32BE(isGroup ? local : 0, 0);
  new DataView(by.buffer, by.byteOffset).setInt32(8, deviceIndex, true);
  handle.setOption(SOL_IP, IP_MULTICAST_IF, by, by.length);
  if (!isGroup) return;
  handle.setOption(SOL_IP, IP_ADD_MEMBERSHIP, by, by.length);
  const name = Buffer.from(`${device}\0`);
  handle.setOption(SOL_SOCKET, SO_BINDTODEVICE, name, name.length);
}

function forget(handle: RawSocketHandle): void {
  handle.removeAllListeners('recvReady');
  handle.close();
}

/** Closes the socket of a port that no longer uses it, and gives back its memory. */
export function releaseRawSocket(allocator: ArenaAllocator, { index, extent }: RawSocketDescription): void {
  const handle = sockets.get(index);
  if (handle !== undefined) forget(handle);
  sockets.delete(index);
  allocator.release(extent.offset, extent.octets);
}

export class RawSocketPort implements Port {
  readonly name: string;
  readonly medium = 'raw-ip';
  readonly index: number;
  readonly descriptors: readonly number[] = [];
  maxFrameOctets: number;
  isUp = true;
  readonly #arena: Arena;
  readonly #description: RawSocketDescription;
  readonly #now: () => number;
  /** Undefined when it is closed. */
  #handle: RawSocketHandle | undefined;
  readonly #memory: Buffer;
  readonly #slots: readonly Buffer[];
  readonly #frames: readonly Frame[];
  readonly #statistics = new Uint32Array(MEMINFO_WORDS);
  readonly #statisticsBuffer = Buffer.from(this.#statistics.buffer);
  #statisticsReadMs = -Infinity;
  readonly #counters: PortCounters = { receiveOverruns: 0 };
  readonly #texts = new Map<number, string>();
  #octets = 0;
  readonly #noteReceived = (_buffer: Buffer, octets: number): void => {
    this.#octets = octets;
  };

  /** `now`: a monotonic clock in milliseconds. */
  constructor(arena: Arena, description: RawSocketDescription, now: () => number) {
    this.name = description.name;
    this.index = description.index;
    this.maxFrameOctets = description.maxFrameOctets;
    this.#arena = arena;
    this.#description = description;
    this.#now = now;
    this.#handle = sockets.get(description.index);
    this.#memory = Buffer.from(arena.buffer);
    this.#slots = Array.from({ length: SLOTS }, (_, slot) =>
      Buffer.from(arena.buffer, this.#packetAt(slot), SLOT_OCTETS - HEADROOM_OCTETS - 2),
    );
    this.#frames = Array.from({ length: SLOTS }, () => new Frame());
  }

  /** Where the IP header of a packet goes: the header of a tunnel is at 2 modulo 4, as with the other ports. */
  #packetAt(slot: number): number {
    return this.#description.extent.offset + slot * SLOT_OCTETS + HEADROOM_OCTETS + 2;
  }

  get counters(): Readonly<PortCounters> {
    const nowMs = this.#now();
    if (nowMs - this.#statisticsReadMs >= STATISTICS_AGE_MS && this.#handle !== undefined) {
      this.#statisticsReadMs = nowMs;
      this.#readStatistics(this.#handle);
      this.#counters.receiveOverruns = this.#statistics[DROPPED]!;
    }
    return this.#counters;
  }

  /** Whether the local address is there, as the watcher sees it. */
  setUp(isUp: boolean): void {
    this.isUp = isUp;
  }

  /** The MTU of the underlay, as the watcher sees it. */
  setMtu(mtu: number): void {
    this.maxFrameOctets = mtu - IPV4_HEADER_OCTETS;
  }

  receive(into: FrameBatch): number {
    const handle = this.#handle;
    if (handle === undefined) return 0;
    const { bytes } = this.#arena;
    let count = 0;
    // Asking whether more waits costs less than the exception that says that nothing does.
    for (let attempt = 0; attempt < MAX_ATTEMPTS && count < SLOTS && this.#isWaiting(handle); attempt++) {
      try {
        handle.recv(this.#slots[count]!, this.#noteReceived);
      } catch {
        // The device may have gone down between the two calls.
        break;
      }
      const packet = this.#packetAt(count);
      const header = ipv4HeaderOctets(bytes, packet);
      if (header > this.#octets || read32(bytes, packet + IPV4_DESTINATION) !== this.#description.localAddress) {
        continue;
      }
      const frame = this.#frames[count++]!;
      resetMetadata(frame);
      frame.port = this.index;
      frame.start = packet + header;
      frame.end = packet + this.#octets;
      frame.headroomStart = frame.start - HEADROOM_OCTETS;
      frame.outerTos = ipv4Tos(bytes, packet);
      frame.outer0 = frame.outer1 = frame.outer2 = 0;
      frame.outer3 = read32(bytes, packet + IPV4_SOURCE) | 0;
      frame.outerPort = 0;
      into.push(frame);
    }
    return count;
  }

  transmit(batch: FrameBatch, refuse: (frame: Frame, why: Verdict) => void): void {
    for (let index = 0; index < batch.length; index++) {
      const frame = batch.frames[index]!;
      const why = this.#send(frame);
      if (why !== 0) refuse(frame, why);
    }
  }

  /** Sends the frame, or says why not. */
  #send(frame: Frame): Verdict {
    const handle = this.#handle;
    if (!this.isUp || handle === undefined) return Drop.portDown;
    const { protocol, localAddress, ttl, sends } = this.#description;
    if (!sends) return Drop.transmitError;
    const { bytes } = this.#arena;
    const octets = frame.end - frame.start;
    if (octets > this.maxFrameOctets) return Drop.transmitTooLong;
    let packet = frame.start - IPV4_HEADER_OCTETS;
    if (packet < frame.headroomStart) {
      packet = this.#packetAt(SLOTS);
      bytes.copyWithin(packet + IPV4_HEADER_OCTETS, frame.start, frame.end);
    }
    const total = IPV4_HEADER_OCTETS + octets;
    writeIpv4(bytes, packet, frame.outerTos, total, 0, true, ttl, protocol, localAddress, frame.outer3);
    try {
      handle.send(this.#memory, packet, total, this.#textOf(frame.outer3), nothing);
      return 0;
    } catch (error) {
      return refusalOfText(error instanceof Error ? error.message : '');
    }
  }

  #textOf(address: number): string {
    const known = this.#texts.get(address);
    if (known !== undefined) return known;
    if (this.#texts.size === MAX_TEXTS) this.#texts.clear();
    const text = formatIpv4(address >>> 0);
    this.#texts.set(address, text);
    return text;
  }

  #isWaiting(handle: RawSocketHandle): boolean {
    this.#readStatistics(handle);
    return this.#statistics[WAITING] !== 0;
  }

  #readStatistics(handle: RawSocketHandle): void {
    handle.getOption(SOL_SOCKET, SO_MEMINFO, this.#statisticsBuffer, this.#statisticsBuffer.length);
  }

  /** The socket is closed where it was opened. */
  close(): void {
    this.isUp = false;
    this.#handle = undefined;
  }
}

const nothing = (): void => undefined;
