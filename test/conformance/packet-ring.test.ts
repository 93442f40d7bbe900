// The packet ring over veth pairs: here (the port) and there (a kernel socket in another namespace).
//
//   this namespace                       namespace of the peer
//   port ── AF_PACKET ── here ──veth── there ── AF_PACKET or the kernel's own stack

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, before, describe, it, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Drop, DROP_NAMES } from '../../src/core/drop-reason.ts';
import { loadAddon } from '../../src/native/addon.ts';
import { Arena, ArenaAllocator } from '../../src/packet/arena.ts';
import { type Frame, FrameBatch, Gso } from '../../src/packet/frame.ts';
import {
  openPacketRing,
  type PacketRingDescription,
  PacketRingPort,
  releasePacketRing,
} from '../../src/port/packet-ring.ts';
import { addVeth, eventually, ip, python, run } from '../lib/namespace.ts';
import { numbered, numberOf, PacketPeer } from '../lib/packet-peer.ts';
import { type Harness, octetsOf, placeFrame, portSuite, receiveAll } from './port-suite.ts';

const loaded = loadAddon();
assert.ok(loaded.addon !== undefined, loaded.addon === undefined ? loaded.reason : '');
const { addon } = loaded;
const ARENA_OCTETS = 2 ** 30;
const arenaHandle = addon.arenaCreate(ARENA_OCTETS);
const arena = new Arena(addon.arenaBuffer(arenaHandle));
const allocator = new ArenaAllocator(ARENA_OCTETS);
const now = (): number => performance.now();

const PREFIX = Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5]);

const open = (device: string, index = 1, blocks = 8): [PacketRingPort, PacketRingDescription] => {
  const description = openPacketRing(addon, arenaHandle, allocator, { index, name: device, device, blocks });
  return [new PacketRingPort(addon, structuredClone(description), now), description];
};
const close = (port: PacketRingPort, description: PacketRingDescription): void => {
  port.close();
  releasePacketRing(allocator, description);
};

/** Frames that found a processor's backlog full: they never reached a socket. */
const backlogDrops = (): number =>
  readFileSync('/proc/net/softnet_stat', 'utf8')
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number.parseInt(line.split(/\s+/)[1]!, 16), 0);

const isUp = (device: string): boolean => (addon.deviceQuery(device).flags & 0x41) === 0x41;

let pairs = 0;
const peers: PacketPeer[] = [];
// Of a test that failed too: a process that is left would keep the file from its end.
after(() => Promise.all(peers.map((peer) => peer.close())));

/** A veth pair with a peer at its other end. */
async function connect(mtu: number, prepare: (here: string, there: string, namespace: string) => void) {
  const id = pairs++;
  const [here, there, namespace] = [`here${id}`, `there${id}`, `peer${id}`];
  addVeth(here, there, namespace, mtu);
  prepare(here, there, namespace);
  const peer = new PacketPeer(namespace, 'ethernet', there);
  peers.push(peer);
  await peer.ready;
  return { here, there, namespace, peer };
}

function suiteOf(name: string, mtu: number, prepare: (here: string, there: string, namespace: string) => void): void {
  const openHarness = async (): Promise<Harness> => {
    const { here, peer } = await connect(mtu, prepare);
    const [port, description] = open(here);
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
      },
      lostOnTheWay: backlogDrops,
      release: async () => {
        releasePacketRing(allocator, description);
        await peer.close();
      },
    };
  };
  portSuite({
    name,
    open: openHarness,
    cycle: () => close(...open(`here${pairs - 1}`)),
    sizes: [60, 64, 128, 1000, mtu + 14],
    tooLong: mtu + 19,
    flood: 30_000,
  });
}

suiteOf('packet ring, offloads on', 1500, () => undefined);
suiteOf('packet ring, offloads off', 1500, (here, there, namespace) => {
  run('ethtool', '-K', here, 'tx', 'off', 'gso', 'off', 'tso', 'off', 'gro', 'off', 'rxvlan', 'off', 'txvlan', 'off');
  ip(`netns exec ${namespace} ethtool -K ${there} tx off gso off tso off gro off rxvlan off txvlan off`);
});
suiteOf('packet ring, MTU 9216', 9216, () => undefined);

describe('what a packet ring knows of a frame', () => {
  let port: PacketRingPort;
  let description: PacketRingDescription;
  let link: Awaited<ReturnType<typeof connect>>;
  before(async () => {
    link = await connect(1500, () => undefined);
    [port, description] = open(link.here);
  });
  after(async () => {
    close(port, description);
    await link.peer.close();
  });

  /** The frames that come, as they are seen while valid, from each of the two receivers. */
  const inBothWays = async (
    send: () => Promise<unknown>,
    count: number,
    see: (frame: Frame) => void,
  ): Promise<void> => {
    for (const lowLatency of [true, false]) {
      addon.ringSetLowLatency(description.handle, lowLatency);
      await receiveAll(port, Infinity, () => undefined, 100);
      const sent = send();
      let seen = 0;
      const visit = (batch: FrameBatch): void => {
        for (let index = 0; index < batch.length; index++, seen++) see(batch.frames[index]!);
      };
      await receiveAll(port, count, visit, 5000);
      await sent;
      assert.equal(seen, count);
    }
  };

  it('restores the VLAN tag that the kernel took off', async () => {
    const tagged = [0x8100, 0x88a8].map((tpid) =>
      Uint8Array.from([
        ...PREFIX.subarray(0, 12),
        tpid >> 8,
        tpid & 255,
        0x60,
        0x05,
        0x88,
        0xb5,
        ...new Array<number>(60),
      ]),
    );
    const seen: number[][] = [];
    await inBothWays(
      () => link.peer.sendOctets(tagged),
      2,
      (frame) => {
        seen.push([frame.vlanTpid, frame.vlanTci, frame.end - frame.start]);
        assert.deepEqual(octetsOf(arena, frame).subarray(0, 14), PREFIX);
      },
    );
    const expected = [
      [0x8100, 0x6005, 74],
      [0x88a8, 0x6005, 74],
    ];
    assert.deepEqual(seen, [...expected, ...expected]);
  });

  it('sends a tag that stands in the octets, at full MTU too', async () => {
    const frame = new Uint8Array(1518).fill(7);
    frame.set([...PREFIX.subarray(0, 12), 0x81, 0x00, 0x00, 0x2a, 0x88, 0xb5]);
    const batch = new FrameBatch();
    const at = allocator.allocate(4096)!;
    batch.push(placeFrame(arena, at, frame));
    port.transmit(batch, (_, why) => assert.fail(DROP_NAMES[why]));
    const [received] = await link.peer.receive(1);
    // The peer's socket, too, gets the tag beside the octets.
    assert.deepEqual(received?.octets, Uint8Array.from([...frame.subarray(0, 12), ...frame.subarray(16)]));
    allocator.release(at, 4096);
  });

  it('announces unfinished checksums and super-frames of the kernel', async () => {
    ip(`-n ${link.namespace} address add 10.77.0.2/24 dev ${link.there}`);
    ip(`-n ${link.namespace} neighbour add 10.77.0.1 lladdr 02:00:00:00:00:77 dev ${link.there}`);
    const program = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b'u' * 100, ('10.77.0.1', 9))
s.setsockopt(17, 103, 1000)
s.sendto(b'g' * 3500, ('10.77.0.1', 9))
`;
    const seen: string[] = [];
    await inBothWays(
      () => python(link.namespace, program),
      2,
      (frame) => {
        seen.push(
          [
            frame.end - frame.start,
            frame.checksumStart - frame.start,
            frame.checksumOffset,
            frame.gsoType === Gso.udpL4 ? 'udp-l4' : frame.gsoType,
            frame.gsoSize,
            frame.truncatedFrom,
          ].join(' '),
        );
      },
    );
    const expected = ['142 34 6 0 0 0', '3542 34 6 udp-l4 1000 0'];
    assert.deepEqual(seen, [...expected, ...expected]);
  });
});

/** Forwards between two rings until stopped; what it saw. */
class Forwarder {
  superFrames = 0;
  partialChecksums = 0;
  refused = 0;
  readonly #ports: readonly [PacketRingPort, PacketRingPort];
  #running = true;
  readonly done: Promise<void>;

  constructor(ports: readonly [PacketRingPort, PacketRingPort]) {
    this.#ports = ports;
    this.done = this.#loop();
  }

  stop(): Promise<void> {
    this.#running = false;
    return this.done;
  }

  async #loop(): Promise<void> {
    const batch = new FrameBatch();
    while (this.#running) {
      for (const [index, port] of this.#ports.entries()) {
        batch.clear();
        port.receive(batch);
        for (const frame of batch.frames.slice(0, batch.length)) {
          if (frame.gsoType !== Gso.none) this.superFrames += 1;
          if (frame.checksumStart !== 0) this.partialChecksums += 1;
        }
        this.#ports[1 - index]!.transmit(batch, () => (this.refused += 1));
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

const TCP_OCTETS = 20_000_000;
const SERVER = `
import socket, hashlib
l = socket.create_server(('10.78.0.2', 5001)); print('ready', flush=True)
c, _ = l.accept(); h = hashlib.sha256(); n = 0
while True:
    d = c.recv(1 << 20)
    if not d: break
    h.update(d); n += len(d)
c.close(); print(n, h.hexdigest())
`;
const CLIENT = `
import socket
s = socket.create_connection(('10.78.0.2', 5001), timeout=20)
s.sendall(bytes(i % 251 for i in range(100000)) * ${TCP_OCTETS / 100_000})
s.close()
`;

for (const offloads of ['on', 'off']) {
  test(`a TCP transfer between two kernels passes two rings, offloads ${offloads}`, async () => {
    const ends = [
      ['left', 'tcp-client', '10.78.0.1/24'],
      ['right', 'tcp-server', '10.78.0.2/24'],
    ] as const;
    for (const [device, namespace, address] of ends) {
      addVeth(device, 'eth0', namespace);
      ip(`-n ${namespace} address add ${address} dev eth0`);
      if (offloads === 'off') ip(`netns exec ${namespace} ethtool -K eth0 tx off gso off tso off`);
    }
    const [left, leftDescription] = open('left', 1, 32);
    const [right, rightDescription] = open('right', 2, 32);
    const forwarder = new Forwarder([left, right]);
    const served = python('tcp-server', SERVER);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await python('tcp-client', CLIENT);
    const [, result] = (await served).trim().split('\n');
    await forwarder.stop();
    const block = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251));
    const hash = createHash('sha256');
    for (let index = 0; index < TCP_OCTETS / 100_000; index++) hash.update(block);
    assert.equal(result, `${TCP_OCTETS} ${hash.digest('hex')}`);
    assert.equal(forwarder.superFrames > 0, offloads === 'on');
    assert.equal(forwarder.partialChecksums > 0, offloads === 'on');
    close(left, leftDescription);
    close(right, rightDescription);
    for (const [device, namespace] of ends) {
      ip(`link delete dev ${device}`);
      ip(`netns delete ${namespace}`);
    }
  });
}

test('switching between the receivers under load loses, doubles and reorders nothing', async () => {
  const { here, peer } = await connect(1500, () => undefined);
  const [port, description] = open(here, 1, 32);
  const count = 150_000;
  const sent = peer.send({ prefix: PREFIX, first: 0, count, octets: 100 });
  let expected = 0;
  let batches = 0;
  let switches = 0;
  let lowLatency = false;
  const total = await receiveAll(
    port,
    count,
    (batch) => {
      for (let index = 0; index < batch.length; index++) {
        assert.equal(numberOf(octetsOf(arena, batch.frames[index]!), PREFIX.length), expected);
        expected += 1;
      }
      if (batch.length === 0 || ++batches % 20 !== 0) return;
      lowLatency = !lowLatency;
      switches += 1;
      addon.ringSetLowLatency(description.handle, lowLatency);
    },
    2000,
  );
  await sent;
  assert.equal(total, count);
  assert.equal(port.counters.receiveOverruns, 0);
  assert.ok(switches > 10, `${switches} switches`);
  close(port, description);
  await peer.close();
});

test('the policy goes to blocks under load and comes back when it is quiet', async () => {
  const { here, peer } = await connect(1500, () => undefined);
  const [port, description] = open(here, 1, 32);
  assert.equal(port.lowLatency, true);
  await peer.send({ prefix: PREFIX, first: 0, count: 5000, octets: 100 });
  let wentToBlocks = false;
  const total = await receiveAll(port, 5000, () => (wentToBlocks ||= !port.lowLatency));
  assert.equal(total, 5000);
  assert.ok(wentToBlocks);
  // Twenty milliseconds of calm are enough; a loaded machine may give us none for a while.
  const isCalm = (): boolean => port.lowLatency;
  const deadline = performance.now() + 3000;
  while (!isCalm() && performance.now() < deadline) await receiveAll(port, 1, () => undefined, 100);
  assert.equal(port.lowLatency, true);
  close(port, description);
  await peer.close();
});

test('a ring that is opened here works in a worker thread, which an event ends from its wait', async () => {
  const { here, peer } = await connect(1500, () => undefined);
  const description = openPacketRing(addon, arenaHandle, allocator, { index: 1, name: here, device: here });
  const stop = addon.eventOpen();
  const worker = new Worker(new URL('../support/echo-worker.js', import.meta.url), {
    workerData: { description, stop },
  });
  const finished = once(worker, 'message');
  await peer.send({ prefix: PREFIX, first: 0, count: 300, octets: 80, every: 50, pause: 0.01 });
  const echoed = await peer.receive(300);
  assert.deepEqual(
    echoed.map(({ octets }) => numberOf(octets, PREFIX.length)),
    Array.from({ length: 300 }, (_, index) => index),
  );
  addon.eventSignal(stop);
  assert.deepEqual((await finished)[0], { echoed: 300, refused: 0 });
  addon.closeDescriptor(stop);
  releasePacketRing(allocator, description);
  await peer.close();
});

test('a device that is deleted while it is open is survived, and its successor can be opened', async () => {
  const { here, peer } = await connect(1500, () => undefined);
  const [port, description] = open(here);
  await peer.send({ prefix: PREFIX, first: 0, count: 3, octets: 100 });
  assert.equal(await receiveAll(port, 3, () => undefined), 3);
  ip(`link delete dev ${here}`);

  const batch = new FrameBatch();
  assert.equal(port.receive(batch), 0);
  const at = allocator.allocate(4096)!;
  batch.push(placeFrame(arena, at, numbered(PREFIX, 0, 100)));
  const refused: number[] = [];
  port.transmit(batch, (_, why) => refused.push(why));
  assert.deepEqual(refused, [Drop.portDown], 'refused by errno, before the watcher said so');
  // An error that is pending on the socket must not make every wait return at once.
  const descriptors = Int32Array.from(port.descriptors.flatMap((descriptor) => [descriptor, 0]));
  addon.wait(descriptors, port.descriptors.length, 0, 0);
  port.receive(new FrameBatch());
  assert.equal(addon.wait(descriptors, port.descriptors.length, 20, 0), 0);
  close(port, description);
  allocator.release(at, 4096);
  await peer.close();

  const second = await connect(1500, (there) => ip(`link set dev ${there} name again`));
  const [successor, successorDescription] = open('again');
  await second.peer.send({ prefix: PREFIX, first: 0, count: 3, octets: 100 });
  assert.equal(await receiveAll(successor, 3, () => undefined), 3);
  close(successor, successorDescription);
  await second.peer.close();
});

test('a device that does not exist is refused with its name and the errno, and nothing is held', () => {
  const before = allocator.allocate(ARENA_OCTETS / 2)!;
  allocator.release(before, ARENA_OCTETS / 2);
  assert.throws(
    () => open('absent0'),
    (error) => (error as NodeJS.ErrnoException).code === 'ENODEV' && (error as Error).message.includes('absent0'),
  );
  assert.equal(allocator.allocate(ARENA_OCTETS / 2), before);
  allocator.release(before, ARENA_OCTETS / 2);
});
