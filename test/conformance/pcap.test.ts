// libpcap over veth pairs, in both forms: the port in the thread of libpcap, as without the addon, and the port behind the
// rings and eventfds of a worker.
//
//   this namespace                                    namespace of the peer
//   port ── (rings) ── link ── libpcap ── here ──veth── there ── AF_PACKET

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Drop } from '../../src/core/drop-reason.ts';
import { loadAddon } from '../../src/native/addon.ts';
import { Arena, ArenaAllocator } from '../../src/packet/arena.ts';
import { FrameBatch } from '../../src/packet/frame.ts';
import { loadCap } from '../../src/port/cap.ts';
import { openPcap, type PcapDescription, PcapPort, releasePcap, setPcapLink } from '../../src/port/pcap.ts';
import { addVeth, eventually, ip } from '../lib/namespace.ts';
import { numbered, PacketPeer } from '../lib/packet-peer.ts';
import { type Harness, octetsOf, placeFrame, portSuite, receiveAll } from './port-suite.ts';

const loaded = loadAddon();
assert.ok(loaded.addon !== undefined, loaded.addon === undefined ? loaded.reason : '');
const { addon } = loaded;
const cap = loadCap();
assert.ok(cap.cap !== undefined, cap.cap === undefined ? cap.reason : '');
assert.equal(cap.weakness, undefined, cap.weakness);

const ARENA_OCTETS = 2 ** 30;
const arena = new Arena(new ArrayBuffer(ARENA_OCTETS));
const allocator = new ArenaAllocator(ARENA_OCTETS);
const MTU = 1500;
const PREFIX = Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5]);

const isUp = (device: string): boolean => (addon.deviceQuery(device).flags & 0x41) === 0x41;

type Form = 'in this thread' | 'in a worker';

const open = (device: string, form: Form, index = 1): [PcapPort, PcapDescription] => {
  const ofWorker = form === 'in a worker' ? addon : undefined;
  const description = openPcap(arena, allocator, {
    index,
    name: device,
    device,
    deviceIndex: addon.deviceQuery(device).index,
    mtu: MTU,
    isUp: isUp(device),
    addon: ofWorker,
    arrived: () => undefined,
  });
  return [new PcapPort(ofWorker, arena, description), description];
};
const close = (port: PcapPort, description: PcapDescription): void => {
  port.close();
  releasePcap(allocator, description);
};

let pairs = 0;
async function connect() {
  const id = pairs++;
  const [here, there, namespace] = [`here${id}`, `there${id}`, `peer${id}`];
  addVeth(here, there, namespace, MTU);
  const peer = new PacketPeer(namespace, 'ethernet', there);
  await peer.ready;
  return { here, there, namespace, peer };
}

/** libpcap loses the first frame that it gets after its filter was set; what the device counts is read at the next. */
async function prime(port: PcapPort, peer: PacketPeer): Promise<void> {
  await peer.send({ prefix: PREFIX, first: 0, count: 3, octets: 60, every: 1, pause: 0.05 });
  await receiveAll(port, 10, () => undefined, 300);
}

for (const form of ['in this thread', 'in a worker'] as const) {
  portSuite({
    name: `pcap, ${form}`,
    open: async (): Promise<Harness> => {
      const { here, peer } = await connect();
      // What is opened again and again is a device of its own, whose port has an index of its own.
      addVeth(`spare${pairs - 1}`, 'spare', `spare${pairs - 1}`, MTU);
      const [port, description] = open(here, form);
      await prime(port, peer);
      return {
        port,
        arena,
        allocator,
        prefix: PREFIX,
        send: (first, count, octets) => peer.send({ prefix: PREFIX, first, count, octets }),
        collect: async (count, seconds) => (await peer.receive(count, seconds)).map(({ octets }) => octets),
        address: () => undefined,
        setLink: async (up) => {
          ip(`link set dev ${here} ${up ? 'up' : 'down'}`);
          await eventually(`${here} ${up ? 'up' : 'down'}`, () => isUp(here) === up);
          port.setUp(up);
          setPcapLink(1, up, MTU);
          if (up) await prime(port, peer);
        },
        // What finds a processor's backlog full was counted by the device, and so by the port.
        lostOnTheWay: () => 0,
        release: async () => {
          releasePcap(allocator, description);
          await peer.close();
        },
      };
    },
    cycle: () => close(...open(`spare${pairs - 1}`, form, 2)),
    sizes: [60, 64, 128, 1000, MTU + 14],
    tooLong: MTU + 19,
    flood: 60_000,
  });
}

test('a link that goes down under traffic is survived, and comes back', async () => {
  const { here, peer } = await connect();
  const [port, description] = open(here, 'in this thread');
  await prime(port, peer);
  const at = allocator.allocate(4096)!;
  const batch = new FrameBatch();
  batch.push(placeFrame(arena, at, numbered(PREFIX, 0, 100)));
  for (let round = 0; round < 5; round++) {
    ip(`link set dev ${here} down`);
    // Before anybody has told the port: libpcap says so, and its descriptor has an error.
    const refused: number[] = [];
    port.transmit(batch, (_, why) => refused.push(why));
    assert.deepEqual(refused, [Drop.portDown]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    setPcapLink(1, false, MTU);
    ip(`link set dev ${here} up`);
    await eventually('up', () => isUp(here));
    setPcapLink(1, true, MTU);
    await prime(port, peer);
    await peer.send({ prefix: PREFIX, first: 7, count: 1, octets: 90 });
    const received: Uint8Array[] = [];
    await receiveAll(port, 1, ({ frames, length }) => {
      for (let index = 0; index < length; index++) received.push(octetsOf(arena, frames[index]!));
    });
    assert.deepEqual(received, [numbered(PREFIX, 7, 90)]);
  }
  allocator.release(at, 4096);
  close(port, description);
  await peer.close();
});

test('a device that does not exist is refused with its name, and nothing is held', () => {
  const before = allocator.allocate(ARENA_OCTETS / 2)!;
  allocator.release(before, ARENA_OCTETS / 2);
  const options = { index: 3, name: '1.1', device: 'absent0', deviceIndex: 9, mtu: MTU, isUp: true, addon: undefined };
  assert.throws(
    () => openPcap(arena, allocator, { ...options, arrived: () => undefined }),
    /absent0: libpcap: No such device/,
  );
  assert.equal(allocator.allocate(ARENA_OCTETS / 2), before);
  allocator.release(before, ARENA_OCTETS / 2);
});
