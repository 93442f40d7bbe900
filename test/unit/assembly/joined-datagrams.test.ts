// Sealed packets that leave and come in as super-frames of UDP, and datagrams of VXLAN that come joined, on memory ports.
//
//   192.0.2.1 ─ port 1, one gateway, port 0 ─ ESP in UDP ─ port 0, the other gateway, port 1 ─ 192.0.2.2
//
// Both are 10.9.1.1 to themselves: what leaves one has its addresses exchanged before it comes into the other.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AssociationStates, createAssociationStates } from '../../../src/assembly/dataplaned/association-states.ts';
import type { Operation } from '../../../src/assembly/dataplaned/spec.ts';
import { ANY_PROTOCOL } from '../../../src/ipsec/traffic-selector.ts';
import { FrameBatch, Gso } from '../../../src/packet/frame.ts';
import { NullTap } from '../../../src/pipeline/tap.ts';
import { NodeCryptoBatch } from '../../support/crypto-batch.ts';
import {
  BRIDGE_MAC,
  Id,
  LOCAL,
  mac,
  PEER_MAC,
  REMOTE,
  Rig,
  type RigOptions,
  VNI,
  WAN_MAC,
  words,
} from '../../support/dataplane-rig.ts';
import { ethernet, ipv4Packet, udp, vxlan } from '../../support/frames.ts';
import { specOf } from '../../support/ipsec-rig.ts';
import { naiveChecksum } from '../../support/naive-checksum.ts';
import { transportFrame } from '../../support/transport-frames.ts';

const POLICY = 3;
const SPI = 0x1234;
const PORT = 4500;
const NUMBERS = 1000;
const HOST_MAC = '02:aa:00:00:00:02';
const MSS = 1000;
/** Ethernet, IPv4, UDP. */
const PAYLOAD_AT = 14 + 20 + 8;
/** ESP header, IV, packet of 20 + 20 + MSS, padding to 4 with pad length and next header, ICV. */
const SEALED_OCTETS = 8 + 8 + 1040 + 4 + 16;

type Setup = RigOptions & { isTunnel?: boolean; hardPackets?: number };

function gateway(sends: boolean, { isTunnel = true, hardPackets = 0, ...options }: Setup = {}): Rig {
  const states = createAssociationStates();
  let key = 0;
  const rig = Rig.withTunnel({
    ...options,
    associations: states,
    makeCrypto: (arena) => {
      const crypto = new NodeCryptoBatch(arena.bytes);
      key = crypto.openKey({ cipher: 'aes-gcm', mac: 'none' }, Buffer.alloc(20, 9), new Uint8Array());
      return crypto;
    },
  });
  new AssociationStates(states).reserve(0, key, 1, 1 + NUMBERS);
  const [source, destination] = sends ? [LOCAL, REMOTE] : [REMOTE, LOCAL];
  const sa = specOf({
    ...{ spi: SPI, isTunnel, source: words(source), destination: words(destination) },
    ...{ udpSourcePort: PORT, udpDestinationPort: PORT, replayWindow: 256 },
    hardLifetime: { packets: hardPackets, octets: 0, seconds: 0 },
  });
  const place = { id: 0, name: 'sa', row: 200, routeDomain: 0, policy: POLICY, sends, tunnel: -1 };
  rig.apply(
    { op: 'set-association', spec: { ...place, key, openedSecond: 7, sa } },
    selector(sends ? 'out' : 'in', isTunnel ? ['192.0.2.1', '192.0.2.2'] : [source, destination]),
    {
      op: 'set-self',
      spec: { name: 'inside', domain: Id.bridgeDomain, words: words('192.0.2.254'), isIpv6: false, prefixBits: 24 },
    },
    neighbour(Id.bridgeDomain, '192.0.2.2', HOST_MAC),
    neighbour(Id.wanDomain, REMOTE, PEER_MAC),
  );
  for (const port of [0, 1]) rig.received(port, true);
  return rig;
}

const neighbour = (domain: number, address: string, address48: string): Operation => ({
  op: 'set-static-neighbour',
  spec: { domain, address: words(address), mac: mac(address48) },
});

function selector(direction: 'in' | 'out', [source, destination]: readonly string[]): Operation {
  const ends = { source: words(source!), sourceBits: 32, destination: words(destination!), destinationBits: 32 };
  const upper = { protocol: ANY_PROTOCOL, sourcePort: 0, destinationPort: 0 };
  const place = { id: 20, name: 's', row: 120, scope: 0, order: 10, isIpv6: false } as const;
  return {
    op: 'set-traffic-selector',
    spec: { ...place, direction, action: 'protect', policy: POLICY, ...ends, ...upper },
  };
}

const payloadOf = (octets: number): Buffer => Buffer.from(Array.from({ length: octets }, (_, at) => (at * 7) & 255));

/** A super-frame of TCP from the host behind the gateway; false: a frame. */
function sendInside(rig: Rig, payload: Buffer, isSuper = true): void {
  const { octets, transportAt } = transportFrame({
    ...{ family: 4, protocol: 'tcp', tags: [], ipOptions: new Uint8Array(), identification: 7, sequence: 5000 },
    ...{ flags: 0x18, tcpOptions: new Uint8Array(), payload, checksum: isSuper ? 'partial' : 'complete' },
  });
  Buffer.from(BRIDGE_MAC.replace(/:/g, ''), 'hex').copy(octets);
  // DF, as Linux has it.
  octets[20]! |= 0x40;
  octets.fill(0, 24, 26);
  Buffer.from(octets.buffer, octets.byteOffset).writeUInt16BE(naiveChecksum(octets.subarray(14, 34)), 24);
  const marks = { gsoType: Gso.tcp4, gsoSize: MSS, checksumStart: transportAt, checksumOffset: 16 };
  rig.inject(1, octets, isSuper ? marks : {});
  rig.dataplane.breath();
}

type Left = { octets: Buffer; gsoType: number; gsoSize: number; ownUdp: number };

/** What has left by port 0. */
function left(rig: Rig, port = 0): Left[] {
  const batch = new FrameBatch();
  rig.far(port).receive(batch);
  return batch.frames.slice(0, batch.length).map(({ start, end, gsoType, gsoSize, ownUdp }) => ({
    ...{ octets: Buffer.from(rig.arena.bytes.slice(start, end)), gsoType, gsoSize, ownUdp },
  }));
}

/** The sealed packets in a super-frame, or in a frame. */
function sealedIn({ octets, gsoSize }: Left): Buffer[] {
  const size = gsoSize === 0 ? octets.length : gsoSize;
  const packets: Buffer[] = [];
  for (let at = PAYLOAD_AT; at < octets.length; at += size) packets.push(octets.subarray(at, at + size));
  return packets;
}

/** What the other gateway gets: one datagram around so many octets. */
const datagram = (payload: Buffer, port = PORT): Buffer =>
  ethernet(
    WAN_MAC,
    PEER_MAC,
    0x0800,
    ipv4Packet({ source: REMOTE, destination: LOCAL, protocol: 17 }, udp(port, port, payload)),
  );

function sendJoined(rig: Rig, packets: readonly Buffer[], port = PORT): void {
  const marks = { gsoType: Gso.udpL4, gsoSize: packets[0]!.length, checksumStart: 34, checksumOffset: 6 };
  rig.inject(0, datagram(Buffer.concat(packets), port), marks);
  rig.dataplane.breath();
}

/** The TCP payload of frames that came out at the host, in the order of their sequence numbers, all checksums right. */
function streamOf(frames: readonly Buffer[]): Buffer {
  let next = 5000;
  for (const frame of frames) {
    assert.equal(naiveChecksum(frame.subarray(14, 34)), 0);
    const octets = frame.readUInt16BE(16) - 20;
    const pseudo = Buffer.concat([frame.subarray(26, 34), Buffer.from([0, 6, octets >>> 8, octets & 255])]);
    assert.equal(naiveChecksum(Buffer.concat([pseudo, frame.subarray(34, 34 + octets)])), 0);
    assert.equal(frame.readUInt32BE(38), next);
    next += octets - 20;
  }
  return Buffer.concat(frames.map((frame) => frame.subarray(54, 14 + frame.readUInt16BE(16))));
}

describe('a super-frame that a security association protects', () => {
  it('leaves as one super-frame of UDP, whose datagrams the other end takes joined or apart', () => {
    const payload = payloadOf(6 * MSS + 500);
    const sender = gateway(true);
    sendInside(sender, payload);
    const [frame, ...rest] = left(sender);
    assert.equal(rest.length, 0);
    assert.deepEqual([frame!.gsoType, frame!.gsoSize], [Gso.udpL4, SEALED_OCTETS]);
    // The checksum is for the kernel to finish: it holds the sum of the pseudo-header.
    const { octets } = frame!;
    const udpOctets = octets.readUInt16BE(38);
    const pseudo = Buffer.concat([octets.subarray(26, 34), Buffer.from([0, 17, udpOctets >>> 8, udpOctets & 255])]);
    assert.equal(octets.readUInt16BE(40), 0xffff - naiveChecksum(pseudo));
    assert.equal(naiveChecksum(octets.subarray(14, 34)), 0);
    const packets = sealedIn(frame!);
    assert.deepEqual(
      packets.map((packet) => [packet.readUInt32BE(0), packet.readUInt32BE(4)]),
      packets.map((_, index) => [SPI, index + 1]),
    );
    assert.equal(packets.length, 7);
    const [joined, apart] = [gateway(false), gateway(false)];
    sendJoined(joined, packets);
    for (const packet of packets) apart.send(0, datagram(packet));
    for (const receiver of [joined, apart]) {
      const frames = receiver.received(1);
      assert.equal(frames.length, 7);
      assert.ok(streamOf(frames).equals(payload));
      sendJoined(receiver, packets);
      assert.deepEqual(receiver.drops(), { 'ipsec-replayed': 7 });
    }
    assert.deepEqual(sender.drops(), {});
  });

  it('leaves cut while somebody captures, and where the association may end in the middle', () => {
    const tap = Object.assign(new NullTap(), { passing: true });
    for (const setup of [{ tap }, { hardPackets: 4 }]) {
      const sender = gateway(true, setup);
      sendInside(sender, payloadOf(6 * MSS));
      const frames = left(sender);
      assert.equal(frames.length, 'tap' in setup ? 6 : 4);
      assert.ok(frames.every(({ gsoType, octets }) => gsoType === Gso.none && octets.readUInt16BE(40) === 0));
      const receiver = gateway(false);
      for (const frame of frames) receiver.send(0, datagram(sealedIn(frame)[0]!));
      assert.equal(receiver.received(1).length, frames.length);
    }
  });
});

describe('sealed datagrams that came joined', () => {
  const sealed = (sender = gateway(true)): Buffer[] => {
    sendInside(sender, payloadOf(4 * MSS));
    return left(sender).flatMap(sealedIn);
  };

  it('of an end that sends each alone are opened too', () => {
    const sender = gateway(true);
    const packets = [1, 2, 3].flatMap(() => {
      sendInside(sender, payloadOf(MSS), false);
      return left(sender).flatMap(sealedIn);
    });
    const receiver = gateway(false);
    sendJoined(receiver, packets);
    assert.equal(receiver.received(1).length, 3);
  });

  it('are dropped each for itself', () => {
    for (const dropped of [false, true]) {
      const packets = sealed();
      packets[1]![100]! ^= 1;
      packets[2]!.writeUInt32BE(SPI + 1, 0);
      const receiver = gateway(false, { tap: Object.assign(new NullTap(), { dropped }) });
      // The last may be shorter: a keepalive.
      sendJoined(receiver, [...packets, Buffer.from([0xff])]);
      assert.equal(receiver.received(1).length, 2);
      assert.deepEqual(receiver.drops(), { 'ipsec-icv-invalid': 1, 'ipsec-unknown-spi': 1 });
    }
  });

  it('are not believed to be more than a kernel joins', () => {
    const receiver = gateway(false);
    const marks = { gsoType: Gso.udpL4, gsoSize: 8, checksumStart: 34, checksumOffset: 6 };
    receiver.inject(0, datagram(Buffer.alloc(129 * 8, 1)), marks);
    receiver.dataplane.breath();
    assert.deepEqual(receiver.drops(), { 'gso-unsupported': 1 });
    receiver.inject(0, datagram(Buffer.alloc(128 * 8, 1)), marks);
    receiver.dataplane.breath();
    assert.deepEqual(receiver.drops(), { 'gso-unsupported': 1, 'ipsec-unknown-spi': 128 });
  });

  it('of transport mode are taken apart first', () => {
    const sender = gateway(true, { isTunnel: false });
    const request = Buffer.from('0800000012340001', 'hex');
    request.writeUInt16BE(naiveChecksum(request), 2);
    const packets: Buffer[] = [];
    for (let index = 0; index < 2; index++) {
      // An echo request to the sender, whose answer is protected: from the other end.
      sender.send(
        0,
        ethernet(WAN_MAC, PEER_MAC, 0x0800, ipv4Packet({ source: REMOTE, destination: LOCAL, protocol: 1 }, request)),
      );
      packets.push(...left(sender).flatMap(sealedIn));
    }
    assert.equal(packets.length, 2);
    const receiver = gateway(false, { isTunnel: false });
    sendJoined(receiver, packets);
    // Nobody here has asked: they end at the host path, but as what they are.
    assert.deepEqual(
      Object.keys(receiver.drops()).filter((name) => name.startsWith('ipsec')),
      [],
    );
    sendJoined(receiver, packets);
    assert.equal(receiver.drops()['ipsec-replayed'], 2);
  });
});

describe('datagrams of a VXLAN tunnel that came joined', () => {
  it('are unwrapped each for itself', () => {
    const rig = Rig.withTunnel();
    const inner = [1, 2, 3].map((number) => ethernet(HOST_MAC, '02:bb:00:00:00:01', 0x0800, Buffer.alloc(60, number)));
    sendJoined(
      rig,
      inner.map((frame) => vxlan(VNI, frame)),
      4789,
    );
    assert.deepEqual(rig.received(1), inner);
    assert.deepEqual(rig.drops(), {});
  });

  it('are not taken for joined where a kernel left the packet inside as a super-frame', () => {
    const rig = Rig.withTunnel();
    const { octets, transportAt } = transportFrame({
      ...{ family: 4, protocol: 'tcp', tags: [], ipOptions: new Uint8Array(), identification: 7, sequence: 5000 },
      ...{ flags: 0x18, tcpOptions: new Uint8Array(), payload: payloadOf(4 * MSS), checksum: 'partial' },
    });
    Buffer.from(HOST_MAC.replace(/:/g, ''), 'hex').copy(octets);
    const whole = datagram(vxlan(VNI, Buffer.from(octets)), 4789);
    const inside = whole.length - octets.length;
    rig.inject(0, whole, {
      ...{ gsoType: Gso.tcp4, gsoSize: MSS, checksumStart: inside + transportAt, checksumOffset: 16 },
    });
    rig.dataplane.breath();
    assert.deepEqual(rig.drops(), {});
    // The port there takes frames only: it is cut where it leaves.
    const lengths = left(rig, 1).map((frame) => frame.octets.length);
    assert.deepEqual(
      lengths,
      lengths.map(() => transportAt + 20 + MSS),
    );
    assert.equal(lengths.length, 4);
  });
});
