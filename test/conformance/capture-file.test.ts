// beside others
// Capture files as a port: the other side writes the file that is replayed, and reads the one that is recorded.

import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, test } from 'node:test';
import { Drop } from '../../src/core/drop-reason.ts';
import { Arena, ArenaAllocator } from '../../src/packet/arena.ts';
import { FrameBatch } from '../../src/packet/frame.ts';
import {
  type CaptureFileDescription,
  type CaptureFileOptions,
  CaptureFilePort,
  openCaptureFile,
  releaseCaptureFile,
} from '../../src/port/capture-file.ts';
import { CaptureParser, CaptureStep } from '../../src/wire/capture-parser.ts';
import { LinkType, pcapngInterface, pcapngPacket, pcapngSectionHeader } from '../../src/wire/pcapng.ts';
import { run } from '../lib/namespace.ts';
import { numbered } from '../lib/packet-peer.ts';
import { type Harness, octetsOf, placeFrame, portSuite, receiveAll } from './port-suite.ts';

const ARENA_OCTETS = 256 << 20;
const arena = new Arena(new ArrayBuffer(ARENA_OCTETS));
const allocator = new ArenaAllocator(ARENA_OCTETS);
const clocks = { now: () => performance.now(), epoch: () => performance.timeOrigin + performance.now() };
const directory = mkdtempSync(join(tmpdir(), 'wideplane-capture-'));
after(() => rmSync(directory, { recursive: true }));

const PREFIX = Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5]);

let files = 0;
const fresh = (): string => join(directory, `${files++}.pcapng`);

const open = (options: Partial<CaptureFileOptions>): [CaptureFilePort, CaptureFileDescription] => {
  const description = openCaptureFile(allocator, { index: 2, name: '9.1', timed: false, delayMs: 0, ...options });
  return [new CaptureFilePort(arena, structuredClone(description), clocks), description];
};
const close = (port: CaptureFilePort, description: CaptureFileDescription): void => {
  port.close();
  releaseCaptureFile(allocator, description);
};

const head = (linkType: number = LinkType.ethernet): Uint8Array =>
  Buffer.concat([pcapngSectionHeader('test'), pcapngInterface({ name: 'a', description: '', linkType, snaplen: 0 })]);
const block = (octets: Uint8Array, timeNs = 0n, originalOctets = octets.length): Uint8Array =>
  pcapngPacket({ interfaceId: 0, timeNs, octets, originalOctets, direction: 1, comment: '' });

function readBack(file: string): Uint8Array[] {
  const bytes = readFileSync(file);
  const parser = new CaptureParser();
  const packets: Uint8Array[] = [];
  for (let at = 0; parser.next(bytes, at, bytes.length) === CaptureStep.packet; at = parser.consumed) {
    packets.push(Uint8Array.from(bytes.subarray(parser.octetsAt, parser.octetsAt + parser.octets)));
  }
  assert.equal(parser.consumed, bytes.length);
  return packets;
}

portSuite({
  name: 'capture files',
  open: () => {
    const [replay, record] = [fresh(), fresh()];
    writeFileSync(replay, head());
    const [port, description] = open({ replay, record });
    let taken = 0;
    return Promise.resolve<Harness>({
      port,
      arena,
      allocator,
      prefix: PREFIX,
      send: (first, count, octets) => {
        const blocks = Array.from({ length: count }, (_, index) => block(numbered(PREFIX, first + index, octets)));
        appendFileSync(replay, Buffer.concat(blocks));
        return Promise.resolve();
      },
      collect: (count) => {
        const packets = readBack(record).slice(taken, taken + count);
        taken += packets.length;
        return Promise.resolve(packets);
      },
      address: () => undefined,
      setLink: (isUp) => {
        port.setUp(isUp);
        return Promise.resolve();
      },
      lostOnTheWay: () => 0,
      release: () => {
        releaseCaptureFile(allocator, description);
        return Promise.resolve();
      },
    });
  },
  cycle: () => close(...open({ record: join(directory, 'cycle.pcapng') })),
  sizes: [60, 64, 128, 1000, 1514, 9230],
  tooLong: 65_600,
  flood: undefined,
});

describe('replay', () => {
  it('keeps the intervals of the file', async () => {
    const replay = fresh();
    const times = [1_000_000_000n, 1_000_000_000n, 1_050_000_000n, 1_200_000_000n];
    const packets = times.map((timeNs, index) => block(numbered(PREFIX, index, 100), timeNs));
    writeFileSync(replay, Buffer.concat([head(), ...packets]));
    const [port, description] = open({ replay, timed: true, delayMs: 30 });
    const startMs = performance.now();
    assert.ok(port.dueMs() > 20 && port.dueMs() <= 30);
    const arrivals: number[] = [];
    await receiveAll(port, 4, ({ length }) => {
      for (let index = 0; index < length; index++) arrivals.push(performance.now() - startMs);
    });
    assert.equal(arrivals.length, 4);
    for (const [index, dueMs] of [30, 30, 80, 230].entries()) {
      assert.ok(
        arrivals[index]! >= dueMs - 1 && arrivals[index]! < dueMs + 100,
        `frame ${index}: ${arrivals[index]} ms`,
      );
    }
    close(port, description);
  });

  it('gives a frame of which the file has only a part as cut short', async () => {
    const replay = fresh();
    writeFileSync(replay, Buffer.concat([head(), block(numbered(PREFIX, 0, 100), 0n, 1500)]));
    const [port, description] = open({ replay });
    const seen: number[] = [];
    await receiveAll(port, 1, (batch) => {
      for (let index = 0; index < batch.length; index++) seen.push(batch.frames[index]!.truncatedFrom);
    });
    assert.deepEqual(seen, [1500]);
    close(port, description);
  });

  it('leaves out and counts what is not Ethernet, and says so', async () => {
    const replay = fresh();
    const other = block(Uint8Array.of(0x45, 0));
    const sections = [head(LinkType.raw), other, other, head(), block(numbered(PREFIX, 0, 60))];
    writeFileSync(replay, Buffer.concat(sections));
    const [port, description] = open({ replay });
    assert.match(description.warnings.join(), /2 of 3 packets are not Ethernet/);
    assert.equal(await receiveAll(port, 1, () => undefined), 1);
    assert.equal(port.counters.receiveOverruns, 2);
    close(port, description);
  });

  it('replays what is whole of a file that was cut, and says where', async () => {
    const replay = fresh();
    const whole = Buffer.concat([head(), block(numbered(PREFIX, 0, 60)), block(numbered(PREFIX, 1, 60))]);
    writeFileSync(replay, whole.subarray(0, whole.length - 10));
    const [port, description] = open({ replay });
    assert.match(description.warnings.join(), /at octet \d+: cut short; the 1 packets before are replayed/);
    assert.equal(await receiveAll(port, 2, () => undefined, 300), 1);
    close(port, description);
  });

  for (const [what, octets, message] of [
    ['is no capture', Buffer.from('net interface 1.1 { }\n'), /neither pcap nor pcapng/],
    ['is empty', Buffer.alloc(0), /at octet 0: cut short/],
    ['holds no Ethernet', Buffer.concat([head(LinkType.raw), block(Uint8Array.of(0x45))]), /of link type Ethernet/],
  ] as const) {
    it(`refuses a file that ${what}, by its name`, () => {
      const replay = fresh();
      writeFileSync(replay, octets);
      assert.throws(
        () => open({ replay }),
        (error: Error) => message.test(error.message) && error.message.includes(replay),
      );
    });
  }

  it('refuses a file that does not exist, or is a directory', () => {
    assert.throws(() => open({ replay: join(directory, 'absent') }), /replay-file .*absent: .*ENOENT/);
    assert.throws(() => open({ replay: directory }), /is not a regular file/);
  });
});

describe('record', () => {
  const transmit = (port: CaptureFilePort, octets: Uint8Array): number[] => {
    const at = allocator.allocate(1 << 20)!;
    const batch = new FrameBatch();
    batch.push(placeFrame(arena, at, octets));
    const refused: number[] = [];
    port.transmit(batch, (_, why) => refused.push(why));
    allocator.release(at, 1 << 20);
    return refused;
  };

  it('goes on with a file of its own, which tshark reads', () => {
    const record = fresh();
    for (let round = 0; round < 2; round++) {
      const [port, description] = open({ record });
      assert.deepEqual(transmit(port, numbered(PREFIX, round, 70)), []);
      close(port, description);
    }
    const fields = ['-T', 'fields', '-e', 'frame.len', '-e', 'eth.type', '-e', 'frame.interface_name'];
    const lines = run('tshark', '-r', record, ...fields)
      .trim()
      .split('\n');
    assert.deepEqual(lines, ['70\t0x88b5\t9.1', '70\t0x88b5\t9.1']);
    const seconds = Number(run('tshark', '-r', record, '-T', 'fields', '-e', 'frame.time_epoch').split('\n')[0]);
    assert.ok(Math.abs(seconds - Date.now() / 1000) < 60);
  });

  it('refuses to write behind what is no pcapng', () => {
    const record = fresh();
    writeFileSync(record, 'something else');
    assert.throws(() => open({ record }), /record-file .*no whole pcapng file/);
    assert.equal(readFileSync(record, 'utf8'), 'something else');
  });

  it('refuses frames that the disk has no room for, and leaves no half of one', () => {
    const mount = join(directory, 'small');
    run('mkdir', mount);
    run('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mount);
    const file = join(mount, 'full.pcapng');
    const [port, description] = open({ record: file });
    const refused = Array.from({ length: 60 }, (_, index) => transmit(port, numbered(PREFIX, index, 2000))).flat();
    assert.ok(refused.length > 20 && refused.every((why) => why === Drop.transmitError));
    assert.equal(readBack(file).length, 60 - refused.length);
    close(port, description);
    run('umount', mount);
  });
});

test('a recording is replayed with equal octets, and those that tcpdump writes are too', async () => {
  const record = fresh();
  const [recorder, recorderDescription] = open({ record });
  const at = allocator.allocate(8 << 20)!;
  const batch = new FrameBatch();
  const sent = Array.from({ length: 500 }, (_, index) => numbered(PREFIX, index, 60 + (index % 1400)));
  for (const [index, octets] of sent.entries()) batch.push(placeFrame(arena, at + index * 4096, octets));
  recorder.transmit(batch, () => assert.fail('refused'));
  close(recorder, recorderDescription);
  const asPcap = fresh();
  run('tcpdump', '-q', '-r', record, '-w', asPcap);
  for (const replay of [record, asPcap]) {
    const [port, description] = open({ replay });
    const received: Uint8Array[] = [];
    await receiveAll(port, 500, ({ frames, length }) => {
      for (let index = 0; index < length; index++) received.push(octetsOf(arena, frames[index]!));
    });
    assert.deepEqual(received, sent);
    close(port, description);
  }
  allocator.release(at, 8 << 20);
});
