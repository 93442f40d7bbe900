import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Drop } from '../../../src/core/drop-reason.ts';
import { Arena } from '../../../src/packet/arena.ts';
import { Frame } from '../../../src/packet/frame.ts';
import {
  CaptureReader,
  type CaptureRecord,
  CaptureWriter,
  createCaptureMemory,
  INTEREST_DROPPED,
  INTEREST_FRAMES,
} from '../../../src/pipeline/capture.ts';
import { Direction } from '../../../src/pipeline/tap.ts';
import { fromHex, toHex } from '../../support/octets.ts';

const START = 256;

function setUp(ringOctets = 4096) {
  const memory = createCaptureMemory({ points: 16, ringOctets });
  const arena = new Arena(new ArrayBuffer(70_000));
  let timeMs = 1_000_000_000_000.25;
  const writer = new CaptureWriter(memory, arena, () => (timeMs += 1));
  const reader = new CaptureReader(memory);
  const frameOf = (octets: Uint8Array, change: Partial<Frame> = {}): Frame => {
    arena.bytes.set(octets, START);
    return Object.assign(new Frame(), { start: START, end: START + octets.length }, change);
  };
  const drain = (): CaptureRecord[] => {
    const records: CaptureRecord[] = [];
    reader.drain((record) => records.push(record));
    return records;
  };
  return { writer, reader, frameOf, drain };
}

const FRAME = fromHex('ffffffffffff 02aa00000001 0800 4500 0014');

describe('capture ring', () => {
  it('is idle until somebody wants something', () => {
    const { writer, reader, frameOf, drain } = setUp();
    assert.deepEqual([writer.passing, writer.dropped], [false, false]);
    writer.recordPass(frameOf(FRAME), 3, Direction.inbound);
    reader.want(new Map([[3, INTEREST_FRAMES]]), 0, 100);
    assert.deepEqual([writer.passing, writer.dropped], [true, false]);
    reader.want(new Map([[3, INTEREST_DROPPED]]), 0, 100);
    assert.deepEqual([writer.passing, writer.dropped], [false, true]);
    reader.want(new Map(), 0, 0);
    assert.deepEqual([writer.passing, writer.dropped], [false, false]);
    assert.deepEqual(drain(), []);
  });

  it('takes what is wanted of each point, and nothing else', () => {
    const { writer, reader, frameOf, drain } = setUp();
    reader.want(
      new Map([
        [3, INTEREST_FRAMES],
        [4, INTEREST_DROPPED],
      ]),
      0,
      100,
    );
    for (const row of [3, 4, 5]) {
      writer.recordPass(frameOf(FRAME), row, Direction.outbound);
      writer.recordDrop(frameOf(FRAME), Drop.sameMember, row);
    }
    const records = drain();
    assert.deepEqual(
      records.map(({ point, direction, verdict }) => [point, direction, verdict]),
      [
        [3, Direction.outbound, 0],
        [4, 0, Drop.sameMember],
      ],
    );
    assert.equal(toHex(records[0]!.octets), toHex(FRAME));
    assert.equal(records[0]!.originalOctets, FRAME.length);
    assert.equal(records[1]!.timeMs - records[0]!.timeMs, 1);
    reader.want(new Map(), INTEREST_DROPPED, 100);
    writer.recordDrop(frameOf(FRAME), Drop.noRoute, 9);
    assert.equal(drain().length, 1);
  });

  it('puts the tag back, at any snap length', () => {
    const tagged = `${toHex(FRAME.subarray(0, 12))}81006064${toHex(FRAME.subarray(12))}`;
    const { writer, reader, frameOf, drain } = setUp();
    for (const snaplen of [5, 12, 14, 16, 17, 100]) {
      reader.want(new Map([[1, INTEREST_FRAMES]]), 0, snaplen);
      writer.recordPass(frameOf(FRAME, { vlanTpid: 0x8100, vlanTci: 0x6064 }), 1, Direction.inbound);
      const [record] = drain();
      assert.equal(toHex(record!.octets), tagged.slice(0, 2 * snaplen));
      assert.equal(record!.originalOctets, FRAME.length + 4);
    }
  });

  it('shows what is dropped while it is decapsulated as it arrived', () => {
    const { writer, reader, frameOf, drain } = setUp();
    reader.want(new Map(), INTEREST_DROPPED, 100);
    const change = { start: START + 8, outerStart: START, outer3: 7, outerPort: 50_000, outerTos: 3 };
    writer.recordDrop(frameOf(FRAME, { ...change, end: START + FRAME.length, member: 2 }), Drop.unknownVni, 1);
    writer.recordDrop(frameOf(FRAME, { ...change, end: START + FRAME.length }), Drop.unknownVni, 1);
    const [overEthernet, overSocket] = drain();
    assert.equal(toHex(overEthernet!.octets), toHex(FRAME));
    assert.deepEqual([overEthernet!.isDatagram, overSocket!.isDatagram], [false, true]);
    assert.equal(overEthernet!.isCarrier, true);
    writer.recordDrop(frameOf(FRAME), Drop.unknownVni, 1);
    assert.equal(drain()[0]!.isCarrier, false);
    assert.deepEqual([overSocket!.outer, overSocket!.outerPort, overSocket!.outerTos], [[0, 0, 0, 7], 50_000, 3]);
  });

  it('says how long a frame was that the ring of the port has cut', () => {
    const { writer, reader, frameOf, drain } = setUp();
    reader.want(new Map(), INTEREST_FRAMES, 100);
    writer.recordPass(frameOf(FRAME, { truncatedFrom: 9000 }), 1, Direction.inbound);
    assert.equal(drain()[0]!.originalOctets, 9000);
  });

  it('loses records when it is full, counts them, and goes on', () => {
    const { writer, reader, frameOf, drain } = setUp(512);
    reader.want(new Map(), INTEREST_FRAMES, 100);
    for (let index = 0; index < 20; index++) writer.recordPass(frameOf(FRAME), index % 16, Direction.inbound);
    const before = drain();
    assert.ok(before.length >= 6);
    assert.equal(reader.lost, 20 - before.length);
    writer.recordPass(frameOf(FRAME), 7, Direction.inbound);
    assert.deepEqual(
      drain().map(({ point }) => point),
      [7],
    );
  });

  it('keeps order and octets over any sequence of writes and reads', () => {
    const step = fc.oneof(fc.constant(-1), fc.integer({ min: 1, max: 300 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { writer, reader, frameOf, drain } = setUp(2048);
        reader.want(new Map(), INTEREST_FRAMES, 400);
        const wanted: string[] = [];
        const seen: string[] = [];
        let lost = 0;
        steps.forEach((octets, index) => {
          if (octets === -1) {
            seen.push(...drain().map((record) => toHex(record.octets)));
            return;
          }
          const frame = new Uint8Array(octets).fill(index);
          writer.recordPass(frameOf(frame), 1, Direction.inbound);
          if (reader.lost === lost) wanted.push(toHex(frame));
          lost = reader.lost;
        });
        seen.push(...drain().map((record) => toHex(record.octets)));
        assert.deepEqual(seen, wanted);
      }),
    );
  });
});
