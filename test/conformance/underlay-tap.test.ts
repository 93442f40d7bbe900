// A packet ring with an underlay TAP (src/net/underlay-tap.ts): whatever it does without one, and super-frames behind the
// outer headers of a tunnel, which the kernel or the addon cuts into the packets that we would have made.
//
//   port ──┬── AF_PACKET ───────── here ──veth── there ── packet socket of another namespace, or another ring
//          └── wideplane0 ── tc ──┘

import assert from 'node:assert/strict';
import { after, before, describe, it, test } from 'node:test';
import { DROP_NAMES, FORWARD } from '../../src/core/drop-reason.ts';
import { type Addon, loadAddon } from '../../src/native/addon.ts';
import { openUnderlayTap } from '../../src/net/underlay-tap.ts';
import { Arena, ArenaAllocator } from '../../src/packet/arena.ts';
import { type Frame, FrameBatch, Gso } from '../../src/packet/frame.ts';
import { FramePool, poolOctets } from '../../src/packet/pool.ts';
import { segment } from '../../src/packet/segment.ts';
import {
  openPacketRing,
  type PacketRingDescription,
  PacketRingPort,
  releasePacketRing,
  type TunnelOffload,
} from '../../src/port/packet-ring.ts';
import { TunnelEndpoint } from '../../src/tunnel/endpoint.ts';
import { MssClamp } from '../../src/tunnel/mss.ts';
import { udpService } from '../../src/tunnel/service.ts';
import { TOS_PRESERVE, Tunnel, TunnelKind, UdpChecksum } from '../../src/tunnel/tunnel.ts';
import { encapsulate, prepareEthernet } from '../../src/tunnel/encapsulate.ts';
import { EtherType, insertVlanTag } from '../../src/wire/ethernet.ts';
import { writeIpv4Checksum } from '../../src/wire/ipv4.ts';
import { addVeth, eventually, ip, run } from '../lib/namespace.ts';
import { PacketPeer } from '../lib/packet-peer.ts';
import { toHex } from '../support/octets.ts';
import { transportFrame, type TransportFields } from '../support/transport-frames.ts';
import { type Harness, octetsOf, placeFrame, portSuite, receiveAll } from './port-suite.ts';

const loaded = loadAddon();
assert.ok(loaded.addon !== undefined, loaded.addon === undefined ? loaded.reason : '');
const { addon } = loaded;
const ARENA_OCTETS = 2 ** 30;
const arenaHandle = addon.arenaCreate(ARENA_OCTETS);
const arena = new Arena(addon.arenaBuffer(arenaHandle));
const allocator = new ArenaAllocator(ARENA_OCTETS);
const poolSizes = { smallSlots: 256, largeSlots: 64 };
const pool = new FramePool(arena, allocator.allocate(poolOctets(poolSizes))!, poolSizes);
const scratch = allocator.allocate(1 << 22)!;

const PREFIX = Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5]);

/** An addon whose kernel knows no tunnelled super-frames, as before Linux 6.17. */
const oldAddon: Addon = Object.create(addon, {
  underlayTapOpen: {
    value: () => {
      throw Object.assign(new Error('wideplane0: ioctl TUNSETOFFLOAD: Invalid argument'), { code: 'EINVAL' });
    },
  },
}) as Addon;

const open = (
  device: string,
  tunnelOffload: TunnelOffload = 'enabled',
  kernel = addon,
): [PacketRingPort, PacketRingDescription] => {
  const description = openPacketRing(addon, arenaHandle, allocator, {
    ...{ index: 1, name: device, device, blocks: 8, tunnelOffload },
    openUnderlayTap: (deviceIndex) => openUnderlayTap(kernel, deviceIndex),
  });
  return [new PacketRingPort(addon, structuredClone(description), () => performance.now()), description];
};
const close = (port: PacketRingPort, description: PacketRingDescription): void => {
  port.close();
  releasePacketRing(allocator, description);
};
const taps = (): number => [...ip('link show').matchAll(/: wideplane\d+:/g)].length;
const isUp = (device: string): boolean => (addon.deviceQuery(device).flags & 0x41) === 0x41;
/** Devices whose kernel cuts what leaves, as before a wire. */
const offloadsOff = (here: string): string => run('ethtool', '-K', here, 'tx', 'off', 'txvlan', 'off');

let pairs = 0;
async function connect(prepare: (here: string) => void): Promise<{ here: string; peer: PacketPeer }> {
  const id = pairs++;
  const here = `utap${id}`;
  addVeth(here, `there${id}`, `utap-peer${id}`);
  ip(`netns exec utap-peer${id} ethtool -K there${id} rxvlan off gro off`);
  prepare(here);
  const peer = new PacketPeer(`utap-peer${id}`, 'ethernet', `there${id}`);
  await peer.ready;
  return { here, peer };
}

function suiteOf(name: string, kernel: Addon, prepare: (here: string) => void): void {
  let device = '';
  portSuite({
    name,
    open: async (): Promise<Harness> => {
      const { here, peer } = await connect(prepare);
      device = here;
      const [port, description] = open(here, 'enabled', kernel);
      assert.equal(port.usesUnderlayTap, kernel === addon);
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
        lostOnTheWay: () => 0,
        release: async () => {
          releasePacketRing(allocator, description);
          await peer.close();
        },
      };
    },
    cycle: () => close(...open(device, 'enabled', kernel)),
    sizes: [60, 64, 128, 1000, 1514],
    tooLong: 1519,
    flood: undefined,
  });
}

suiteOf('packet ring with an underlay TAP, offloads on', addon, () => undefined);
suiteOf('packet ring with an underlay TAP, offloads off', addon, offloadsOff);
suiteOf('packet ring without the underlay TAP that was asked for', oldAddon, offloadsOff);

const LOCAL = { 4: [0, 0, 0, 0x0a09_0101], 6: [0x2001_0db8, 0, 0, 1] } as const;
const REMOTE = { 4: [0, 0, 0, 0x0a09_0102], 6: [0x2001_0db8, 0, 0, 2] } as const;

function endpointOf(outer: 4 | 6, checksum: boolean, kind: TunnelKind = TunnelKind.vxlan): TunnelEndpoint {
  const spec = {
    ...{ member: 0, name: 'vx', local: LOCAL[outer], remote: REMOTE[outer], key: 100, ttl: 64 },
    ...{ kind, service: udpService(4789), usesPathMtu: true, mssClamp: MssClamp.disabled },
    ...{ tos: TOS_PRESERVE, mtu: 1450, learnsEndpoints: false, sourcePortMin: 49_152, sourcePortMax: 65_535 },
    ...{ receives: true, sends: true, udpChecksum: checksum ? UdpChecksum.always : UdpChecksum.never },
  };
  const endpoint = new TunnelEndpoint(0, new Tunnel(0, spec, 0), REMOTE[outer]);
  endpoint.egress = 1;
  prepareEthernet(endpoint, 0x0200, 1, 0x0200, 2);
  return endpoint;
}

function wrap(frame: Frame, endpoint: TunnelEndpoint, tag: number): void {
  if (frame.gsoType !== Gso.none) frame.innerStart = frame.start;
  encapsulate(arena, frame, endpoint);
  if (tag !== 0) frame.start = insertVlanTag(arena.bytes, frame.start, EtherType.vlan, tag);
}

type Kind = {
  outer: 4 | 6;
  family: 4 | 6;
  protocol: 'tcp' | 'udp';
  checksum: boolean;
  outerTag: number;
  innerTag: boolean;
  payloadOctets: number;
};

/** Who cuts, and whether frames leave joined. */
const PLACES = [
  ['by the kernel', true, false],
  ['by the kernel, among joined frames', true, true],
  ['by the addon', false, false],
  ['by the addon, and leave joined where they have a checksum', false, true],
] as const;

const GSO_SIZE = 1200;

/** A super-frame as the kernel of a host hands it over, not encapsulated. */
function superFrame(kind: Kind, at: number): Frame {
  const { family, protocol, payloadOctets, innerTag } = kind;
  const fields: TransportFields = {
    ...{ family, protocol, tags: innerTag ? [[0x8100, 7]] : [], ipOptions: new Uint8Array(), identification: 77 },
    ...{ sequence: 0xffff_f000, flags: 0x19, tcpOptions: Uint8Array.from([1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]) },
    payload: Uint8Array.from({ length: payloadOctets }, (_, index) => (index * 31 + (index >>> 8)) & 0xff),
    checksum: 'partial',
  };
  const { octets, transportAt } = transportFrame(fields);
  const frame = placeFrame(arena, at, octets);
  frame.gsoType = protocol === 'udp' ? Gso.udpL4 : family === 4 ? Gso.tcp4 : Gso.tcp6;
  frame.gsoSize = GSO_SIZE;
  frame.checksumStart = frame.start + transportAt;
  frame.checksumOffset = protocol === 'udp' ? 6 : 16;
  return frame;
}

/** The packets that we would have made of it: `segment`, and each encapsulated. */
function expectedOf(kind: Kind, endpoint: TunnelEndpoint): string[] {
  const parts = new FrameBatch();
  assert.equal(segment(pool, superFrame(kind, scratch), parts), FORWARD);
  const expected: string[] = [];
  for (let index = 0; index < parts.length; index++) {
    const part = parts.frames[index]!;
    // A packet ring shows a tag beside the octets.
    wrap(part, endpoint, 0);
    expected.push(`${kind.outerTag} ${toHex(withoutIdentification(octetsOf(arena, part), kind.outer))}`);
    pool.release(part);
  }
  return expected;
}

/** The kernel counts the outer identification up, where it has no meaning (RFC 6864, section 4.1: DF is set). */
function withoutIdentification(octets: Uint8Array, outer: 4 | 6): Uint8Array {
  if (outer === 6) return octets;
  octets.fill(0, 18, 20);
  writeIpv4Checksum(octets, 14);
  return octets;
}

describe('super-frames behind outer headers', () => {
  let port: PacketRingPort;
  let description: PacketRingDescription;
  let other: [PacketRingPort, PacketRingDescription];

  before(() => {
    ip('link add utapa type veth peer name utapb');
    for (const device of ['utapa', 'utapb']) {
      run('sysctl', '-qw', `net.ipv6.conf.${device}.disable_ipv6=1`);
      run('ethtool', '-K', device, 'tx', 'off', 'gro', 'off');
      ip(`link set dev ${device} up`);
    }
    [port, description] = open('utapa', 'auto');
    other = open('utapb', 'disabled');
    assert.equal(port.usesUnderlayTap, true);
  });
  after(() => {
    close(port, description);
    close(...other);
  });

  const transmit = (...frames: Frame[]): string[] => {
    const batch = new FrameBatch();
    for (const frame of frames) batch.push(frame);
    const refused: string[] = [];
    port.transmit(batch, (_, why) => refused.push(DROP_NAMES[why]!));
    return refused;
  };
  /** Tag and octets of each. */
  const receive = async (count: number, outer: 4 | 6): Promise<string[]> => {
    const received: string[] = [];
    const visit = (batch: FrameBatch): void => {
      for (let index = 0; index < batch.length; index++) {
        const frame = batch.frames[index]!;
        assert.equal(frame.checksumStart | frame.gsoType, 0, 'not finished');
        received.push(`${frame.vlanTci} ${toHex(withoutIdentification(octetsOf(arena, frame), outer))}`);
      }
    };
    await receiveAll(other[0], count, visit, 500);
    await receiveAll(other[0], 1, visit, 20);
    return received;
  };

  for (const [place, usesTap, joins] of PLACES) {
    for (const outer of [4, 6] as const) {
      for (const protocol of ['tcp', 'udp'] as const) {
        it(`of ${protocol} over IPv${outer} are cut into our packets ${place}`, async () => {
          addon.ringUseUnderlayTap(description.handle, usesTap);
          addon.ringSetJoins(description.handle, joins);
          for (const family of [4, 6] as const) {
            for (const checksum of [false, true]) {
              for (const outerTag of [0, 5]) {
                for (const innerTag of [false, true]) {
                  for (const payloadOctets of [1201, 3 * GSO_SIZE, 40_001]) {
                    const kind: Kind = { outer, family, protocol, checksum, outerTag, innerTag, payloadOctets };
                    const endpoint = endpointOf(outer, checksum);
                    const expected = expectedOf(kind, endpoint);
                    const frame = superFrame(kind, scratch);
                    wrap(frame, endpoint, outerTag);
                    assert.deepEqual(transmit(frame), []);
                    assert.deepEqual(await receive(expected.length, outer), expected, JSON.stringify(kind));
                  }
                }
              }
            }
          }
        });
      }
    }
  }

  for (const [name, tunnel] of Object.entries({
    teb: TunnelKind.teb,
    nvgre: TunnelKind.nvgre,
    etherip: TunnelKind.etherip,
  })) {
    it(`of ${name} are cut into our packets by the addon, whoever cuts others`, async () => {
      for (const [, usesTap, joins] of PLACES) {
        addon.ringUseUnderlayTap(description.handle, usesTap);
        addon.ringSetJoins(description.handle, joins);
        for (const outer of [4, 6] as const) {
          for (const protocol of ['tcp', 'udp'] as const) {
            const fields = { checksum: false, outerTag: 5, innerTag: true, payloadOctets: 40_001 };
            const kind: Kind = { outer, family: outer, protocol, ...fields };
            const endpoint = endpointOf(outer, false, tunnel);
            const expected = expectedOf(kind, endpoint);
            const frame = superFrame(kind, scratch);
            wrap(frame, endpoint, kind.outerTag);
            assert.deepEqual(transmit(frame), []);
            assert.deepEqual(await receive(expected.length, outer), expected, JSON.stringify(kind));
          }
        }
      }
    });
  }

  it('keep their place among other frames', async () => {
    const kind: Kind = {
      ...{ outer: 4, family: 4, protocol: 'tcp', checksum: true, outerTag: 0, innerTag: false },
      payloadOctets: 3000,
    };
    const endpoint = endpointOf(4, true);
    const small = Uint8Array.from([...PREFIX, ...new Array<number>(50).fill(7)]);
    for (const [, usesTap, joins] of PLACES) {
      addon.ringUseUnderlayTap(description.handle, usesTap);
      addon.ringSetJoins(description.handle, joins);
      const expected: string[] = [];
      const frames: Frame[] = [];
      for (let round = 0; round < 20; round++) {
        expected.push(...expectedOf(kind, endpoint));
        const frame = superFrame(kind, scratch + (2 * round + 1) * 65_536);
        wrap(frame, endpoint, 0);
        small[20] = round;
        const alone = placeFrame(arena, scratch + (2 * round + 2) * 65_536, small);
        // What has no outer IPv4 header comes through `withoutIdentification` as it does here.
        expected.push(`0 ${toHex(withoutIdentification(octetsOf(arena, alone), 4))}`);
        frames.push(frame, alone);
      }
      assert.deepEqual(transmit(...frames), []);
      assert.deepEqual(await receive(expected.length, 4), expected);
    }
  });

  it('that make no sense are refused, and others pass', async () => {
    addon.ringUseUnderlayTap(description.handle, true);
    const kind: Kind = {
      ...{ outer: 4, family: 4, protocol: 'tcp', checksum: false, outerTag: 0, innerTag: false },
      payloadOctets: 3000,
    };
    const endpoint = endpointOf(4, false);
    const expected = expectedOf(kind, endpoint);
    const right = superFrame(kind, scratch);
    wrap(right, endpoint, 0);
    const wrong = superFrame(kind, scratch + 65_536);
    wrap(wrong, endpoint, 0);
    wrong.innerStart += 2;
    assert.deepEqual(transmit(wrong, right), ['transmit-error']);
    assert.deepEqual(await receive(expected.length, 4), expected);
  });
});

describe('an underlay TAP', () => {
  it('is made where what leaves is cut, or where it is asked for', async () => {
    const { here, peer } = await connect(() => undefined);
    const before = taps();
    const cases: [TunnelOffload, boolean, number][] = [
      ['auto', false, 0],
      ['enabled', true, 1],
      ['disabled', false, 0],
    ];
    for (const [tunnelOffload, cuts, made] of cases) {
      const [port, description] = open(here, tunnelOffload);
      assert.deepEqual([tunnelOffload, port.usesUnderlayTap, taps() - before], [tunnelOffload, cuts, made]);
      assert.deepEqual(description.warnings, []);
      close(port, description);
      await eventually('the TAP has gone', () => taps() === before);
    }
    offloadsOff(here);
    const [port, description] = open(here, 'auto');
    assert.equal(port.usesUnderlayTap, true);
    port.setJoins(false);
    assert.equal(port.usesUnderlayTap, false, 'super-frames would reach the other side whole');
    close(port, description);
    await peer.close();
  });

  it('has no address and no IPv6, and nothing of what is sent reaches the host', async () => {
    const { here, peer } = await connect(() => undefined);
    const [port, description] = open(here, 'enabled');
    const name = /wideplane\d+/.exec(run('tc', 'qdisc', 'show', 'ingress') + ip('link show'))![0];
    assert.doesNotMatch(ip(`address show dev ${name}`), /inet/);
    assert.match(run('tc', 'filter', 'show', 'dev', name, 'ingress'), new RegExp(`Redirect to device ${here}`));
    close(port, description);
    await peer.close();
  });

  it('that a kernel does not have is told of where it was asked for', async () => {
    const { here, peer } = await connect(offloadsOff);
    const before = taps();
    for (const [tunnelOffload, warnings] of [
      ['auto', []],
      ['enabled', ['tunnel-offload: there is no underlay TAP: it needs Linux 6.17']],
    ] as const) {
      const [port, description] = open(here, tunnelOffload, oldAddon);
      assert.deepEqual(description.warnings, warnings);
      assert.equal(port.usesUnderlayTap, false);
      assert.equal(taps(), before);
      close(port, description);
    }
    await peer.close();
  });

  it('leaves nothing when it cannot be joined to its device', () => {
    const before = taps();
    assert.throws(() => openUnderlayTap(addon, 99_999), /cannot be joined to its device: add a redirection: \w+/);
    assert.equal(taps(), before);
  });
});

test('a ring has one underlay TAP', async () => {
  const { here, peer } = await connect(() => undefined);
  const [port, description] = open(here, 'enabled');
  const second = openUnderlayTap(addon, description.deviceIndex);
  assert.throws(() => addon.ringSetUnderlayTap(description.handle, second), { code: 'EBUSY' });
  addon.closeDescriptor(second);
  close(port, description);
  await peer.close();
});
