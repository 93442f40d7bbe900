// The UDP underlay over a veth pair: here (the port) and there (a kernel's UDP socket in another namespace).

import assert from 'node:assert/strict';
import { after, before, describe, it, test } from 'node:test';
import { readFileSync } from 'node:fs';
import { parseAddress } from '../../src/core/address.ts';
import { DROP_NAMES } from '../../src/core/drop-reason.ts';
import { loadAddon } from '../../src/native/addon.ts';
import { Arena, ArenaAllocator } from '../../src/packet/arena.ts';
import { type Frame, FrameBatch, Gso, HEADROOM_OCTETS } from '../../src/packet/frame.ts';
import { FramePool, poolOctets } from '../../src/packet/pool.ts';
import { segment } from '../../src/packet/segment.ts';
import {
  openUdpPort,
  releaseUdpPort,
  type UdpPortDescription,
  UdpPort,
  type UdpPortOptions,
} from '../../src/port/udp.ts';
import { addVeth, ip, run } from '../lib/namespace.ts';
import { numbered, numberOf, PacketPeer } from '../lib/packet-peer.ts';
import { transportFrame, type TransportFields } from '../support/transport-frames.ts';
import { type Harness, octetsOf, placeFrame, portSuite, receiveAll } from './port-suite.ts';

const loaded = loadAddon();
assert.ok(loaded.addon !== undefined, loaded.addon === undefined ? loaded.reason : '');
const { addon } = loaded;
const ARENA_OCTETS = 2 ** 30;
const arenaHandle = addon.arenaCreate(ARENA_OCTETS);
const arena = new Arena(addon.arenaBuffer(arenaHandle));
const allocator = new ArenaAllocator(ARENA_OCTETS);
const now = (): number => performance.now();
const PORT = 4789;
const NONE = new Uint8Array(0);
const NONE8 = new Uint8Array(8);
const POOL = { smallSlots: 128, largeSlots: 0 };
const FIELDS: TransportFields = {
  family: 4,
  protocol: 'tcp',
  tags: [],
  ipOptions: NONE,
  identification: 0xfffe,
  sequence: 0xfffff000,
  flags: 0x10,
  tcpOptions: NONE,
  payload: NONE,
  checksum: 'partial',
};

const open = (options: Partial<UdpPortOptions> & Pick<UdpPortOptions, 'family' | 'localAddress'>) => {
  const whole = { index: 2, name: 'underlay', localPort: PORT, checksum: true, sourceSockets: 4, ...options };
  const description = openUdpPort(addon, arenaHandle, allocator, whole);
  const port = new UdpPort(addon, structuredClone(description), now);
  return [port, description] as const;
};
const close = (port: UdpPort, description: UdpPortDescription): void => {
  port.close();
  releaseUdpPort(allocator, description);
};

const backlogDrops = (): number =>
  readFileSync('/proc/net/softnet_stat', 'utf8')
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number.parseInt(line.split(/\s+/)[1]!, 16), 0);

/** Sends to an address. */
function aim(frame: Frame, text: string, port = PORT): void {
  const { words } = parseAddress(text)!;
  [frame.outer0, frame.outer1, frame.outer2, frame.outer3] = words;
  frame.outerPort = port;
}

let pairs = 0;
/** A veth pair with addresses of the family, and a peer at its other end. */
async function connect(family: 4 | 6, mtu: number) {
  const id = pairs++;
  const [here, there, namespace] = [`here${id}`, `there${id}`, `peer${id}`];
  addVeth(here, there, namespace, mtu);
  const [local, remote, length, flag] =
    family === 4 ? [`10.9.${id}.1`, `10.9.${id}.2`, 24, ''] : [`fd00:9:${id}::1`, `fd00:9:${id}::2`, 64, ' nodad'];
  if (family === 6) {
    run('sysctl', '-qw', `net.ipv6.conf.${here}.disable_ipv6=0`);
    ip(`netns exec ${namespace} sysctl -qw net.ipv6.conf.${there}.disable_ipv6=0`);
  }
  ip(`address add ${local}/${length} dev ${here}${flag}`);
  ip(`-n ${namespace} address add ${remote}/${length} dev ${there}${flag}`);
  const peer = new PacketPeer(namespace, 'udp', remote, String(PORT));
  await peer.ready;
  return { here, there, namespace, local, remote, peer };
}

function suiteOf(name: string, family: 4 | 6, mtu: number, checksum: boolean): void {
  const maximum = mtu - (family === 4 ? 28 : 48);
  let local = '';
  portSuite({
    name,
    open: async (): Promise<Harness> => {
      const link = await connect(family, mtu);
      local = link.local;
      const { peer, remote, here } = link;
      const [port, description] = open({ family, localAddress: local, checksum, mtu });
      return {
        port,
        arena,
        allocator,
        prefix: NONE,
        send: (first, count, octets) => peer.send({ first, count, octets, to: local, port: PORT }),
        collect: async (count, seconds) => (await peer.receive(count, seconds)).map(({ octets }) => octets),
        address: (frame) => {
          aim(frame, remote);
          frame.flowHash = 0;
        },
        setLink: (up) => {
          ip(`link set dev ${here} ${up ? 'up' : 'down'}`);
          if (up && family === 6) ip(`address replace ${local}/64 dev ${here} nodad`);
          port.setUp(up);
          return Promise.resolve();
        },
        lostOnTheWay: backlogDrops,
        release: async () => {
          releaseUdpPort(allocator, description);
          await peer.close();
        },
      };
    },
    cycle: () => close(...open({ family, localAddress: local, localPort: 4790, checksum })),
    sizes: [4, 64, 128, 1000, maximum],
    tooLong: maximum + 1,
    flood: 40_000,
  });
}

suiteOf('UDP port, IPv4', 4, 1500, true);
suiteOf('UDP port, IPv4, without checksums', 4, 1500, false);
suiteOf('UDP port, IPv4, MTU 9216', 4, 9216, true);
suiteOf('UDP port, IPv6', 6, 1500, true);

describe('what a UDP port does beyond the contract', () => {
  let link: Awaited<ReturnType<typeof connect>>;
  let port: UdpPort;
  let description: UdpPortDescription;
  let scratch: number;
  before(async () => {
    link = await connect(4, 1500);
    [port, description] = open({
      family: 4,
      localAddress: link.local,
      sourceSockets: 8,
      sourcePorts: { min: 50_000, max: 50_079 },
      mtu: 1500,
    });
    scratch = allocator.allocate(4 << 20)!;
  });
  after(async () => {
    close(port, description);
    await link.peer.close();
  });

  const batchOf = (sizes: readonly number[], prepare: (frame: Frame, index: number) => void): FrameBatch => {
    const batch = new FrameBatch();
    for (const [index, octets] of sizes.entries()) {
      const frame = placeFrame(arena, scratch + index * 4096, numbered(NONE, index, octets));
      aim(frame, link.remote);
      prepare(frame, index);
      batch.push(frame);
    }
    return batch;
  };

  it('splits what the kernel joined, without copying: only the first of a buffer has room in front', async () => {
    await link.peer.sendSegments({ first: 0, count: 40, octets: 1000, short: 300, to: link.local, port: PORT });
    let joined = 0;
    let number = 0;
    const total = await receiveAll(port, 40, (batch) => {
      for (let index = 0; index < batch.length; index++, number++) {
        const frame = batch.frames[index]!;
        if (frame.headroomStart === frame.start) joined += 1;
        else assert.equal(frame.start - frame.headroomStart, HEADROOM_OCTETS);
        arena.bytes.fill(0xee, frame.headroomStart, frame.start);
        const expected = numbered(NONE, number, 1000).subarray(0, number === 39 ? 700 : 1000);
        assert.deepEqual(octetsOf(arena, frame), expected);
      }
    });
    assert.equal(total, 40);
    assert.equal(joined, 39, 'the kernel did not join them: this test proves nothing');
  });

  it('says who sent a datagram and by which TOS', async () => {
    await link.peer.send({ first: 0, count: 1, octets: 10, to: link.local, port: PORT });
    await receiveAll(port, 1, (batch) => {
      if (batch.length === 0) return;
      const frame = batch.frames[0]!;
      assert.equal(frame.outer3, parseAddress(link.remote)!.words[3]);
      assert.equal(frame.outerPort, PORT);
      assert.equal(frame.outerTos, 0);
    });
  });

  it('sends by the TOS of each frame, and each flow from one port of the range', async () => {
    const flows = 64;
    const sizes = new Array<number>(256).fill(90);
    port.transmit(
      batchOf(sizes, (frame, index) => {
        frame.flowHash = Math.imul(index % flows, 0x9e3779b1);
        frame.outerTos = index % flows < 32 ? 0xb8 : 0;
      }),
      (_, why) => assert.fail(DROP_NAMES[why]),
    );
    const received = await link.peer.receive(sizes.length);
    assert.equal(received.length, sizes.length);
    const ports = new Map<number, number>();
    const last = new Map<number, number>();
    for (const { octets, port: source, tos } of received) {
      const number = numberOf(octets, 0);
      const flow = number % flows;
      assert.equal(tos, flow < 32 ? 0xb8 : 0);
      assert.equal(ports.get(flow) ?? source, source, 'a flow changed its port');
      assert.ok((last.get(flow) ?? -1) < number, 'a flow was reordered');
      ports.set(flow, source);
      last.set(flow, number);
    }
    const used = new Set(ports.values());
    assert.equal(used.size, 8);
    assert.deepEqual(
      [...used].sort((a, b) => a - b),
      description.sourcePorts,
    );
    assert.ok(description.sourcePorts.every((source) => source >= 50_000 && source <= 50_079));
  });

  it('sends unequal sizes and refuses the one that is too long among them', async () => {
    const sizes = [500, 500, 500, 200, 500, 500, 1473, 500, 1472, 1472, 100, 100];
    const refused: string[] = [];
    port.transmit(
      batchOf(sizes, (frame) => (frame.flowHash = 0)),
      (frame, why) => refused.push(`${numberOf(octetsOf(arena, frame), 0)} ${DROP_NAMES[why]!}`),
    );
    assert.deepEqual(refused, ['6 transmit-too-long']);
    const received = await link.peer.receive(sizes.length - 1);
    assert.deepEqual(
      received.map(({ octets }) => octets.length),
      sizes.filter((octets) => octets !== 1473),
    );
  });

  it('cuts super-frames behind a tunnel header as they are cut before it', async () => {
    const HEADER = Uint8Array.from([8, 0, 0, 0, 0, 0, 100, 0]);
    const pool = new FramePool(arena, allocator.allocate(poolOctets(POOL))!, POOL);
    const kinds = [
      {
        gsoType: Gso.tcp4,
        family: 4,
        protocol: 'tcp',
        flags: 0x99,
        tcpOptions: Uint8Array.from([1, 1, 8, 10, ...NONE8]),
      },
      { gsoType: Gso.tcp4, family: 4, protocol: 'tcp', ipOptions: Uint8Array.from([1, 1, 1, 1]), tags: [[0x8100, 7]] },
      { gsoType: Gso.tcp6, family: 6, protocol: 'tcp' },
      { gsoType: Gso.udpL4, family: 4, protocol: 'udp' },
      { gsoType: Gso.udpL4, family: 6, protocol: 'udp' },
    ] as const;
    for (const { gsoType, ...kind } of kinds) {
      for (const octets of [1001, 4000, 61_000]) {
        const payload = new Uint8Array(octets).map((_, index) => index * 31 + (index >> 8));
        const fields = { ...FIELDS, ...kind, payload, checksum: 'partial' } as TransportFields;
        const { octets: inner, transportAt } = transportFrame(fields);
        const frame = placeFrame(arena, scratch, Uint8Array.from([...HEADER, ...inner]));
        const start = frame.start + HEADER.length;
        Object.assign(frame, { start, gsoType, gsoSize: 1000, checksumStart: start + transportAt, checksumOffset: 16 });
        const expected = new FrameBatch();
        assert.equal(segment(pool, frame, expected), 0);
        Object.assign(frame, { start: start - HEADER.length, innerStart: start, flowHash: 0 });
        aim(frame, link.remote);
        const batch = new FrameBatch();
        batch.push(frame);
        port.transmit(batch, (_, why) => assert.fail(DROP_NAMES[why]));
        const received = await link.peer.receive(expected.length);
        assert.equal(received.length, Math.ceil(octets / 1000));
        for (const [index, datagram] of received.entries()) {
          const part = octetsOf(arena, expected.frames[index]!);
          assert.deepEqual(datagram.octets, Uint8Array.from([...HEADER, ...part]), `${gsoType}, segment ${index}`);
          pool.release(expected.frames[index]!);
        }
      }
    }
  });

  it('refuses what has no route', () => {
    const refused: string[] = [];
    port.transmit(
      batchOf([100], (frame) => aim(frame, '203.0.113.1')),
      (_, why) => refused.push(DROP_NAMES[why]!),
    );
    assert.deepEqual(refused, ['no-route']);
  });

  it('takes no notice of what is sent to its source ports', async () => {
    const to = description.sourcePorts[0]!;
    await link.peer.send({ first: 0, count: 200, octets: 1000, to: link.local, port: to });
    const batch = new FrameBatch();
    assert.equal(port.receive(batch), 0);
    const memory = /mem (\d+)/.exec(
      readFileSync('/proc/net/sockstat', 'utf8')
        .split('\n')
        .find((line) => line.startsWith('UDP:'))!,
    );
    assert.ok(Number(memory![1]) < 64, 'datagrams pile up at the source sockets');
  });

  it('works on when the address goes and comes back', async () => {
    ip(`address del ${link.local}/24 dev ${link.here}`);
    const refused: string[] = [];
    port.transmit(
      batchOf([100], () => undefined),
      (_, why) => refused.push(DROP_NAMES[why]!),
    );
    assert.equal(refused.length, 1);
    ip(`address add ${link.local}/24 dev ${link.here}`);
    port.transmit(
      batchOf([100], () => undefined),
      (_, why) => assert.fail(DROP_NAMES[why]),
    );
    assert.equal((await link.peer.receive(1)).length, 1);
    await link.peer.send({ first: 0, count: 5, octets: 100, to: link.local, port: PORT });
    assert.equal(await receiveAll(port, 5, () => undefined), 5);
  });
});

for (const family of [4, 6] as const) {
  test(`a multicast group of IPv${family} is received on its device, and by others no longer than it is open`, async () => {
    const link = await connect(family, 1500);
    const group = family === 4 ? '239.1.1.1' : 'ff05::100';
    const range = family === 4 ? '224.0.0.0/4' : 'ff00::/8';
    ip(
      `-n ${link.namespace} ${family === 6 ? '-6 ' : ''}route replace multicast ${range} dev ${link.there} table local`,
    );
    const members = (): string => ip(`maddress show dev ${link.here}`);
    const [port, description] = open({ family, localAddress: group, multicastDevice: link.here, isGroup: true });
    assert.ok(members().includes(group));
    assert.deepEqual(description.sourcePorts, []);
    await link.peer.send({ first: 0, count: 3, octets: 100, to: group, port: PORT });
    await link.peer.send({ first: 3, count: 1, octets: 100, to: link.local, port: PORT });
    const senders: number[] = [];
    await receiveAll(port, 3, (batch) => {
      for (let index = 0; index < batch.length; index++) senders.push(batch.frames[index]!.outer3);
    });
    assert.deepEqual(senders, new Array(3).fill(parseAddress(link.remote)!.words[3]), 'to the group alone');
    const refused: string[] = [];
    const batch = new FrameBatch();
    batch.push(placeFrame(arena, allocator.allocate(4096)!, numbered(NONE, 0, 100)));
    port.transmit(batch, (_, why) => refused.push(DROP_NAMES[why]!));
    assert.deepEqual(refused, ['transmit-error'], 'nothing is sent from it');
    close(port, description);
    assert.ok(!members().includes(group));
    await link.peer.close();
  });
}

test("an address that is not the host's, and a port that is taken, are refused by name", () => {
  assert.throws(
    () => open({ family: 4, localAddress: '192.0.2.99' }),
    (error) =>
      (error as NodeJS.ErrnoException).code === 'EADDRNOTAVAIL' && (error as Error).message.includes('192.0.2.99'),
  );
  const [port, description] = open({ family: 4, localAddress: '127.0.0.1' });
  assert.throws(() => open({ family: 4, localAddress: '127.0.0.1' }), { code: 'EADDRINUSE' });
  close(port, description);
});
