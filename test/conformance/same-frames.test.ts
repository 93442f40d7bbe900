// What tcpreplay sends from one capture file, every adapter receives with the same octets: libpcap and the packet ring from
// the same device at the same time, AF_XDP from another replay, and the file itself.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadAddon } from '../../src/native/addon.ts';
import { Arena, ArenaAllocator } from '../../src/packet/arena.ts';
import { AfXdpPort, openAfXdp } from '../../src/port/af-xdp.ts';
import { CaptureFilePort, openCaptureFile } from '../../src/port/capture-file.ts';
import { openPacketRing, PacketRingPort } from '../../src/port/packet-ring.ts';
import { openPcap, PcapPort, releasePcap } from '../../src/port/pcap.ts';
import type { Port } from '../../src/port/port.ts';
import { insertVlanTag } from '../../src/wire/ethernet.ts';
import { pcapngInterface, pcapngPacket, pcapngSectionHeader } from '../../src/wire/pcapng.ts';
import { transportFrame, type TransportFields } from '../support/transport-frames.ts';
import { addVeth, spawnIn } from '../lib/namespace.ts';
import { PacketPeer } from '../lib/packet-peer.ts';
import { octetsOf, receiveAll } from './port-suite.ts';

const loaded = loadAddon();
assert.ok(loaded.addon !== undefined, loaded.addon === undefined ? loaded.reason : '');
const { addon } = loaded;
const ARENA_OCTETS = 2 ** 30;
const arenaHandle = addon.arenaCreate(ARENA_OCTETS);
const arena = new Arena(addon.arenaBuffer(arenaHandle));
const allocator = new ArenaAllocator(ARENA_OCTETS);
const now = (): number => performance.now();
const directory = mkdtempSync(join(tmpdir(), 'wideplane-frames-'));
after(() => rmSync(directory, { recursive: true }));

/** TCP and UDP of both families, with right, wrong and no checksums, tagged and not, of many sizes. */
function frames(): Uint8Array[] {
  const made: Uint8Array[] = [];
  for (let index = 0; index < 300; index++) {
    const fields: TransportFields = {
      family: index % 3 === 0 ? 6 : 4,
      protocol: index % 2 === 0 ? 'udp' : 'tcp',
      tags: index % 5 === 0 ? [[0x8100, (index % 8) * 0x2000 + 100]] : [],
      ipOptions: new Uint8Array(),
      identification: index,
      sequence: index * 1000,
      flags: 0x10,
      tcpOptions: new Uint8Array(),
      payload: new Uint8Array(20 + ((index * 37) % 1400)).map((_, at) => at + index),
      checksum: index % 7 === 0 && index % 3 !== 0 ? 'none' : 'complete',
    };
    const { octets } = transportFrame(fields);
    // Some arrive with an octet that is wrong: whoever finishes checksums must leave those alone.
    if (index % 11 === 0) octets[octets.length - 1]! ^= 0xff;
    made.push(octets);
  }
  return made;
}

async function receive(port: Port, count: number): Promise<Uint8Array[]> {
  const received: Uint8Array[] = [];
  await receiveAll(port, count, (batch) => {
    for (let index = 0; index < batch.length; index++) {
      const frame = batch.frames[index]!;
      // A tag that the kernel keeps beside the frame belongs into it.
      if (frame.vlanTpid !== 0) {
        frame.start = insertVlanTag(arena.bytes, frame.start, frame.vlanTpid, frame.vlanTci);
      }
      received.push(octetsOf(arena, frame));
    }
  });
  return received;
}

const hex = (octets: Uint8Array | undefined): string => Buffer.from(octets ?? []).toString('hex');

/** Frame by frame, so that a failure names the first that differs. */
function assertSame(received: readonly Uint8Array[], sent: readonly Uint8Array[], adapter: string): void {
  for (const [index, octets] of sent.entries()) {
    assert.equal(hex(received[index]), hex(octets), `${adapter}, frame ${index} of ${received.length}`);
  }
  assert.equal(received.length, sent.length);
}

test('every adapter receives the same octets of what tcpreplay sends', async (t) => {
  const sent = frames();
  const file = join(directory, 'frames.pcapng');
  const description = { name: 'a', description: '', linkType: 1, snaplen: 0 };
  const packets = sent.map((octets, index) =>
    pcapngPacket({
      interfaceId: 0,
      timeNs: 1_700_000_000_000_000_000n + BigInt(index) * 100_000n,
      octets,
      originalOctets: octets.length,
      direction: 0,
      comment: '',
    }),
  );
  writeFileSync(file, Buffer.concat([pcapngSectionHeader('test'), pcapngInterface(description), ...packets]));

  const files = openCaptureFile(allocator, { index: 4, name: '9.1', timed: false, delayMs: 0, replay: file });
  const fromFile = await receive(
    new CaptureFilePort(arena, files, { now, epoch: () => performance.timeOrigin + now() }),
    sent.length,
  );
  assertSame(fromFile, sent, 'capture-file');

  addVeth('here', 'there', 'peer');
  const replay = async (): Promise<void> => {
    const child = spawnIn('peer', 'tcpreplay', '-q', '-i', 'there', '-p', '5000', file);
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  };
  const { index: deviceIndex, mtu } = addon.deviceQuery('here');
  const options = { name: 'here', device: 'here' };
  const ringDescription = openPacketRing(addon, arenaHandle, allocator, { index: 1, ...options });
  const ring = new PacketRingPort(addon, ringDescription, now);
  const pcapDescription = openPcap(arena, allocator, {
    index: 2,
    ...options,
    deviceIndex,
    mtu,
    isUp: true,
    addon: undefined,
    arrived: () => undefined,
  });
  const pcap = new PcapPort(undefined, arena, pcapDescription);
  t.after(() => releasePcap(allocator, pcapDescription));
  // libpcap loses the first that it gets after its filter was set.
  const peer = new PacketPeer('peer', 'ethernet', 'there');
  await peer.ready;
  t.after(() => peer.close());
  await peer.send({ prefix: sent[0]!.subarray(0, 14), first: 0, count: 2, octets: 60, every: 1, pause: 0.05 });
  await receive(ring, 2);
  await receive(pcap, 1);
  const [fromRing, fromPcap] = await Promise.all([receive(ring, sent.length), receive(pcap, sent.length), replay()]);
  assertSame(fromRing, sent, 'packet-ring');
  assertSame(fromPcap, sent, 'pcap');
  ring.close();

  const xdp = new AfXdpPort(addon, arena, openAfXdp(addon, arenaHandle, allocator, { index: 3, ...options }), now);
  const [fromXdp] = await Promise.all([receive(xdp, sent.length), replay()]);
  assertSame(fromXdp, sent, 'af-xdp');
  xdp.close();
});
