// The only loader of the addon, and its types.
//
// The addon opens, configures, receives and transmits in batches, polls and closes, and starts programs; it decides nothing.
// Handles are small integers valid in every thread of the process: a port is opened on the main thread (that takes
// milliseconds) and used in the worker. Descriptors of frames travel in Int32Arrays, a fixed number of words each, offsets
// relative to the arena. Every argument is checked here or by the caller in TypeScript, not in C.

import { createRequire } from 'node:module';
import { inPackage } from './package.ts';

/** Words per received or transmitted frame of a packet ring. */
export const RING_STRIDE = 6;
/**
 * Ring descriptor words: 0 arena offset, 1 octets, 2 VLAN TCI | TPID << 16 (0: none), 3 flags (RING_*), 4 checksum start
 * relative to the frame | offset of the field << 16, 5 GSO type | segment octets << 16. Words 4 and 5 count only with
 * their flags. Transmit ignores word 2 but with RING_TUNNELLED: a tag that shall be sent stands in the octets. With RING_CHECKSUM_PARTIAL the
 * kernel or the device finishes the checksum, with RING_GSO (and words 4 and 5) it segments.
 */
export const RING_CHECKSUM_PARTIAL = 1;
export const RING_CHECKSUM_VERIFIED = 2;
export const RING_GSO = 4;
/** The ring held fewer octets than the frame had; word 5 then is the frame's real length. */
export const RING_TRUNCATED = 8;
/** Transmit: the outermost UDP header was written here, with a checksum that is right, or 0 and may be set. */
export const RING_OWN_UDP = 16;
/** Set by ringTransmit as the flags of a frame that was not sent; word 5 then is the errno. */
export const RING_REFUSED = 32;

/**
 * Transmit, with RING_GSO: the super-frame has the outer headers of a UDP tunnel in front, and its own Ethernet header at word 2
 * from its start; the checksum field of the outer UDP header holds 0 for none, or the sum of the pseudo-header. It leaves by
 * the underlay TAP, or is cut; with RING_OWN_UDP its segments may leave joined.
 */
export const RING_TUNNELLED = 64;

/** Words per datagram of a UDP endpoint. */
export const UDP_STRIDE = 10;
/**
 * UDP descriptor words: 0 arena offset, 1 octets of the buffer, 2 octets of each datagram in it (UDP_GRO; equal to word 1
 * when it is one), 3 the other end's port | TOS << 16 | TTL << 24, 4–7 the other end's address (IPv4 in word 7).
 * Transmit: word 1 octets of the datagram, word 2 index of the source socket, the rest the same with TTL ignored; word 8
 * is 0, or the datagram is a super-frame behind a tunnel header, to be cut into segments of so many octets of payload, and
 * word 9 tells where its TCP or UDP header (lower 16 bits) and its Ethernet header begin, from the start of the datagram.
 */

/**
 * Words per packet of a raw IP socket: those of a UDP endpoint up to word 7, without ports. What lies at word 0 is the
 * payload of the IP packet.
 */
export const RAW_STRIDE = 8;

/** A chunk of an AF_XDP socket holds one frame; of a received one XDP_CHUNK_RESERVED octets are in front of it. */
export const XDP_CHUNK_OCTETS = 4096;
export const XDP_CHUNK_RESERVED = 258;
export const XDP_MAX_QUEUES = 16;

export type RingOptions = {
  device: string;
  /** Arena extent for the receive ring; `blocks * blockOctets` octets. */
  offset: number;
  blockOctets: number;
  blocks: number;
  /** Arena extent for the low-latency receive: `slots` buffers of `slotOctets` each. */
  slotsOffset: number;
  slotOctets: number;
  slots: number;
  headroomOctets: number;
  promiscuous: boolean;
  /** Whether frames of one flow leave joined: see ringSetJoins. */
  joins: boolean;
};

export type UdpOptions = {
  family: 4 | 6;
  localAddress: string;
  localPort: number;
  /** How many sockets to send from, each with a source port of its own; 0: nothing is sent. */
  sourceSockets: number;
  /** Inclusive range from which those ports are taken. */
  sourcePortMin: number;
  sourcePortMax: number;
  ttl: number;
  /** Whether outgoing datagrams carry a UDP checksum. */
  checksum: boolean;
  /** Over IPv6: whether datagrams without a UDP checksum are received. */
  acceptsNoChecksum: boolean;
  /** The device by which multicast is sent and received; empty: as the routes have it. */
  multicastDevice: string;
  /** Whether localAddress is a multicast group, to be joined on multicastDevice. */
  joins: boolean;
  /** Sets DF on what is sent (IP_PMTUDISC_PROBE: the kernel neither fragments nor refuses by a cached path MTU). */
  dontFragment: boolean;
  /** Bind to this device (SO_BINDTODEVICE); empty: none. */
  device: string;
  slotsOffset: number;
  slotOctets: number;
  slots: number;
  headroomOctets: number;
};

export type RawOptions = {
  family: 4 | 6;
  /** Number of the IP protocol. */
  protocol: number;
  localAddress: string;
  ttl: number;
  /** As in UdpOptions. */
  dontFragment: boolean;
  /** The device by which multicast is sent and received; empty: as the routes have it. */
  device: string;
  /** Whether localAddress is a multicast group, to be joined on the device. */
  joins: boolean;
  slotsOffset: number;
  slotOctets: number;
  slots: number;
  headroomOctets: number;
  /** A payload starts so many octets behind 2 modulo 4: 2 where the header of the tunnel has 2 modulo 4 octets. */
  shiftOctets: number;
};

/** Words per request of a reply socket. */
export const REPLY_STRIDE = 10;
/**
 * Reply descriptor words: 0 octets received, or -1 when there were more than a slot has; octets to send, or 0 for none; 1 the
 * sender's port; 2–5 the octets of its address, as they are on the wire (IPv4 in word 2); 6–9 those of the address that was
 * asked, which only a socket of any address says.
 */

/** What a step of a reply socket does besides sending: nothing, take what is there, wait for something. */
export const REPLY_SEND_ONLY = 0;
export const REPLY_TAKE = 1;
export const REPLY_WAIT = 2;

export type ReplyOptions = {
  /** How long a step waits at most. */
  waitMs: number;
  /** Arena extent of `slots` times `slotOctets`; at most 256 slots. */
  slotsOffset: number;
  slotOctets: number;
  slots: number;
};

/** `namespace` as in ServerSocketOptions. */
export type PacketSocketOptions = { isPacket: true; namespace: string };

export type ServerSocketOptions = {
  family: 4 | 6;
  /** Whether it is a TCP socket, which listens; otherwise UDP. */
  isStream: boolean;
  /** One that the machine may not have yet. */
  address: string;
  port: number;
  /** Whether sockets of the caller have the address, or a part of it; else nobody may. */
  isShared: boolean;
  /** File of the network namespace, which needs CAP_SYS_ADMIN; empty: that of the process. */
  namespace: string;
};

/** Words per frame of a query ring. */
export const QUERY_STRIDE = 2;
/**
 * Query descriptor words: 0 octets of the frame that was received; octets to send, or 0 for none; 1 flags: a checksum that its sender
 * has left to a card, so that it is not there, or that a card has found right.
 */
export const QUERY_CHECKSUM_PARTIAL = 1;
export const QUERY_CHECKSUM_VERIFIED = 2;
/** A frame starts so many octets behind the start of its slot. */
export const QUERY_SLOT_FRAME = 2;

export type QueryRingOptions = {
  device: string;
  /** An open packet socket, bound to nothing, of the network namespace that the device is in; -1: one is made in this one. It closes with the ring. */
  socket: number;
  /** How long a step waits at most. */
  waitMs: number;
  /** Arena extent of `slots` times `slotOctets`; at most 256 slots. */
  slotsOffset: number;
  slotOctets: number;
  slots: number;
};

export type TapOptions = {
  device: string;
  /** Whether it is a TUN device: what passes starts at the IP header. */
  isTun: boolean;
  /** Arena extent that frames are received into. */
  offset: number;
  octets: number;
  headroomOctets: number;
  /** Whether to bring the device up, as whoever makes one wants. */
  up: boolean;
};

export type XdpOptions = {
  device: string;
  /** Queues from the first that are served, at most XDP_MAX_QUEUES; all is sent by the first. */
  queues: number;
  /** Arena extent of `(queues * receiveChunks + transmitChunks) * XDP_CHUNK_OCTETS` octets. */
  offset: number;
  /** Powers of two. */
  receiveChunks: number;
  transmitChunks: number;
  /** The program runs in the kernel's generic code, also where the driver could run it. */
  isGeneric?: boolean;
};

/** What `watchReadable` returns: nothing to look into. */
export type Watch = { readonly watch: unique symbol };

export interface Addon {
  /** Reserves address space for an arena; the same region may be wrapped by every thread. */
  arenaCreate(octets: number): number;
  arenaBuffer(arena: number): ArrayBuffer;

  ringOpen(arena: number, options: RingOptions): number;
  /** Fills up to `max` descriptors; ends the life of the frames of the call before. */
  ringReceive(ring: number, descriptors: Int32Array, max: number): number;
  /** Sends `count` frames, those of a flow in order; returns how many were refused: they carry RING_REFUSED. */
  ringTransmit(ring: number, descriptors: Int32Array, count: number): number;
  /** Whether frames of one flow and batch leave as one super-frame that the kernel or the device cuts (join.h). */
  ringSetJoins(ring: number, joins: boolean): void;
  /** Gives the ring an underlay TAP that is joined to its device; it closes with the ring. Throws EBUSY when it has one. */
  ringSetUnderlayTap(ring: number, descriptor: number): void;
  /** Whether super-frames with outer headers leave by it, or are cut here (tunnel_cut.h), which is so at first. */
  ringUseUnderlayTap(ring: number, uses: boolean): void;
  /**
   * Adds an AF_XDP socket that finished frames leave by, several in a row, where they fit the limit; only for a device on which
   * frames of two sockets cannot overtake each other. Throws what the kernel says where it gives none.
   */
  ringAddXdp(ring: number, deviceIndex: number): void;
  /** The largest frame that the device takes, for that socket: 0 at first, so that nothing leaves by it. */
  ringLimit(ring: number, octets: number): void;
  /** Directs new frames to the low-latency receiver (true) or to the ring; order is kept, nothing is lost or doubled. */
  ringSetLowLatency(ring: number, lowLatency: boolean): void;
  /** Frames lost because the ring was full, since the ring was opened. */
  ringOverruns(ring: number): number;
  ringDescriptors(ring: number): number[];
  /** The arena extents are free when it returns; the descriptors close within a tenth of a second. */
  ringClose(ring: number): void;

  udpOpen(arena: number, options: UdpOptions): number;
  udpReceive(endpoint: number, descriptors: Int32Array, max: number): number;
  /**
   * Sends datagrams [first, first + count) in order up to the first failure: how many were sent; the errno in `lastError`.
   * Neighbours with one source, destination, TOS and length share a call: sort by source socket.
   */
  udpTransmit(endpoint: number, descriptors: Int32Array, first: number, count: number): number;
  udpOverruns(endpoint: number): number;
  udpDescriptors(endpoint: number): number[];
  /** The ports that the source sockets got, by their index: fewer than asked for when the range has no more free. */
  udpSourcePorts(endpoint: number): number[];
  udpClose(endpoint: number): void;

  /** `filter`: a classic BPF program over what the kernel hands over: of IPv4 the IP header first, of IPv6 what is behind it. */
  rawOpen(arena: number, options: RawOptions, filter?: Uint8Array): number;
  rawReceive(socket: number, descriptors: Int32Array, max: number): number;
  /** As udpTransmit, a packet each. */
  rawTransmit(socket: number, descriptors: Int32Array, first: number, count: number): number;
  rawOverruns(socket: number): number;
  rawDescriptors(socket: number): number[];
  rawClose(socket: number): void;

  /** A TCP port of this host that nobody else gets, and on which nothing listens: the descriptor that holds it, and its number. */
  portReserve(family: 4 | 6): [descriptor: number, port: number];
  /**
   * Writes over the words of an address those of the address of this host from which the kernel would send packets with a mark there;
   * 0, or the errno that says why it would not.
   */
  sourceAddress(family: 4 | 6, words: Int32Array, mark: number): number;
  /** The descriptor of a TCP or UDP socket, not connected yet, whose packets have the mark (SO_MARK). Throws where that is not permitted. */
  markedSocket(family: 4 | 6, protocol: number, mark: number): number;
  /** Gives what a socket sends from now on the mark, 0 for none; 0, or the errno that says why not. */
  markSocket(descriptor: number, mark: number): number;
  /** How long what a TCP socket has sent may stay unacknowledged before it is broken (TCP_USER_TIMEOUT); 0, or the errno that says why not. */
  tcpUserTimeout(descriptor: number, milliseconds: number): number;
  /** From now on programs that this process starts inherit none of the raw sockets that are open now. */
  rawSocketsCloseOnExec(): void;

  /** A bound socket of a server, or a packet socket that is bound to nothing: its descriptor. */
  serverSocketOpen(options: ServerSocketOptions | PacketSocketOptions): number;
  /** Sends a copy of a descriptor, with a number that says which it is, to the process that has opened the path. */
  descriptorSend(options: { path: string; tag: number; descriptor: number }): void;
  /** A Unix socket at the path, by which descriptors come: its descriptor. Replaces what a former process left there. */
  descriptorInboxOpen(options: { path: string }): number;
  /** The number and the descriptor that came next; empty when none is there. */
  descriptorInboxTake(inbox: number): [] | [tag: number, descriptor: number];

  /** Takes over a UDP socket of a server, and closes it in the end, also when it throws. */
  replyOpen(arena: number, descriptor: number, options: ReplyOptions): number;
  /**
   * Sends the replies that stand in the first `count` slots, then does what `mode` says (REPLY_*); waiting blocks the thread for up
   * to `waitMs`. `descriptors`: REPLY_STRIDE words a slot. Returns how many came, or -1 when the socket is broken.
   */
  replyStep(socket: number, descriptors: Int32Array, count: number, mode: number): number;
  /** Sends a reply by the words of its request, from any thread; -1 when the kernel does not take it. */
  replySend(socket: number, octets: Uint8Array, descriptor: Int32Array): number;
  replyDescriptor(socket: number): number;
  /** Replies that the kernel did not take. */
  replyFailed(socket: number): number;
  /** Requests for which the kernel had no room. */
  replyOverruns(socket: number): number;
  replyClose(socket: number): void;

  /** `filter`: a classic BPF program as the kernel has it, 8 octets an instruction, which says what is taken. */
  queryRingOpen(arena: number, options: QueryRingOptions, filter: Uint8Array): number;
  /**
   * Sends the frames that stand in the first `count` slots, then waits for others; blocks the thread for up to `waitMs`.
   * `descriptors`: QUERY_STRIDE words a slot. Returns how many came, or -1 when the device has gone.
   */
  queryRingStep(ring: number, descriptors: Int32Array, count: number): number;
  /** Frames that the device did not take. */
  queryRingFailed(ring: number): number;
  /** Frames for which the ring had no room. */
  queryRingOverruns(ring: number): number;
  /** The MTU of its device now. */
  queryRingMtu(ring: number): number;
  queryRingClose(ring: number): void;

  /** Attaches to a TAP or TUN device; makes it where there is none, and then it goes when it is closed. */
  tapOpen(arena: number, options: TapOptions): number;
  /** Descriptors as those of a ring; ends the life of the frames of the call before. */
  tapReceive(tap: number, descriptors: Int32Array, max: number): number;
  /** As ringTransmit; frames of one flow are handed over joined. */
  tapTransmit(tap: number, descriptors: Int32Array, count: number): number;
  /** Frames lost because the queue of the device was full, since it was opened. */
  tapOverruns(tap: number): number;
  tapDescriptors(tap: number): number[];
  tapClose(tap: number): void;

  /**
   * Makes a TAP device that takes super-frames with the outer headers of a tunnel; `%d` in the name becomes a number. Gives its
   * descriptor and its index; it goes with the descriptor. Throws EINVAL before Linux 6.17.
   */
  underlayTapOpen(name: string): number[];

  /**
   * Throws EBUSY when the device still has an XDP program, or a queue a socket, after half a second of trying. `program`: eBPF
   * as the kernel has it, 8 octets an instruction, in place of the one that redirects everything; where it loads a map, it gets the
   * one from queue to socket.
   */
  xdpOpen(arena: number, options: XdpOptions, program?: Uint8Array): number;
  /** As ringReceive; of the descriptor's words only 0 and 1 are set: XDP tells nothing of tags and offloads. */
  xdpReceive(xdp: number, descriptors: Int32Array, max: number): number;
  /** Copies and sends `count` frames in order; returns how many were refused: they carry RING_REFUSED. */
  xdpTransmit(xdp: number, descriptors: Int32Array, count: number): number;
  /** Frames lost because no chunk or no place in a ring was free, or that were larger than a chunk. */
  xdpOverruns(xdp: number): number;
  /** Whether the program runs in the driver, not in the kernel's generic code. */
  xdpIsNative(xdp: number): boolean;
  /** One socket for each queue that is served. */
  xdpDescriptors(xdp: number): number[];
  /** The arena extent is free when it returns; the program leaves the device within a tenth of a second. */
  xdpClose(xdp: number): void;

  /** How many queues a device receives by now. */
  deviceReceiveQueues(device: string): number;
  deviceTransmitQueues(device: string): number;

  /** [device, address, whether it is up] of every address, of devices without a carrier too; addresses have no scope. */
  deviceAddresses(): [string, string, boolean][];

  /** What a network device is now; throws ENODEV. `flags`: IFF_*. */
  deviceQuery(device: string): { index: number; mtu: number; flags: number; mac: Uint8Array };

  /** The offloads of a device that are on, by ethtool's names, and the bus that it sits on; empty where it does not say. */
  deviceOffloads(device: string): { driver: string; bus: string; active: string[] };
  /** The name of its queueing discipline, as `ip link` shows it. */
  deviceQueueing(device: string): string;

  /**
   * Polls for input for at most `timeoutMs`; returns how many descriptors are ready. Word 2i of `descriptors` is one,
   * word 2i + 1 becomes 1 when it is ready, 0 otherwise. Before it sleeps it looks again and again for `spinUs`.
   */
  wait(descriptors: Int32Array, count: number, timeoutMs: number, spinUs: number): number;
  /** How often this thread was made to leave its core, since it began. */
  preemptions(): number;
  eventOpen(): number;
  eventSignal(descriptor: number): void;
  eventDrain(descriptor: number): void;
  closeDescriptor(descriptor: number): void;

  /** Calls back on this thread's event loop whenever the descriptor is readable, until `unwatch`, once for each watch. */
  watchReadable(descriptor: number, callback: () => void): Watch;
  unwatch(watch: Watch): void;

  /** Why this thread has no ipsec-mb; empty: it has. */
  cryptoMultiBufferUnavailable(): string;
  /**
   * Keeps a key of IPsec for use by one thread at a time; gives its handle, of a number space of its own. `backend`: 0
   * OpenSSL, 1 ipsec-mb. `transform`: cipher | MAC << 8. Lengths are checked by src/net/batch-crypto.ts alone.
   */
  cryptoOpenKey(backend: number, transform: number, key: Uint8Array, macKey: Uint8Array): number;
  /** Overwrites it. Throws EBADF where there is none. */
  cryptoCloseKey(key: number): void;
  /** Does the first `count` jobs of src/ipsec/crypto.ts; `operation`: 0 seal, 1 open, 2 digest, 3 verify. */
  cryptoRun(arena: number, operation: number, jobs: Int32Array, count: number): void;

  /** A NETLINK_ROUTE socket, bound to these multicast groups (bit mask of RTMGRP_*), non-blocking. */
  netlinkOpen(groups: number): number;
  /** A NETLINK_SOCK_DIAG socket, non-blocking: `netlinkSend` and `netlinkReceive` are its as well. */
  diagnosticsOpen(): number;
  netlinkSend(descriptor: number, message: Uint8Array): void;
  /** One datagram of netlink messages, or null when none waits; throws ENOBUFS as an Error with code when some were lost. */
  netlinkReceive(descriptor: number): Uint8Array | null;

  /** From now on the process leaves no core files, and its memory is closed to others of its account. */
  protectMemory(): void;

  /**
   * Runs a program to its end in a thread of Node's pool. `words`: its name, looked for in PATH, and its arguments, each with a
   * NUL behind it; it reads `input`, or the descriptor where that is not -1. Resolves to its status (128: a signal or the
   * time-out ended it; -errno: it could not be started) and what it wrote.
   */
  runProgram(
    words: Uint8Array,
    input: Uint8Array,
    descriptor: number,
    timeoutMs: number,
  ): Promise<[status: number, stdout: Buffer, stderr: Buffer]>;

  /** The errno of the last call that returned short, in this thread. */
  lastError(): number;
}

export type LoadedAddon = { addon: Addon; path: string } | { addon: undefined; reason: string };

let loaded: LoadedAddon | undefined;

/** Loads the addon once per thread: WIDEPLANE_ADDON if set, otherwise the one built in native-bindings. */
export function loadAddon(): LoadedAddon {
  loaded ??= load();
  return loaded;
}

function load(): LoadedAddon {
  const require = createRequire(import.meta.url);
  const path = process.env.WIDEPLANE_ADDON ?? inPackage('native-bindings/build/wideplane.node');
  try {
    return { addon: require(path) as Addon, path };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0]! : String(error);
    return { addon: undefined, reason: `cannot load ${path}: ${reason}; build it with: npm run build:native` };
  }
}
