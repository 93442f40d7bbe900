// time-out: 600 s
// A mixed load of 10,000 flows through every adapter, in both directions: each flow in order, nothing twice, and what is
// missing is counted.
//
// Another adapter is one more line in ADAPTERS.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseIpv4 } from '../../src/core/address.ts';
import { loadAddon } from '../../src/native/addon.ts';
import { Arena, ArenaAllocator } from '../../src/packet/arena.ts';
import { BURST, Frame, FrameBatch, HEADROOM_OCTETS } from '../../src/packet/frame.ts';
import { AfXdpPort, openAfXdp, releaseAfXdp } from '../../src/port/af-xdp.ts';
import { createMemoryPair } from '../../src/port/memory.ts';
import { openPacketRing, PacketRingPort, releasePacketRing } from '../../src/port/packet-ring.ts';
import { openPcap, PcapPort, releasePcap } from '../../src/port/pcap.ts';
import type { Port } from '../../src/port/port.ts';
import { openRawIp, RawIpPort, releaseRawIp } from '../../src/port/raw-ip.ts';
import { openRawSocket, RawSocketPort, releaseRawSocket } from '../../src/port/raw-socket-port.ts';
import { openTap, releaseTap, type TapKind, TapPort } from '../../src/port/tap.ts';
import { openUdpPort, releaseUdpPort, UdpPort } from '../../src/port/udp.ts';
import { addVeth, eventually, ip, run } from '../lib/namespace.ts';
import { type FlowOrder, type FlowsReceived, PacketPeer } from '../lib/packet-peer.ts';
import { receiveAll } from './port-suite.ts';

const loaded = loadAddon();
assert.ok(loaded.addon !== undefined, loaded.addon === undefined ? loaded.reason : '');
const { addon } = loaded;
const ARENA_OCTETS = 2 ** 30;
const arenaHandle = addon.arenaCreate(ARENA_OCTETS);
const arena = new Arena(addon.arenaBuffer(arenaHandle));
const allocator = new ArenaAllocator(ARENA_OCTETS);
const now = (): number => performance.now();

const FLOWS = 10_000;
const FRAMES = 40_000;
const SIZES = [64, 64, 64, 128, 576, 1000, 1400];
const SEED = 20_000 + (Date.now() % 10_000);
const PREFIX = Uint8Array.from([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00]);
/** An IPv4 header, for devices that carry packets. */
const IP_PREFIX = Uint8Array.from([0x45, 0, 0, 60, 0, 0, 0x40, 0, 64, 253, 0, 0, 10, 77, 0, 1, 10, 77, 0, 2]);
const UDP_PORT = 4789;
const GRE = 47;

type Load = Pick<FlowOrder, 'seed' | 'flows' | 'count' | 'sizes' | 'every' | 'pause'>;

/** A port and its other side. */
type Link = {
  port: Port;
  prefix: Uint8Array;
  send(load: Load): Promise<void>;
  collect(): Promise<FlowsReceived>;
  /** Says where a frame shall go; nothing for medium `ethernet`. */
  address(frame: Frame, flow: number): void;
  /** Frames that were lost between the other side and the port, by counters that are not the port's. */
  lostOnTheWay(): number;
  close(): Promise<void>;
};

const backlogDrops = (): number =>
  readFileSync('/proc/net/softnet_stat', 'utf8')
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number.parseInt(line.split(/\s+/)[1]!, 16), 0);

const transmitDrops = (namespace: string): number => {
  const text = ip(`-n ${namespace} -json -stats link show dev there`);
  return (JSON.parse(text) as [{ stats64: { tx: { dropped: number } } }])[0].stats64.tx.dropped;
};

type Opened = { port: Port; close: () => void; lost?: (namespace: string) => number };

/** A port on a veth end, and a packet socket on the other. */
const deviceLink =
  (open: (device: string) => Opened) =>
  async (name: string): Promise<Link> => {
    const [here, namespace] = [`v-${name}`, `peer-${name}`];
    addVeth(here, 'there', namespace);
    const peer = new PacketPeer(namespace, 'ethernet', 'there');
    await peer.ready;
    const { port, close, lost = backlogDrops } = open(here);
    await peer.send({ prefix: PREFIX, first: 0, count: 3, octets: 60, every: 1, pause: 0.05 });
    await receiveAll(port, 3, () => undefined, 300);
    return {
      port,
      prefix: PREFIX,
      send: (load) => peer.sendFlows({ prefix: PREFIX, ...load }),
      collect: () => peer.receiveFlows(FRAMES),
      address: () => undefined,
      lostOnTheWay: () => lost(namespace),
      close: async () => {
        port.close();
        close();
        await peer.close();
      },
    };
  };

const openRing = (device: string): Opened => {
  const description = openPacketRing(addon, arenaHandle, allocator, { index: 1, name: device, device });
  return {
    port: new PacketRingPort(addon, description, now),
    close: () => releasePacketRing(allocator, description),
  };
};

const openXdp = (device: string): Opened => {
  const description = openAfXdp(addon, arenaHandle, allocator, { index: 1, name: device, device });
  return {
    port: new AfXdpPort(addon, arena, description, now),
    close: () => releaseAfXdp(allocator, description),
    // The driver's own ring stands in front of the sockets; what does not fit, the other end counts.
    lost: (namespace) => backlogDrops() + transmitDrops(namespace),
  };
};

const openPcapLink =
  (inWorker: boolean) =>
  (device: string): Opened => {
    const { index: deviceIndex, mtu } = addon.deviceQuery(device);
    const ofWorker = inWorker ? addon : undefined;
    const options = { index: 1, name: device, device, deviceIndex, mtu, isUp: true };
    const description = openPcap(arena, allocator, { ...options, addon: ofWorker, arrived: () => undefined });
    return {
      port: new PcapPort(ofWorker, arena, description),
      close: () => releasePcap(allocator, description),
      // The port counts what the device has counted and libpcap did not hand over.
      lost: () => 0,
    };
  };

const LOCAL = '10.8.1.1';
const REMOTE = '10.8.1.2';

/** A veth pair with addresses. */
function addUnderlay(here: string, namespace: string): void {
  addVeth(here, 'there', namespace);
  ip(`address add ${LOCAL}/24 dev ${here}`);
  ip(`-n ${namespace} address add ${REMOTE}/24 dev there`);
}

async function udpLink(name: string): Promise<Link> {
  const [here, namespace] = [`v-${name}`, `peer-${name}`];
  const [local, remote] = [LOCAL, REMOTE];
  addUnderlay(here, namespace);
  const peer = new PacketPeer(namespace, 'udp', remote, String(UDP_PORT));
  await peer.ready;
  const options = { index: 1, name, family: 4, localAddress: local, localPort: UDP_PORT, checksum: true } as const;
  const description = openUdpPort(addon, arenaHandle, allocator, { ...options, sourceSockets: 16 });
  const port = new UdpPort(addon, description, now);
  return {
    port,
    prefix: new Uint8Array(0),
    send: (load) => peer.sendFlows({ prefix: new Uint8Array(0), to: local, port: UDP_PORT, ...load }),
    collect: () => peer.receiveFlows(FRAMES),
    address: (frame, flow) => {
      frame.outer3 = parseIpv4(remote)!;
      frame.outerPort = UDP_PORT;
      frame.flowHash = flow * 0x9e3779b1;
    },
    lostOnTheWay: backlogDrops,
    close: async () => {
      port.close();
      releaseUdpPort(allocator, description);
      ip(`link delete ${here}`);
      await peer.close();
    },
  };
}

const openRaw = (name: string): Opened => {
  const options = { index: 1, name, family: 4, localAddress: LOCAL, protocol: GRE } as const;
  const description = openRawIp(addon, arenaHandle, allocator, options);
  return { port: new RawIpPort(addon, description, now), close: () => releaseRawIp(allocator, description) };
};

const openPackage = (name: string): Opened => {
  const options = { index: 1, name, localAddress: LOCAL, protocol: GRE, mtu: 1500 };
  const where = { device: `v-${name}`, deviceIndex: addon.deviceQuery(`v-${name}`).index };
  const description = openRawSocket(allocator, { ...options, ...where, arrived: () => undefined });
  return { port: new RawSocketPort(arena, description, now), close: () => releaseRawSocket(allocator, description) };
};

/** Raw sockets at both ends. */
const rawLink =
  (open: (name: string) => Opened) =>
  async (name: string): Promise<Link> => {
    const [here, namespace] = [`v-${name}`, `peer-${name}`];
    addUnderlay(here, namespace);
    const peer = new PacketPeer(namespace, 'raw', REMOTE, String(GRE));
    await peer.ready;
    const { port, close } = open(name);
    return {
      port,
      prefix: new Uint8Array(0),
      send: (load) => peer.sendFlows({ prefix: new Uint8Array(0), to: LOCAL, ...load }),
      collect: () => peer.receiveFlows(FRAMES),
      address: (frame) => {
        frame.outer3 = parseIpv4(REMOTE)!;
      },
      lostOnTheWay: backlogDrops,
      close: async () => {
        port.close();
        close();
        ip(`link delete ${here}`);
        await peer.close();
      },
    };
  };

/** A TAP or TUN device, and a packet socket on the host's end of it. */
const tapLink =
  (kind: TapKind) =>
  async (name: string): Promise<Link> => {
    const [device, namespace] = [`t-${name}`, `peer-${name}`];
    ip(`tuntap add dev ${device} mode ${kind} vnet_hdr`);
    run('sysctl', '-qw', `net.ipv6.conf.${device}.disable_ipv6=1`);
    ip(`link set dev ${device} up`);
    ip(`netns attach ${namespace} ${process.pid}`);
    const description = openTap(addon, arenaHandle, allocator, { index: 1, name, device, kind });
    const port = new TapPort(addon, description, now);
    await eventually('the carrier', () => (addon.deviceQuery(device).flags & 0x41) === 0x41);
    const peer = new PacketPeer(namespace, 'ethernet', device);
    await peer.ready;
    return {
      port,
      prefix: kind === 'tun' ? IP_PREFIX : PREFIX,
      send: (load) => peer.sendFlows({ prefix: PREFIX, packets: kind === 'tun', ...load }),
      collect: () => peer.receiveFlows(FRAMES),
      address: () => undefined,
      lostOnTheWay: backlogDrops,
      close: async () => {
        port.close();
        releaseTap(allocator, description);
        await peer.close();
      },
    };
  };

/** The other side is a port too, in this process. */
function memoryLink(): Promise<Link> {
  const ends = [
    { name: 'here', index: 1 },
    { name: 'there', index: 2 },
  ] as const;
  const [port, peer] = createMemoryPair(arena, allocator, { ends, slots: 2 * FRAMES, maxFrameOctets: 1514 });
  return Promise.resolve({
    port,
    prefix: PREFIX,
    send: (load) => transmitFlows({ port: peer, prefix: PREFIX, address: () => undefined }, load).then(() => undefined),
    collect: async () => {
      const flows = new FlowCheck();
      await receiveAll(peer, FRAMES, (batch) => flows.take(batch), 50);
      return flows.result();
    },
    address: () => undefined,
    lostOnTheWay: () => 0,
    close: () => {
      port.close();
      peer.close();
      return Promise.resolve();
    },
  });
}

const ADAPTERS: Record<string, (name: string) => Promise<Link>> = {
  memory: memoryLink,
  'packet-ring': deviceLink(openRing),
  udp: udpLink,
  'raw-ip': rawLink(openRaw),
  'raw-socket': rawLink(openPackage),
  tap: tapLink('tap'),
  tun: tapLink('tun'),
  'af-xdp': deviceLink(openXdp),
  pcap: deviceLink(openPcapLink(false)),
  'pcap-worker': deviceLink(openPcapLink(true)),
};

/** Notes for each flow which frame comes next. */
class FlowCheck {
  readonly #view = new DataView(arena.buffer);
  readonly #next = new Map<number, number>();
  #received = 0;
  #wrong = 0;

  take(batch: FrameBatch): void {
    for (let index = 0; index < batch.length; index++) {
      const { end } = batch.frames[index]!;
      const flow = this.#view.getUint32(end - 8);
      const number = this.#view.getUint32(end - 4);
      if (number < (this.#next.get(flow) ?? 0)) this.#wrong += 1;
      this.#next.set(flow, number + 1);
      this.#received += 1;
    }
  }

  result(): FlowsReceived {
    return { received: this.#received, wrong: this.#wrong, flows: this.#next.size };
  }
}

/** Sends the load by the port, in batches; resolves to how many frames were refused. */
async function transmitFlows(
  { port, prefix, address }: Pick<Link, 'port' | 'prefix' | 'address'>,
  { seed, count, sizes }: Load,
): Promise<number> {
  const stride = 2048;
  const memory = allocator.allocate(BURST * stride)!;
  const view = new DataView(arena.buffer);
  const sequence = new Uint32Array(FLOWS);
  let state = seed;
  const random = (limit: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 8) % limit;
  };
  let refused = 0;
  for (let sent = 0; sent < count;) {
    const batch = new FrameBatch();
    for (let index = 0; index < BURST && sent < count; index++, sent++) {
      const frame = new Frame();
      frame.headroomStart = memory + index * stride;
      frame.start = frame.headroomStart + HEADROOM_OCTETS + 2;
      frame.end = frame.start + sizes[random(sizes.length)]!;
      arena.bytes.set(prefix, frame.start);
      const flow = random(FLOWS);
      view.setUint32(frame.end - 8, flow);
      view.setUint32(frame.end - 4, sequence[flow]!++);
      address(frame, flow);
      batch.push(frame);
    }
    port.transmit(batch, () => (refused += 1));
    // The other side is no more than a program with a socket: it gets a moment for each batch.
    if (port.descriptors.length > 0 || sent % (8 * BURST) === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  allocator.release(memory, BURST * stride);
  return refused;
}

for (const [name, open] of Object.entries(ADAPTERS)) {
  test(`${name}: ${FLOWS} flows keep their order, nothing comes twice, and losses are counted`, async () => {
    const link = await open(name);
    const { port } = link;
    const load = { seed: SEED, flows: FLOWS, count: FRAMES, sizes: SIZES, every: 64, pause: 0.001 };
    const note = `seed ${SEED}`;

    const overrunsBefore = port.counters.receiveOverruns;
    const lostBefore = link.lostOnTheWay();
    const received = new FlowCheck();
    const sent = link.send(load);
    await receiveAll(port, FRAMES, (batch) => received.take(batch), 2000);
    await sent;
    // Counters that are read now and then must have been.
    await new Promise((resolve) => setTimeout(resolve, 700));
    const came = received.result();
    const lost = port.counters.receiveOverruns - overrunsBefore + link.lostOnTheWay() - lostBefore;
    assert.equal(came.wrong, 0, note);
    assert.equal(came.received + lost, FRAMES, `${note}: ${came.received} received, ${lost} counted as lost`);
    assert.ok(came.flows > 0.9 * FLOWS, `${came.flows} flows`);

    const dropsBefore = backlogDrops();
    const refused = await transmitFlows(link, load);
    const left = await link.collect();
    assert.equal(left.wrong, 0, note);
    const missing = refused + backlogDrops() - dropsBefore;
    assert.equal(left.received + missing, FRAMES, `${note}: ${left.received} came, ${missing} refused or lost`);
    assert.ok(left.flows > 0.9 * FLOWS, `${left.flows} flows`);
    await link.close();
  });
}
