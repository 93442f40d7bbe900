// A TUN device: one side is the port, the other side the kernel, where a packet socket is the peer. What passes starts at the
// IP header.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DROP_NAMES } from '../../src/core/drop-reason.ts';
import { loadAddon } from '../../src/native/addon.ts';
import { Arena, ArenaAllocator } from '../../src/packet/arena.ts';
import { BURST, type Frame, FrameBatch, Gso } from '../../src/packet/frame.ts';
import { openTap, releaseTap, type TapDescription, TapPort } from '../../src/port/tap.ts';
import { ETHERNET_HEADER_OCTETS } from '../../src/wire/ethernet.ts';
import { eventually, ip, python, run } from '../lib/namespace.ts';
import { PacketPeer } from '../lib/packet-peer.ts';
import { transportFrame, type TransportFields } from '../support/transport-frames.ts';
import { type Harness, octetsOf, placeFrame, portSuite, receiveAll } from './port-suite.ts';

const loaded = loadAddon();
assert.ok(loaded.addon !== undefined, loaded.addon === undefined ? loaded.reason : '');
const { addon } = loaded;
const ARENA_OCTETS = 2 ** 29;
const arenaHandle = addon.arenaCreate(ARENA_OCTETS);
const arena = new Arena(addon.arenaBuffer(arenaHandle));
const allocator = new ArenaAllocator(ARENA_OCTETS);
const now = (): number => performance.now();

// An IPv4 header of protocol 253; packet sockets see what passes before anybody looks at its length and checksum.
const PREFIX = Uint8Array.from([0x45, 0, 0, 60, 0, 0, 0x40, 0, 64, 253, 0, 0, 10, 77, 0, 1, 10, 77, 0, 2]);

// The peers run in the namespace of this process, by a name of its own.
const HERE = 'here';
ip(`netns attach ${HERE} ${process.pid}`);

const open = (device: string): [TapPort, TapDescription] => {
  const options = { index: 1, name: device, device, kind: 'tun' } as const;
  const description = openTap(addon, arenaHandle, allocator, options);
  return [new TapPort(addon, structuredClone(description), now), description];
};
const close = (port: TapPort, description: TapDescription): void => {
  port.close();
  releaseTap(allocator, description);
};

const isUp = (device: string): boolean => (addon.deviceQuery(device).flags & 0x41) === 0x41;

/** Makes a device as `wideplane up` does: it stays when the port closes. */
function makeTun(device: string, mtu = 1500): void {
  ip(`tuntap add dev ${device} mode tun vnet_hdr`);
  // What the kernel sends by itself would stand among the packets of a test.
  run('sysctl', '-qw', `net.ipv6.conf.${device}.disable_ipv6=1`);
  ip(`link set dev ${device} mtu ${mtu} up`);
}

let devices = 0;

function suiteOf(name: string, mtu: number): void {
  let spare = '';
  portSuite({
    name,
    open: async (): Promise<Harness> => {
      const device = `tun${devices++}`;
      spare = `tun${devices++}`;
      makeTun(spare);
      makeTun(device, mtu);
      const [port, description] = open(device);
      await eventually('the carrier', () => isUp(device));
      const peer = new PacketPeer(HERE, 'ethernet', device);
      await peer.ready;
      return {
        port,
        arena,
        allocator,
        prefix: PREFIX,
        send: (first, count, octets) => peer.send({ prefix: PREFIX, first, count, octets }),
        collect: async (count, seconds) => (await peer.receive(count, seconds)).map(({ octets }) => octets),
        address: () => undefined,
        setLink: async (up) => {
          ip(`link set dev ${device} ${up ? 'up' : 'down'}`);
          await eventually(`${device} ${up ? 'up' : 'down'}`, () => isUp(device) === up);
          port.setUp(up);
        },
        lostOnTheWay: () => 0,
        release: async () => {
          releaseTap(allocator, description);
          await peer.close();
        },
      };
    },
    cycle: () => close(...open(spare)),
    sizes: [24, 64, 128, 1000, mtu],
    tooLong: mtu + 1,
    flood: 30_000,
  });
}

suiteOf('TUN', 1500);
suiteOf('TUN, MTU 9216', 9216);

const UDP: TransportFields = {
  family: 4,
  protocol: 'udp',
  tags: [],
  ipOptions: new Uint8Array(),
  identification: 0,
  sequence: 0,
  flags: 0x10,
  tcpOptions: new Uint8Array(),
  payload: new Uint8Array(100),
  checksum: 'complete',
};
const packetOf = (fields: TransportFields): Uint8Array => transportFrame(fields).octets.slice(ETHERNET_HEADER_OCTETS);

describe('what a TUN device knows of a packet', () => {
  const device = 'tunoff';
  let port: TapPort;
  let description: TapDescription;
  let peer: PacketPeer;
  let scratch: number;
  before(async () => {
    makeTun(device);
    [port, description] = open(device);
    await eventually('the carrier', () => isUp(device));
    ip(`address add 10.78.0.2/24 dev ${device}`);
    peer = new PacketPeer(HERE, 'ethernet', device);
    await peer.ready;
    scratch = allocator.allocate(BURST * 4096)!;
  });
  after(async () => {
    await peer.close();
    close(port, description);
  });

  it('announces unfinished checksums and super-frames of UDP', async () => {
    const program = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b'u' * 100, ('10.78.0.1', 9))
s.setsockopt(17, 103, 1000)
s.sendto(b'g' * 3500, ('10.78.0.1', 9))
`;
    const done = python(HERE, program);
    const seen: string[] = [];
    const note = (frame: Frame): void => {
      const { start, end, checksumStart, checksumOffset, gsoType, gsoSize } = frame;
      assert.equal(start & 3, 0);
      assert.equal(octetsOf(arena, frame)[0], 0x45);
      seen.push([end - start, checksumStart - start, checksumOffset, gsoType, gsoSize].join(' '));
    };
    await receiveAll(port, 2, ({ frames, length }) => frames.slice(0, length).forEach(note), 5000);
    await done;
    assert.deepEqual(seen, ['128 20 6 0 0', `3528 20 6 ${Gso.udpL4} 1000`]);
  });

  const exchange = async (packets: readonly Uint8Array[], expected: number): Promise<Uint8Array[]> => {
    const batch = new FrameBatch();
    for (const [index, octets] of packets.entries()) batch.push(placeFrame(arena, scratch + index * 4096, octets));
    port.transmit(batch, (_, why) => assert.fail(DROP_NAMES[why]));
    const received = await peer.receive(expected, 2);
    assert.deepEqual(await peer.receive(1, 0.05), [], 'more packets than expected');
    return received.map(({ octets }) => octets);
  };
  const segments = (family: 4 | 6, count: number): Uint8Array[] =>
    Array.from({ length: count }, (_, index) => {
      const fields = { ...UDP, family, protocol: 'tcp', sequence: 1400 * index, identification: index } as const;
      return packetOf({ ...fields, payload: new Uint8Array(1400).fill(index) });
    });

  for (const family of [4, 6] as const) {
    const headers = family === 4 ? 40 : 60;
    it(`hands segments of one flow to the kernel in one super-frame, IPv${family}`, async () => {
      const sent = segments(family, 40);
      const [whole, ...more] = await exchange(sent, 1);
      assert.deepEqual(more, []);
      assert.equal(whole!.length, headers + 40 * 1400);
      assert.deepEqual(whole!.subarray(headers), Uint8Array.from(sent.flatMap((part) => [...part.subarray(headers)])));
    });
  }

  it('but never one whose checksum is wrong', async () => {
    const packets = segments(4, 5);
    packets[2]![50]! ^= 1;
    assert.deepEqual(
      (await exchange(packets, 3)).map(({ length }) => length),
      [40 + 2800, 40 + 1400, 40 + 2800],
    );
  });

  it('refuses what is no IP packet', () => {
    const batch = new FrameBatch();
    batch.push(placeFrame(arena, scratch, new Uint8Array(60).fill(0x11)));
    const refused: string[] = [];
    port.transmit(batch, (_, why) => refused.push(DROP_NAMES[why]!));
    assert.deepEqual(refused, ['transmit-error']);
  });
});

describe('the device of a TUN port', () => {
  it('is made where there is none, and goes with the port', async () => {
    const [port, description] = open('tunnew');
    assert.match(run('ip', '-details', 'link', 'show', 'dev', 'tunnew'), /tun type tun/);
    await eventually('the carrier', () => isUp('tunnew'));
    close(port, description);
    assert.throws(() => addon.deviceQuery('tunnew'), { code: 'ENODEV' });
  });

  it('keeps what the host gave it when it was there before', async () => {
    makeTun('tunkept');
    ip('address add 10.79.0.1/24 dev tunkept');
    for (let round = 0; round < 3; round++) {
      const [port, description] = open('tunkept');
      await eventually('the carrier', () => isUp('tunkept'));
      close(port, description);
    }
    assert.match(ip('address show dev tunkept'), /10\.79\.0\.1\/24/);
  });

  it('has to be a TUN device, and has no other reader', () => {
    ip('tuntap add dev justtap mode tap vnet_hdr');
    assert.throws(() => open('justtap'), /^Error: property device, value justtap: exists and is no TUN device/);
    makeTun('tunbusy');
    const [port, description] = open('tunbusy');
    assert.throws(() => open('tunbusy'), /value tunbusy: another program has this TUN device open/);
    close(port, description);
  });

  it('tells of its end by refusals, not by exceptions', () => {
    makeTun('tundead');
    const [port, description] = open('tundead');
    ip('link delete dev tundead');
    const scratch = allocator.allocate(4096)!;
    const batch = new FrameBatch();
    batch.push(placeFrame(arena, scratch, packetOf(UDP)));
    const refused: string[] = [];
    port.transmit(batch, (_, why) => refused.push(DROP_NAMES[why]!));
    assert.deepEqual(refused, ['port-down']);
    assert.equal(port.receive(new FrameBatch()), 0);
    close(port, description);
    allocator.release(scratch, 4096);
  });
});
