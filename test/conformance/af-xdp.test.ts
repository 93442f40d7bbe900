// AF_XDP sockets over veth pairs: here (the port) and there (a kernel socket in another namespace).
//
//   this namespace                       namespace of the peer
//   port ── AF_XDP ── here ──veth── there ── AF_PACKET or the kernel's own stack
//
// In native mode the driver gives the program what has arrived, from a ring of 256 frames of its own, whose overflow the
// other end counts. With a large MTU the driver of veth refuses, and the kernel's generic code runs the program.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it, test } from 'node:test';
import { Drop } from '../../src/core/drop-reason.ts';
import { checksumAddWords, checksumFinish } from '../../src/core/checksum.ts';
import { loadAddon } from '../../src/native/addon.ts';
import { Arena, ArenaAllocator } from '../../src/packet/arena.ts';
import { FrameBatch } from '../../src/packet/frame.ts';
import { findTransport, transport } from '../../src/packet/transport.ts';
import { type AfXdpDescription, AfXdpPort, openAfXdp, releaseAfXdp, xdpWarnings } from '../../src/port/af-xdp.ts';
import { addVeth, eventually, ip, python, run } from '../lib/namespace.ts';
import { numbered, PacketPeer } from '../lib/packet-peer.ts';
import { type Harness, placeFrame, portSuite, receiveAll } from './port-suite.ts';

const loaded = loadAddon();
assert.ok(loaded.addon !== undefined, loaded.addon === undefined ? loaded.reason : '');
const { addon } = loaded;
const ARENA_OCTETS = 2 ** 30;
const arenaHandle = addon.arenaCreate(ARENA_OCTETS);
const arena = new Arena(addon.arenaBuffer(arenaHandle));
const allocator = new ArenaAllocator(ARENA_OCTETS);
const now = (): number => performance.now();

const PREFIX = Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5]);

const open = (device: string, index = 1): [AfXdpPort, AfXdpDescription] => {
  const description = openAfXdp(addon, arenaHandle, allocator, { index, name: device, device });
  return [new AfXdpPort(addon, arena, structuredClone(description), now), description];
};
const close = (port: AfXdpPort, description: AfXdpDescription): void => {
  port.close();
  releaseAfXdp(allocator, description);
};

/** Frames that found a processor's backlog full. */
const backlogDrops = (): number =>
  readFileSync('/proc/net/softnet_stat', 'utf8')
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number.parseInt(line.split(/\s+/)[1]!, 16), 0);

/** Frames that the other end could not put into the ring of the driver. */
const ringDrops = (namespace: string, there: string): number => {
  const [link] = JSON.parse(ip(`-n ${namespace} -json -stats link show dev ${there}`)) as [
    { stats64: { tx: { dropped: number } } },
  ];
  return link.stats64.tx.dropped;
};

const isUp = (device: string): boolean => (addon.deviceQuery(device).flags & 0x41) === 0x41;

let pairs = 0;
/** A veth pair with a peer at its other end. */
async function connect(mtu: number) {
  const id = pairs++;
  const [here, there, namespace] = [`here${id}`, `there${id}`, `peer${id}`];
  addVeth(here, there, namespace, mtu);
  const peer = new PacketPeer(namespace, 'ethernet', there);
  await peer.ready;
  return { here, there, namespace, peer };
}

function suiteOf(name: string, mtu: number, isNative: boolean, sizes: readonly number[], tooLong: number): void {
  const openHarness = async (): Promise<Harness> => {
    const { here, there, namespace, peer } = await connect(mtu);
    const [port, description] = open(here);
    assert.equal(description.isNative, isNative);
    // A queue has one socket: what is opened again and again is a device of its own.
    addVeth(`spare${pairs - 1}`, 'spare', `spare${pairs - 1}`, mtu);
    return {
      port,
      arena,
      allocator,
      prefix: PREFIX,
      send: (first, count, octets) => peer.send({ prefix: PREFIX, first, count, octets, every: 50, pause: 0.0005 }),
      collect: async (count, seconds) => (await peer.receive(count, seconds)).map(({ octets }) => octets),
      address: () => undefined,
      setLink: async (up) => {
        ip(`link set dev ${here} ${up ? 'up' : 'down'}`);
        await eventually(`${here} ${up ? 'up' : 'down'}`, () => isUp(here) === up);
        port.setUp(up);
      },
      lostOnTheWay: () => backlogDrops() + ringDrops(namespace, there),
      release: async () => {
        releaseAfXdp(allocator, description);
        await peer.close();
      },
    };
  };
  portSuite({
    name,
    open: openHarness,
    cycle: () => close(...open(`spare${pairs - 1}`)),
    sizes,
    tooLong,
    flood: 30_000,
  });
}

suiteOf('AF_XDP in the driver', 1500, true, [60, 64, 128, 1000, 1514], 1519);
suiteOf('AF_XDP in generic code, MTU 9216', 9216, false, [60, 64, 128, 1000, 1514, 3838], 3843);

test('a frame that is larger than a chunk is lost and counted', async () => {
  const { here, peer } = await connect(9216);
  const [port, description] = open(here);
  await peer.send({ prefix: PREFIX, first: 0, count: 3, octets: 5000 });
  await peer.send({ prefix: PREFIX, first: 3, count: 2, octets: 1000 });
  assert.equal(await receiveAll(port, 2, () => undefined), 2);
  await eventually('three counted', () => port.counters.receiveOverruns === 3);
  close(port, description);
  await peer.close();
});

describe('what a sender on this host leaves unfinished', () => {
  for (const protocol of ['TCP', 'UDP'] as const) {
    it(`the checksum of ${protocol} is finished`, async () => {
      const { here, there, namespace, peer } = await connect(1500);
      ip(`-n ${namespace} address add 192.0.2.2/24 dev ${there}`);
      ip(`-n ${namespace} neighbour add 192.0.2.1 lladdr 02:00:00:00:00:01 dev ${there} nud permanent`);
      const [port, description] = open(here);
      const kind = protocol === 'TCP' ? 'SOCK_STREAM' : 'SOCK_DGRAM';
      const program = [
        'import socket',
        `s = socket.socket(socket.AF_INET, socket.${kind})`,
        's.setblocking(False)',
        "s.connect_ex(('192.0.2.1', 9))",
        protocol === 'UDP' ? "s.send(b'x' * 333)" : '',
      ].join('\n');
      const sent = python(namespace, program);
      let seen = 0;
      await receiveAll(port, 1, (batch) => {
        for (let index = 0; index < batch.length; index++) {
          const { start, end } = batch.frames[index]!;
          if (!findTransport(arena.bytes, start, end)) continue;
          seen += 1;
          const sum = checksumAddWords(
            arena.bytes,
            arena.words,
            transport.start,
            transport.end,
            transport.pseudoHeaderSum,
          );
          assert.equal(checksumFinish(sum), 0);
        }
      });
      await sent;
      assert.ok(seen > 0);
      close(port, description);
      await peer.close();
    });
  }
});

test('a device that is deleted while it is open is survived, and its successor can be opened', async () => {
  const { here, peer } = await connect(1500);
  const [port, description] = open(here);
  await peer.send({ prefix: PREFIX, first: 0, count: 3, octets: 100 });
  assert.equal(await receiveAll(port, 3, () => undefined), 3);
  ip(`link delete dev ${here}`);

  assert.equal(port.receive(new FrameBatch()), 0);
  const at = allocator.allocate(4096)!;
  const batch = new FrameBatch();
  batch.push(placeFrame(arena, at, numbered(PREFIX, 0, 100)));
  const refused: number[] = [];
  port.transmit(batch, (_, why) => refused.push(why));
  assert.deepEqual(refused, [Drop.portDown], 'refused by errno, before the watcher said so');
  close(port, description);
  allocator.release(at, 4096);
  await peer.close();

  const second = await connect(1500);
  ip(`link set dev ${second.here} down`);
  ip(`link set dev ${second.here} name again`);
  ip('link set dev again up');
  const [successor, successorDescription] = open('again');
  await second.peer.send({ prefix: PREFIX, first: 0, count: 3, octets: 100 });
  assert.equal(await receiveAll(successor, 3, () => undefined), 3);
  close(successor, successorDescription);
  await second.peer.close();
});

test('every receive queue of a device is served, and each flow stays in order', async () => {
  const { here, there, namespace, peer } = await connect(1500);
  run('ethtool', '-L', here, 'rx', '2', 'tx', '2');
  ip(`netns exec ${namespace} ethtool -L ${there} rx 2 tx 2`);
  const [port, description] = open(here);
  assert.equal(description.descriptors.length, 2);
  // Datagrams of many flows: the kernel of the other side spreads them over its transmit queues.
  ip(`-n ${namespace} address add 192.0.2.2/24 dev ${there}`);
  ip(`-n ${namespace} neighbour add 192.0.2.1 lladdr 02:00:00:00:00:01 dev ${there} nud permanent`);
  const program = [
    'import socket, struct',
    'flows = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(64)]',
    'for number in range(20):',
    "    for flow in flows: flow.sendto(struct.pack('>I', number), ('192.0.2.1', 9))",
  ].join('\n');
  const sent = python(namespace, program);
  const expected = new Map<number, number>();
  let inOrder = 0;
  await receiveAll(port, 64 * 20, (batch) => {
    const view = new DataView(arena.buffer);
    for (let index = 0; index < batch.length; index++) {
      const { start, end } = batch.frames[index]!;
      if (!findTransport(arena.bytes, start, end)) continue;
      const source = view.getUint16(transport.start);
      const number = view.getUint32(transport.start + 8);
      assert.equal(number, expected.get(source) ?? 0);
      expected.set(source, number + 1);
      inOrder += 1;
    }
  });
  await sent;
  assert.equal(inOrder, 64 * 20);
  close(port, description);
  await peer.close();
});

test('a device that has a program of somebody else is refused with its name, and nothing is held', async () => {
  const { here, peer } = await connect(1500);
  const [port, description] = open(here);
  const before = allocator.allocate(ARENA_OCTETS / 2)!;
  allocator.release(before, ARENA_OCTETS / 2);
  assert.throws(
    () => open(here),
    (error) => (error as NodeJS.ErrnoException).code === 'EBUSY' && (error as Error).message.includes(here),
  );
  assert.equal(allocator.allocate(ARENA_OCTETS / 2), before);
  allocator.release(before, ARENA_OCTETS / 2);
  close(port, description);
  await peer.close();
});

test('a missing privilege is named', async () => {
  const { here, peer } = await connect(1500);
  const module = (name: string): string => JSON.stringify(new URL(`../../src/${name}.js`, import.meta.url).href);
  const script = `
    import { loadAddon } from ${module('native/addon')};
    import { ArenaAllocator } from ${module('packet/arena')};
    import { openAfXdp } from ${module('port/af-xdp')};
    const { addon } = loadAddon();
    const octets = 64 << 20;
    const options = { index: 1, name: 'x', device: '${here}' };
    try { openAfXdp(addon, addon.arenaCreate(octets), new ArenaAllocator(octets), options); console.log('open'); }
    catch (error) { console.log(error.message); }`;
  const withCapabilities = (list: string): string =>
    run(
      'setpriv',
      `--bounding-set=${list}`,
      `--inh-caps=${list}`,
      process.execPath,
      '--input-type=module',
      '-e',
      script,
    );
  assert.match(withCapabilities('-all,+net_admin,+net_raw,+ipc_lock'), /not permitted; AF_XDP needs .*CAP_BPF/);
  assert.match(withCapabilities('-all,+net_admin,+net_raw,+bpf'), /cannot be pinned without CAP_IPC_LOCK|open/);
  assert.match(withCapabilities('-all,+net_admin,+net_raw,+bpf,+ipc_lock'), /open/);
  await peer.close();
});

test('the program leaves the device with the port', async () => {
  const { here, peer } = await connect(1500);
  const [port, description] = open(here);
  const hasProgram = (): boolean => ip(`link show dev ${here}`).includes('xdp');
  assert.equal(hasProgram(), true);
  close(port, description);
  await eventually('no program', () => !hasProgram());
  await peer.close();
});

test('what AF_XDP cannot do on a device is said with its remedy', () => {
  const offloads = { bus: '', active: [] };
  assert.deepEqual(xdpWarnings('eth1', { mtu: 1500, queues: 4, offloads }), []);
  const all = xdpWarnings('eth1', { mtu: 9000, queues: 64, offloads: { bus: '', active: ['rx-vlan-hw-parse'] } });
  assert.equal(all.length, 3);
  for (const warning of all) assert.match(warning, /fix: (ip|ethtool) .*eth1/);
});
