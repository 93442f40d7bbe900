// time-out: 120 s
// Frames of one flow that leave a packet ring joined (native-bindings/join.h): on a device whose kernel cuts and finishes
// them, whoever receives sees the frames that were sent; on a veth pair with its offloads on the super-frame itself shows.

import assert from 'node:assert/strict';
import { after, before, describe, it, test } from 'node:test';
import fc from 'fast-check';
import { loadAddon } from '../../src/native/addon.ts';
import { Arena, ArenaAllocator } from '../../src/packet/arena.ts';
import { BURST, type Frame, FrameBatch, Gso } from '../../src/packet/frame.ts';
import { mayJoin } from '../../src/port/joining.ts';
import { openPacketRing, type PacketRingDescription, PacketRingPort } from '../../src/port/packet-ring.ts';
import { addVeth, run } from '../lib/namespace.ts';
import { PacketPeer } from '../lib/packet-peer.ts';
import { transportFrame, type TransportFields } from '../support/transport-frames.ts';
import { placeFrame } from './port-suite.ts';

const loaded = loadAddon();
assert.ok(loaded.addon !== undefined, loaded.addon === undefined ? loaded.reason : '');
const { addon } = loaded;
const ARENA_OCTETS = 2 ** 28;
const STRIDE = 4096;
const arenaHandle = addon.arenaCreate(ARENA_OCTETS);
const arena = new Arena(addon.arenaBuffer(arenaHandle));
const allocator = new ArenaAllocator(ARENA_OCTETS);
const scratch = allocator.allocate(BURST * STRIDE)!;

const UDP_CHECKSUM_AT = 14 + 20 + 6;
const ACK = 0x10;
const PSH = 0x08;
const FIN = 0x01;
const DEFAULTS: TransportFields = {
  family: 4,
  protocol: 'udp',
  tags: [],
  ipOptions: new Uint8Array(),
  identification: 0,
  sequence: 0,
  flags: ACK,
  tcpOptions: new Uint8Array(),
  payload: new Uint8Array(100),
  checksum: 'complete',
};
const frameOf = (fields: Partial<TransportFields>): Uint8Array => transportFrame({ ...DEFAULTS, ...fields }).octets;
/** `count` datagrams of one flow. */
const train = (count: number, fields: Partial<TransportFields> = {}): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => frameOf({ identification: index, ...fields }));

describe('frames of a flow leave joined', () => {
  type Link = { port: PacketRingPort; description: PacketRingDescription; peer: PacketPeer };
  /** Its kernel cuts what leaves. */
  let wire: Link;
  /** What leaves reaches the other end whole. */
  let whole: Link;

  const open = async (id: string, prepare: (here: string) => void): Promise<Link> => {
    addVeth(`here${id}`, `there${id}`, `peer${id}`);
    prepare(`here${id}`);
    const peer = new PacketPeer(`peer${id}`, 'ethernet', `there${id}`);
    await peer.ready;
    const device = `here${id}`;
    const description = openPacketRing(addon, arenaHandle, allocator, { index: 1, name: device, device, blocks: 4 });
    return { port: new PacketRingPort(addon, description, () => performance.now()), description, peer };
  };
  before(async () => {
    wire = await open('j0', (here) => run('ethtool', '-K', here, 'tx', 'off'));
    whole = await open('j1', () => undefined);
    addon.ringSetJoins(whole.description.handle, true);
  });
  after(async () => {
    for (const { port, peer } of [wire, whole]) {
      port.close();
      await peer.close();
    }
  });

  const exchange = async (
    { port, peer }: Link,
    frames: readonly Uint8Array[],
    mark: (frame: Frame) => void = () => undefined,
    expected = frames.length,
  ): Promise<Uint8Array[]> => {
    const batch = new FrameBatch();
    for (const [index, octets] of frames.entries()) {
      const frame = placeFrame(arena, scratch + index * STRIDE, octets);
      mark(frame);
      batch.push(frame);
    }
    port.transmit(batch, (_, why) => assert.fail(`refused: ${why}`));
    const received = await peer.receive(expected, 2);
    assert.deepEqual(await peer.receive(1, 0.05), [], 'more frames than expected');
    return received.map(({ octets }) => octets);
  };

  it('as they were, each with its octets, in the order of its flow', async () => {
    const payload = fc.constantFrom(1, 18, 100, 100, 100, 500, 1000);
    const kind = fc.record({
      flow: fc.nat(11),
      octets: payload,
      flags: fc.constantFrom(ACK, ACK, ACK, ACK, ACK | PSH, ACK | FIN),
      tos: fc.constantFrom(0, 0, 0, 0, 3),
      skips: fc.constantFrom(0, 0, 0, 0, 0, 7),
      checksum: fc.constantFrom('complete', 'complete', 'complete', 'none'),
    });
    for (const [round, plan] of fc.sample(fc.array(kind, { minLength: 200, maxLength: BURST }), 12).entries()) {
      const sent: Uint8Array[] = [];
      const flows = new Map<number, { identification: number; sequence: number; expected: string[] }>();
      for (const { flow, octets, flags, tos, skips, checksum } of plan) {
        const state = flows.get(flow) ?? { identification: 100 * flow, sequence: 1000, expected: [] };
        flows.set(flow, state);
        state.sequence += skips;
        const fields: Partial<TransportFields> = {
          family: flow % 4 === 3 ? 6 : 4,
          protocol: flow % 2 === 0 ? 'udp' : 'tcp',
          tcpOptions: flow % 3 === 0 ? Uint8Array.from([1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]) : new Uint8Array(),
          sourcePort: 5000 + flow,
          identification: state.identification++,
          sequence: state.sequence,
          flags,
          tos,
          payload: new Uint8Array(octets).map((_, index) => index * 7 + round),
          checksum: flow % 2 === 0 && flow % 4 !== 3 ? checksum : 'complete',
        };
        state.sequence += octets;
        const untagged = frameOf(fields);
        sent.push(flow >= 8 ? frameOf({ ...fields, tags: [[0x8100, 5]] }) : untagged);
        // A packet socket shows a tag beside the octets.
        state.expected.push(Buffer.from(untagged).toString('hex'));
      }
      const received = new Map<number, string[]>();
      for (const octets of await exchange(wire, sent)) {
        const portAt = octets[12] === 0x08 ? 34 : 54;
        const flow = octets[portAt]! * 256 + octets[portAt + 1]! - 5000;
        received.set(flow, [...(received.get(flow) ?? []), Buffer.from(octets).toString('hex')]);
      }
      for (const [flow, { expected }] of flows) assert.deepEqual(received.get(flow), expected, `round ${round}`);
    }
  });

  it('in one super-frame for a flow, however the flows alternate', async () => {
    const frames: Uint8Array[] = [];
    for (let index = 0; index < 20; index++) {
      for (const sourcePort of [1, 2, 3]) frames.push(frameOf({ sourcePort, identification: index }));
    }
    const received = await exchange(whole, frames, undefined, 3);
    assert.deepEqual(
      received.map((octets) => octets.length),
      [42 + 2000, 42 + 2000, 42 + 2000],
    );
  });

  it('as TCP, up to a push, a gap or another acknowledgement', async () => {
    const segment = (sequence: number, flags = ACK): Uint8Array =>
      frameOf({ protocol: 'tcp', sequence, flags, identification: sequence / 100 });
    const frames = [segment(0), segment(100), segment(200, ACK | PSH), segment(300), segment(400), segment(600)];
    const received = await exchange(whole, frames, undefined, 3);
    assert.deepEqual(
      received.map((octets) => octets.length - 54),
      [300, 200, 100],
    );
    assert.equal(received[0]![47], ACK | PSH);
  });

  it('never with a wrong checksum, which stays wrong', async () => {
    const frames = train(6);
    frames[2]![UDP_CHECKSUM_AT]! ^= 0x55;
    frames[4]![24]! ^= 0x55;
    assert.deepEqual(await exchange(wire, frames), frames);
    const received = await exchange(whole, frames, undefined, 5);
    assert.deepEqual(
      received.map((octets) => octets.length - 42),
      [200, 100, 100, 100, 100],
    );
  });

  it('without a UDP checksum only when their sender wrote the header here', async () => {
    const frames = train(5, { checksum: 'none' });
    assert.deepEqual(await exchange(whole, frames), frames);
    const joined = await exchange(whole, frames, (frame) => (frame.ownUdp = 1), 1);
    assert.equal(joined[0]!.length, 42 + 500);
    const cut = await exchange(wire, frames, (frame) => (frame.ownUdp = 1));
    assert.deepEqual(cut, train(5), 'each with the checksum that it should have');
  });

  it('a super-frame of datagrams that was written here, cut by the kernel or, where none may be joined, in the addon', async () => {
    for (const family of [4, 6] as const) {
      const payload = Uint8Array.from({ length: 650 }, (_, at) => at);
      const fields = { ...DEFAULTS, family, identification: 0xfffe };
      const { octets, transportAt, payloadAt } = transportFrame({ ...fields, payload, checksum: 'partial' });
      const mark = (frame: Frame): void => {
        Object.assign(frame, { gsoType: Gso.udpL4, gsoSize: 100, checksumOffset: 6, ownUdp: 1 });
        frame.checksumStart = frame.start + transportAt;
      };
      const piecesWith = (checksum: TransportFields['checksum']): Uint8Array[] =>
        Array.from({ length: 7 }, (_, index) =>
          frameOf({
            ...fields,
            identification: (fields.identification + index) & 0xffff,
            payload: payload.subarray(100 * index, 100 * index + 100),
            checksum,
          }),
        );
      assert.deepEqual(await exchange(wire, [octets], mark, 7), piecesWith('complete'), 'by the kernel');
      const [joined] = await exchange(whole, [octets], mark, 1);
      assert.equal(joined!.length, payloadAt + 650);
      wire.port.setJoins(false);
      const apart = await exchange(wire, [octets], mark, 7);
      wire.port.setJoins(true);
      assert.deepEqual(apart, piecesWith(family === 4 ? 'none' : 'complete'), 'in the addon');
    }
  });

  it('a lone one of them as it was, without a checksum', async () => {
    const [frame] = train(1, { checksum: 'none' });
    assert.deepEqual(await exchange(wire, [frame!], (one) => (one.ownUdp = 1)), [frame]);
  });

  it('no more when the device can no longer be trusted with them', async () => {
    whole.port.setJoins(false);
    const frames = train(5);
    assert.deepEqual(await exchange(whole, frames), frames);
    whole.port.setJoins(true);
  });
});

test('what a device says of itself decides whether it joins', () => {
  const offloads = ['tx-scatter-gather', 'tx-generic-segmentation', 'tx-tcp-accecn-segmentation'];
  assert.equal(mayJoin({ bus: '0000:00:03.0', active: [...offloads, 'tx-udp-segmentation'] }), true);
  assert.equal(mayJoin({ bus: 'virtio0', active: ['tx-checksum-ip-generic'] }), true);
  assert.equal(mayJoin({ bus: '', active: offloads }), true);
  for (const unfinished of ['tx-udp-segmentation', 'tx-checksum-ip-generic', 'tx-tcp6-segmentation']) {
    assert.equal(mayJoin({ bus: '', active: [...offloads, unfinished] }), false);
    assert.equal(mayJoin({ bus: 'tap', active: [...offloads, unfinished] }), false);
  }
});
