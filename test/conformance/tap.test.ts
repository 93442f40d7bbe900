// A TAP device: one side is the port, the other side the kernel, where a packet socket is the peer.

import assert from 'node:assert/strict';
import { after, before, describe, it, test } from 'node:test';
import { DROP_NAMES } from '../../src/core/drop-reason.ts';
import { loadAddon } from '../../src/native/addon.ts';
import { Arena, ArenaAllocator } from '../../src/packet/arena.ts';
import { BURST, type Frame, FrameBatch, Gso } from '../../src/packet/frame.ts';
import { GsoFitter } from '../../src/net/gso-limits.ts';
import { openTap, releaseTap, type TapDescription, TapPort } from '../../src/port/tap.ts';
import { eventually, ip, python, run } from '../lib/namespace.ts';
import { PacketPeer } from '../lib/packet-peer.ts';
import { transportFrame, type TransportFields } from '../support/transport-frames.ts';
import { type Harness, placeFrame, portSuite, receiveAll } from './port-suite.ts';

const loaded = loadAddon();
assert.ok(loaded.addon !== undefined, loaded.addon === undefined ? loaded.reason : '');
const { addon } = loaded;
const ARENA_OCTETS = 2 ** 29;
const arenaHandle = addon.arenaCreate(ARENA_OCTETS);
const arena = new Arena(addon.arenaBuffer(arenaHandle));
const allocator = new ArenaAllocator(ARENA_OCTETS);
const now = (): number => performance.now();

const PREFIX = Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5]);

// The peers run in the namespace of this process, by a name of its own.
const HERE = 'here';
ip(`netns attach ${HERE} ${process.pid}`);

const open = (device: string): [TapPort, TapDescription] => {
  const description = openTap(addon, arenaHandle, allocator, { index: 1, name: device, device });
  return [new TapPort(addon, structuredClone(description), now), description];
};
const close = (port: TapPort, description: TapDescription): void => {
  port.close();
  releaseTap(allocator, description);
};

const isUp = (device: string): boolean => (addon.deviceQuery(device).flags & 0x41) === 0x41;

/** Makes a device as `wideplane up` does: it stays when the port closes. */
function makeTap(device: string, mtu = 1500): void {
  ip(`tuntap add dev ${device} mode tap vnet_hdr`);
  // What the kernel sends by itself would stand among the frames of a test.
  run('sysctl', '-qw', `net.ipv6.conf.${device}.disable_ipv6=1`);
  ip(`link set dev ${device} mtu ${mtu} up`);
}

let devices = 0;

function suiteOf(name: string, mtu: number, prepare: (device: string) => void): void {
  let spare = '';
  portSuite({
    name,
    open: async (): Promise<Harness> => {
      const device = `tap${devices++}`;
      spare = `tap${devices++}`;
      makeTap(spare);
      makeTap(device, mtu);
      const [port, description] = open(device);
      prepare(device);
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
    sizes: [60, 64, 128, 1000, mtu + 14],
    tooLong: mtu + 19,
    flood: 30_000,
  });
}

suiteOf('TAP, offloads on', 1500, () => undefined);
suiteOf('TAP, offloads off', 1500, (device) => {
  run('ethtool', '-K', device, 'tx', 'off', 'sg', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off');
});
suiteOf('TAP, MTU 9216', 9216, () => undefined);

describe('what a TAP device knows of a frame', () => {
  const device = 'tapoff';
  let port: TapPort;
  let description: TapDescription;
  before(async () => {
    makeTap(device);
    [port, description] = open(device);
    await eventually('the carrier', () => isUp(device));
    ip(`address add 10.78.0.2/24 dev ${device}`);
    ip(`neighbour add 10.78.0.1 lladdr 02:00:00:00:00:77 dev ${device}`);
  });
  after(() => close(port, description));

  const seeing = async (program: string, count: number): Promise<string[]> => {
    const done = python(HERE, program);
    const seen: string[] = [];
    const visit = (batch: FrameBatch): void => {
      for (let index = 0; index < batch.length; index++) seen.push(describeFrame(batch.frames[index]!));
    };
    await receiveAll(port, count, visit, 5000);
    await done;
    return seen;
  };
  const describeFrame = (frame: Frame): string =>
    [
      frame.end - frame.start,
      frame.checksumStart - frame.start,
      frame.checksumOffset,
      frame.gsoType,
      frame.gsoSize,
    ].join(' ');

  it('announces unfinished checksums and super-frames of UDP', async () => {
    const program = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b'u' * 100, ('10.78.0.1', 9))
s.setsockopt(17, 103, 1000)
s.sendto(b'g' * 3500, ('10.78.0.1', 9))
`;
    assert.deepEqual(await seeing(program, 2), ['142 34 6 0 0', `3542 34 6 ${Gso.udpL4} 1000`]);
  });

  it('sends unfinished checksums and super-frames for the kernel to finish', async () => {
    const receiver = new PacketPeer(HERE, 'udp', '10.78.0.2', '80');
    await receiver.ready;
    const scratch = allocator.allocate(1 << 16)!;
    const mac = [...addon.deviceQuery(device).mac];
    const payload = new Uint8Array(2500).map((_, index) => index * 3);
    const batch = new FrameBatch();
    for (const [index, octets] of [100, 2500].entries()) {
      const fields = { ...UDP, payload: payload.subarray(0, octets), checksum: 'partial' } as const;
      const { octets: sent, transportAt } = transportFrame(fields);
      // To the kernel's own MAC and address; the sums of header and pseudo-header change with the latter.
      sent.set(mac);
      const frame = placeFrame(arena, scratch + index * 8192, aimedAt(sent, [10, 78, 0, 2]));
      frame.checksumStart = frame.start + transportAt;
      frame.checksumOffset = 6;
      if (index === 1) [frame.gsoType, frame.gsoSize] = [Gso.udpL4, 1000];
      batch.push(frame);
    }
    port.transmit(batch, (_, why) => assert.fail(DROP_NAMES[why]));
    const received = await receiver.receive(4);
    assert.deepEqual(
      received.map(({ octets }) => octets),
      [
        payload.subarray(0, 100),
        payload.subarray(0, 1000),
        payload.subarray(1000, 2000),
        payload.subarray(2000, 2500),
      ].map((part) => new Uint8Array(part)),
    );
    await receiver.close();
    allocator.release(scratch, 1 << 16);
  });
});

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

/** The frame with another IPv4 destination, its header checksum and the sum of its pseudo-header adjusted (RFC 1624). */
function aimedAt(octets: Uint8Array, destination: readonly number[]): Uint8Array {
  const view = new DataView(octets.buffer, octets.byteOffset);
  const words = [30, 32].map((at, index) => [
    view.getUint16(at),
    destination[2 * index]! * 256 + destination[2 * index + 1]!,
  ]);
  let change = 0;
  for (const [before, after] of words) change += (~before! & 0xffff) + after!;
  const fold = (sum: number): number => (sum > 0xffff ? fold((sum & 0xffff) + (sum >>> 16)) : sum);
  octets.set(destination, 30);
  view.setUint16(24, ~fold((~view.getUint16(24) & 0xffff) + change) & 0xffff);
  view.setUint16(40, fold(view.getUint16(40) + change));
  return octets;
}

describe('frames of a flow reach the kernel of a TAP device joined', () => {
  const device = 'tapjoin';
  let port: TapPort;
  let description: TapDescription;
  let peer: PacketPeer;
  let scratch: number;
  before(async () => {
    makeTap(device);
    [port, description] = open(device);
    await eventually('the carrier', () => isUp(device));
    peer = new PacketPeer(HERE, 'ethernet', device);
    await peer.ready;
    scratch = allocator.allocate(BURST * 4096)!;
  });
  after(async () => {
    close(port, description);
    await peer.close();
  });

  const exchange = async (frames: readonly Uint8Array[], expected: number): Promise<number[]> => {
    const batch = new FrameBatch();
    for (const [index, octets] of frames.entries()) batch.push(placeFrame(arena, scratch + index * 4096, octets));
    port.transmit(batch, (_, why) => assert.fail(DROP_NAMES[why]));
    const received = await peer.receive(expected, 2);
    assert.deepEqual(await peer.receive(1, 0.05), [], 'more frames than expected');
    return received.map(({ octets }) => octets.length);
  };
  const segments = (count: number): Uint8Array[] =>
    Array.from({ length: count }, (_, index) => {
      const fields = { ...UDP, protocol: 'tcp', sequence: 1400 * index, payload: new Uint8Array(1400).fill(index) };
      return transportFrame({ ...fields, identification: index } as TransportFields).octets;
    });

  it('in one super-frame of TCP', async () => {
    assert.deepEqual(await exchange(segments(40), 1), [54 + 40 * 1400]);
  });

  it('but never one whose checksum is wrong', async () => {
    const frames = segments(5);
    frames[2]![60]! ^= 1;
    assert.deepEqual(await exchange(frames, 3), [54 + 2800, 54 + 1400, 54 + 2800]);
  });
});

describe('the device of a TAP port', () => {
  it('is made where there is none, and goes with the port', async () => {
    const [port, description] = open('tapnew');
    assert.match(run('ip', '-details', 'link', 'show', 'dev', 'tapnew'), /tun type tap/);
    await eventually('the carrier', () => isUp('tapnew'));
    close(port, description);
    assert.throws(() => addon.deviceQuery('tapnew'), { code: 'ENODEV' });
  });

  it('keeps what the host gave it when it was there before', async () => {
    makeTap('tapkept');
    ip('address add 10.79.0.1/24 dev tapkept');
    for (let round = 0; round < 3; round++) {
      const [port, description] = open('tapkept');
      await eventually('the carrier', () => isUp('tapkept'));
      close(port, description);
    }
    assert.match(ip('address show dev tapkept'), /10\.79\.0\.1\/24/);
  });

  it('has to be a TAP device', () => {
    ip('link add nottap type veth peer name nottap2');
    assert.throws(() => open('nottap'), /^Error: property device, value nottap: exists and is no TAP device/);
    assert.throws(() => open('lo'), /value lo: exists and is no TAP device/);
    ip('tuntap add dev justtun mode tun');
    assert.throws(() => open('justtun'), /justtun/);
  });

  it('has no other reader', () => {
    makeTap('tapbusy');
    const [port, description] = open('tapbusy');
    assert.throws(() => open('tapbusy'), /value tapbusy: another program has this TAP device open/);
    close(port, description);
  });

  it('tells of its end by refusals, not by exceptions', () => {
    makeTap('tapdead');
    const [port, description] = open('tapdead');
    ip('link delete dev tapdead');
    const scratch = allocator.allocate(4096)!;
    const batch = new FrameBatch();
    batch.push(placeFrame(arena, scratch, new Uint8Array(100)));
    const refused: string[] = [];
    port.transmit(batch, (_, why) => refused.push(DROP_NAMES[why]!));
    assert.deepEqual(refused, ['port-down']);
    assert.equal(port.receive(new FrameBatch()), 0);
    close(port, description);
    allocator.release(scratch, 4096);
  });
});

test('super-frames of a device are fitted to what one send of a tunnel takes', async () => {
  makeTap('tapfit', 1450);
  const fitter = new GsoFitter(addon);
  const { index } = addon.deviceQuery('tapfit');
  const shown = (): string[] =>
    ['gso_max_size', 'gso_max_segs'].map((name) => {
      const found = new RegExp(`${name} (\\d+)`).exec(run('ip', '-details', 'link', 'show', 'dev', 'tapfit'));
      return `${name} ${found?.[1] ?? ''}`;
    });
  await fitter.fit(index, 1450);
  // 44 segments of 1450 octets, Ethernet and VXLAN headers: 64768 octets; 45 would be 66240.
  assert.deepEqual(shown(), [`gso_max_size ${45 * (1450 - 72) - 1}`, 'gso_max_segs 44']);
  await fitter.fit(index, 9166);
  assert.deepEqual(shown(), ['gso_max_size 65536', 'gso_max_segs 7']);
  await assert.rejects(fitter.fit(99_999, 1500), /limit super-frames of device 99999: ENODEV/);
  fitter.close();
});
