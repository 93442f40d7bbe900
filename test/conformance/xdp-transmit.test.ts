// Finished frames that leave a packet ring on a veth by AF_XDP (native-bindings/xdp_transmit.h): the other end sees the frames
// that were sent, in order, whatever way those beside them take. A capture on the device itself tells the way: it sees what the
// packet socket of a device that joins sends, and nothing of AF_XDP.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { Drop } from '../../src/core/drop-reason.ts';
import { loadAddon } from '../../src/native/addon.ts';
import { Arena, ArenaAllocator } from '../../src/packet/arena.ts';
import { BURST, FrameBatch } from '../../src/packet/frame.ts';
import { type AfXdpDescription, openAfXdp, releaseAfXdp } from '../../src/port/af-xdp.ts';
import {
  openPacketRing,
  type PacketRingDescription,
  PacketRingPort,
  releasePacketRing,
} from '../../src/port/packet-ring.ts';
import { addVeth, eventually, ip, run } from '../lib/namespace.ts';
import { PacketPeer } from '../lib/packet-peer.ts';
import { transportFrame } from '../support/transport-frames.ts';
import { placeFrame } from './port-suite.ts';

const loaded = loadAddon();
assert.ok(loaded.addon !== undefined, loaded.addon === undefined ? loaded.reason : '');
const { addon } = loaded;
const ARENA_OCTETS = 2 ** 28;
const STRIDE = 16_384;
const arenaHandle = addon.arenaCreate(ARENA_OCTETS);
const arena = new Arena(addon.arenaBuffer(arenaHandle));
const allocator = new ArenaAllocator(ARENA_OCTETS);
const scratch = allocator.allocate(BURST * STRIDE)!;

const MTU = 9000;
/** Of a chunk. */
const LARGEST_OCTETS = 2048;
const GRE = 47;

/** Prints how many frames of GRE the capture on a device has seen when its input ends; "ready" once it looks. */
const WATCH = `
import select, socket, sys
watch = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
watch.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
watch.bind((sys.argv[1], 0))
print("ready", flush=True)
seen = 0
while True:
    ready, _, _ = select.select([watch, sys.stdin], [], [])
    if watch in ready:
        octets, address = watch.recvfrom(65535)
        if address[2] == socket.PACKET_OUTGOING and octets[23] == ${GRE}:
            seen += 1
    elif sys.stdin.readline() == "":
        break
print(seen)
`;

async function seenOn(device: string, send: () => Promise<void>): Promise<number> {
  const child = spawn('python3', ['-c', WATCH, device], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  await eventually('the capture looks', () => output.includes('ready'));
  await send();
  child.stdin.end();
  await once(child, 'close');
  return Number(output.split('\n')[1]);
}

/** A packet of GRE with a number in it. */
function greFrame(number: number, octets: number): Uint8Array {
  const frame = new Uint8Array(octets);
  frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, (octets - 14) >>> 8, (octets - 14) & 255]);
  frame.set([0, 0, 0x40, 0, 64, GRE, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0, 0, 0x65, 0x58], 18);
  new DataView(frame.buffer).setUint32(38, number);
  return frame.fill(number & 255, 42);
}

const udpFrame = (number: number, octets: number): Uint8Array =>
  transportFrame({
    family: 4,
    protocol: 'udp',
    tags: [],
    ipOptions: new Uint8Array(),
    identification: number,
    sequence: 0,
    flags: 0,
    tcpOptions: new Uint8Array(),
    payload: new Uint8Array(octets).fill(number & 255),
    checksum: 'complete',
  }).octets;

type Link = {
  device: string;
  port: PacketRingPort;
  description: PacketRingDescription;
  peer: PacketPeer;
};
let links = 0;
const opened: Link[] = [];

async function open(offloads: 'on' | 'off', prepare: (device: string) => void = () => undefined): Promise<Link> {
  const id = links++;
  const device = `xt${id}`;
  addVeth(device, `there${id}`, `xtpeer${id}`, MTU);
  if (offloads === 'off') run('ethtool', '-K', device, 'tx', 'off');
  prepare(device);
  const peer = new PacketPeer(`xtpeer${id}`, 'ethernet', `there${id}`);
  await peer.ready;
  const description = openPacketRing(addon, arenaHandle, allocator, {
    index: 1,
    name: device,
    device,
    blocks: 4,
  });
  const link = {
    device,
    port: new PacketRingPort(addon, description, () => performance.now()),
    description,
    peer,
  };
  opened.push(link);
  return link;
}

function send({ port }: Link, frames: readonly Uint8Array[]): string[] {
  const batch = new FrameBatch();
  for (const [index, octets] of frames.entries()) batch.push(placeFrame(arena, scratch + index * STRIDE, octets));
  const refused: string[] = [];
  port.transmit(batch, (_, why) => refused.push(String(why)));
  return refused;
}

async function exchange(link: Link, frames: readonly Uint8Array[]): Promise<Uint8Array[]> {
  assert.deepEqual(send(link, frames), []);
  const received = await link.peer.receive(frames.length, 2);
  assert.deepEqual(await link.peer.receive(1, 0.05), [], 'more frames than expected');
  return received.map(({ octets }) => octets);
}

const burst = (count: number, octets = 102): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => greFrame(index, octets));

describe('finished frames leave a veth by AF_XDP', () => {
  after(async () => {
    for (const { port, description, peer } of opened) {
      port.close();
      releasePacketRing(allocator, description);
      await peer.close();
    }
  });

  it('several in a row, which a capture on the device does not see', async () => {
    const link = await open('off');
    const seen = await seenOn(link.device, async () => {
      assert.deepEqual(await exchange(link, burst(BURST)), burst(BURST));
    });
    assert.equal(seen, 0);
  });

  it('not by ones and twos, for which the call would not pay', async () => {
    const link = await open('off');
    const seen = await seenOn(link.device, async () => {
      for (const count of [1, 2, 3]) assert.deepEqual(await exchange(link, burst(count)), burst(count));
    });
    assert.equal(seen, 6);
  });

  it('not past a queueing discipline', async () => {
    const link = await open('off', (device) => run('tc', 'qdisc', 'add', 'dev', device, 'root', 'pfifo'));
    const seen = await seenOn(link.device, async () => {
      assert.deepEqual(await exchange(link, burst(50)), burst(50));
    });
    assert.equal(seen, 50);
  });

  it('not where another program has the queue', async () => {
    let sockets: AfXdpDescription | undefined;
    const link = await open('off', (device) => {
      sockets = openAfXdp(addon, arenaHandle, allocator, { index: 2, name: device, device });
    });
    const seen = await seenOn(link.device, async () => {
      assert.deepEqual(await exchange(link, burst(50)), burst(50));
    });
    assert.equal(seen, 50);
    addon.xdpClose(sockets!.handle);
    releaseAfXdp(allocator, sockets!);
  });

  for (const offloads of ['on', 'off'] as const) {
    it(`in order with those that leave otherwise; offloads ${offloads}`, async () => {
      const link = await open(offloads);
      const kind = fc.constantFrom('gre', 'gre', 'gre', 'gre', 'large', 'huge', 'udp', 'udp');
      for (const plan of fc.sample(fc.array(kind, { minLength: 100, maxLength: BURST }), 12)) {
        const frames = plan.map((kind, index) => {
          if (kind === 'udp') return udpFrame(index, 100);
          return greFrame(index, { gre: 102, large: LARGEST_OCTETS, huge: LARGEST_OCTETS + 1 }[kind]);
        });
        assert.deepEqual(await exchange(link, frames), frames, plan.join(' '));
      }
    });
  }

  it('more than there are chunks, in one go', async () => {
    const link = await open('off');
    for (let round = 0; round < 20; round++) assert.deepEqual(await exchange(link, burst(BURST)), burst(BURST));
  });

  it('again when the device was down, and a frame that is too long is refused alone', async () => {
    const link = await open('off');
    ip(`link set dev ${link.device} down`);
    assert.deepEqual(send(link, burst(10)), new Array<string>(10).fill(String(Drop.portDown)));
    ip(`link set dev ${link.device} up`);
    await eventually('up', () => (addon.deviceQuery(link.device).flags & 0x41) === 0x41);
    assert.deepEqual(await exchange(link, burst(10)), burst(10));
    link.port.setMtu(1000);
    ip(`link set dev ${link.device} mtu 1000`);
    const frames = [...burst(10), greFrame(10, 1015), ...burst(10)];
    assert.deepEqual(send(link, frames), [String(Drop.transmitTooLong)]);
    assert.equal((await link.peer.receive(20, 2)).length, 20);
  });
});

describe('af-xdp gets the queue of a device', () => {
  it('that a packet ring has let go', async () => {
    const link = await open('off');
    opened.pop();
    assert.deepEqual(await exchange(link, burst(10)), burst(10));
    link.port.close();
    releasePacketRing(allocator, link.description);
    const sockets = openAfXdp(addon, arenaHandle, allocator, {
      index: 2,
      name: link.device,
      device: link.device,
    });
    addon.xdpClose(sockets.handle);
    releaseAfXdp(allocator, sockets);
    await link.peer.close();
  });
});
