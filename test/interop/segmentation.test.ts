// Our segmentation against the kernel's: the same super-frames, seen before the kernel cuts them, and after.
//
//   sender  e0 ──── e0  middle (bridge)  e1 ──── e0  receiver
//           TSO, USO on                  off: the kernel segments here, in software

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Frame, FrameBatch, Gso } from '../../src/packet/frame.ts';
import { segment } from '../../src/packet/segment.ts';
import { arenaWithPool, toHex } from '../support/octets.ts';
import { Capture } from './harness/capture.ts';
import { addKernelBridge } from './harness/kernel-vxlan.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { delay } from './harness/wait.ts';

const RECEIVER = { 4: '10.9.1.2', 6: '2001:db8::2' } as const;
const TCP_OCTETS = 600_000;
const UDP_SENDS = 12;
const UDP_SEGMENT_OCTETS = 1200;
const UDP_SEND_OCTETS = 20_000;

const TCP_RECEIVER = `
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = socket.socket(family, socket.SOCK_STREAM)
server.bind((sys.argv[1], 5001)); server.listen(1)
print("ready", flush=True)
connection, _ = server.accept()
while connection.recv(65536): pass
`;
const TCP_SENDER = `
import socket, sys
connection = socket.create_connection((sys.argv[1], 5001))
connection.sendall(bytes(range(256)) * (${TCP_OCTETS} // 256)); connection.close()
`;
// UDP_SEGMENT is option 103 of level 17 (linux/udp.h).
const UDP_SENDER = `
import socket, sys, time
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
sender = socket.socket(family, socket.SOCK_DGRAM)
sender.setsockopt(17, 103, ${UDP_SEGMENT_OCTETS})
for index in range(${UDP_SENDS}):
    sender.sendto(bytes([index]) * ${UDP_SEND_OCTETS}, (sys.argv[1], 5001)); time.sleep(0.01)
`;

/** The frames of a little-endian pcap file. */
function readPcap(file: string): Buffer[] {
  const data = readFileSync(file);
  const frames: Buffer[] = [];
  for (let at = 24; at < data.length;) {
    const octets = data.readUInt32LE(at + 8);
    frames.push(data.subarray(at + 16, at + 16 + octets));
    at += 16 + octets;
  }
  return frames;
}

async function buildPath(): Promise<{ sender: Namespace; middle: Namespace; receiver: Namespace }> {
  const sender = await Namespace.create('sender');
  const middle = await Namespace.create('middle');
  const receiver = await Namespace.create('receiver');
  await connect([sender, 'e0'], [middle, 'e0'], { offloads: true });
  await connect([middle, 'e1'], [receiver, 'e0'], { offloads: false });
  await addKernelBridge(middle, 'br0', ['e0', 'e1']);
  await sender.addAddress('e0', '10.9.1.1/24', '2001:db8::1/64');
  await receiver.addAddress('e0', `${RECEIVER[4]}/24`, `${RECEIVER[6]}/64`);
  return { sender, middle, receiver };
}

/** What the sender's traffic was before and behind the kernel's segmentation. */
async function observe(protocol: 'tcp' | 'udp', family: 4 | 6): Promise<{ before: Buffer[]; behind: Set<string> }> {
  const { sender, middle, receiver } = await buildPath();
  const address = RECEIVER[family];
  const directory = makeDirectory('segments');
  const filter = `${protocol} dst port 5001`;
  const server = receiver.start(['python3', '-c', TCP_RECEIVER, address]);
  await server.expect(/ready/, 5);
  const before = await Capture.start(middle, 'e0', `${directory}/before.pcap`, { filter, direction: 'in' });
  const behind = await Capture.start(receiver, 'e0', `${directory}/behind.pcap`, { filter, direction: 'in' });
  await sender.run(['python3', '-c', protocol === 'tcp' ? TCP_SENDER : UDP_SENDER, address], { seconds: 20 });
  await delay(300);
  await before.stop(1);
  await behind.stop(1);
  return { before: readPcap(before.file), behind: new Set(readPcap(behind.file).map(toHex)) };
}

describe('segmentation', () => {
  for (const protocol of ['tcp', 'udp'] as const) {
    for (const family of [4, 6] as const) {
      it(`cuts ${protocol} over IPv${family} into the same octets as the kernel`, async () => {
        const { before, behind } = await observe(protocol, family);
        const { arena, pool, offset } = arenaWithPool(80_000, { smallSlots: 64, largeSlots: 0 });
        const gsoType = protocol === 'udp' ? Gso.udpL4 : family === 4 ? Gso.tcp4 : Gso.tcp6;
        const headerOctets = 14 + (family === 4 ? 20 : 40) + (protocol === 'udp' ? 8 : 32);
        const gsoSize = protocol === 'udp' ? UDP_SEGMENT_OCTETS : 1514 - headerOctets;
        const superFrames = before.filter((octets) => octets.length > headerOctets + gsoSize);
        assert.ok(superFrames.length >= 5, `${superFrames.length} super-frames of ${before.length} frames`);
        let segments = 0;
        for (const octets of superFrames) {
          arena.bytes.set(octets, offset);
          const frame = Object.assign(new Frame(), { start: offset, end: offset + octets.length, gsoType, gsoSize });
          // The sender's kernel leaves every checksum of a super-frame unfinished.
          frame.checksumStart = offset + headerOctets - (protocol === 'udp' ? 8 : 32);
          const into = new FrameBatch();
          assert.equal(segment(pool, frame, into), 0);
          for (let index = 0; index < into.length; index++) {
            const { start, end } = into.frames[index]!;
            const ours = toHex(arena.bytes.subarray(start, end));
            assert.ok(behind.has(ours), `segment ${index} of ${into.length} is not what the kernel made: ${ours}`);
            pool.release(into.frames[index]!);
          }
          segments += into.length;
        }
        assert.ok(segments >= 100, `${segments} segments`);
      });
    }
  }
});
