// What a port slot does for a port that can only send whole frames.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PortSlot } from '../../../src/assembly/dataplaned/port-slot.ts';
import { checksumAddWords, checksumFinish } from '../../../src/core/checksum.ts';
import { Column, CounterTable } from '../../../src/core/counters.ts';
import { Drop } from '../../../src/core/drop-reason.ts';
import { Arena } from '../../../src/packet/arena.ts';
import { type Frame, Gso } from '../../../src/packet/frame.ts';
import { FramePool } from '../../../src/packet/pool.ts';
import { findTransport, transport } from '../../../src/packet/transport.ts';
import { Book, createBooks, imbalance } from '../../../src/pipeline/books.ts';
import { Disposal } from '../../../src/pipeline/disposal.ts';
import { NullTap } from '../../../src/pipeline/tap.ts';
import type { Port } from '../../../src/port/port.ts';
import { transportFrame, type TransportFields } from '../../support/transport-frames.ts';

const ROW = 3;
const FIELDS: TransportFields = {
  family: 4,
  protocol: 'tcp',
  tags: [],
  ipOptions: new Uint8Array(),
  identification: 7,
  sequence: 1000,
  flags: 0x10,
  tcpOptions: new Uint8Array(),
  payload: new Uint8Array(5000).map((_, index) => index),
  checksum: 'partial',
};

function rig(needsFinished: boolean | undefined, sizes = { smallSlots: 32, largeSlots: 4 }) {
  const arena = new Arena(new ArrayBuffer(1 << 20));
  const pool = new FramePool(arena, 4096, sizes);
  const counters = new CounterTable(8);
  const disposal = new Disposal(createBooks(), counters, pool, new NullTap());
  const sent: { octets: number; sum: number; gsoType: number; checksumStart: number }[] = [];
  const port: Port = {
    name: 'p',
    medium: 'ethernet',
    index: 0,
    maxFrameOctets: 1514,
    descriptors: [],
    isUp: true,
    counters: { receiveOverruns: 0 },
    needsFinished,
    receive: () => 0,
    transmit: ({ frames, length }) => {
      for (const { start, end, gsoType, checksumStart } of frames.slice(0, length)) {
        assert.ok(findTransport(arena.bytes, start, end));
        const { start: from, end: to, pseudoHeaderSum } = transport;
        const sum = checksumFinish(checksumAddWords(arena.bytes, arena.words, from, to, pseudoHeaderSum));
        sent.push({ octets: end - start, sum, gsoType, checksumStart });
      }
    },
    close: () => undefined,
  };
  const slot = new PortSlot(port, ROW, disposal);
  /** The frame as a ring would hand it over. */
  const push = (fields: Partial<TransportFields>, gsoSize: number): void => {
    const { octets, transportAt } = transportFrame({ ...FIELDS, ...fields });
    const frame: Frame = pool.acquire(octets.length)!;
    arena.bytes.set(octets, frame.start);
    frame.end = frame.start + octets.length;
    frame.checksumStart = frame.start + transportAt;
    frame.checksumOffset = 16;
    frame.gsoType = gsoSize === 0 ? Gso.none : Gso.tcp4;
    frame.gsoSize = gsoSize;
    disposal.books[Book.received]! += 1;
    slot.push(frame);
    slot.flush();
    assert.equal(imbalance(disposal.books), 0);
    assert.equal(pool.free, sizes.smallSlots + sizes.largeSlots);
  };
  return { sent, push, disposal, counters };
}

describe('a port that can only send whole frames', () => {
  it('gets a super-frame in segments with right checksums', () => {
    const { sent, push, disposal } = rig(true);
    push({}, 1460);
    assert.deepEqual(
      sent.map(({ octets }) => octets),
      [1514, 1514, 1514, 674],
    );
    assert.ok(sent.every(({ sum, gsoType, checksumStart }) => sum === 0 && gsoType === 0 && checksumStart === 0));
    assert.equal(disposal.books[Book.originated], 4);
    assert.equal(disposal.books[Book.transmitted], 4);
  });

  it('gets an unfinished checksum finished', () => {
    const { sent, push } = rig(true);
    push({ payload: new Uint8Array(333) }, 0);
    assert.deepEqual(sent, [{ octets: 387, sum: 0, gsoType: 0, checksumStart: 0 }]);
  });

  it('gets nothing of what cannot be segmented, which is dropped by name', () => {
    const { sent, push, counters } = rig(true, { smallSlots: 1, largeSlots: 1 });
    push({}, 1460);
    assert.deepEqual(sent, []);
    assert.equal(counters.read(ROW, Column.drops + Drop.noBuffer), 1);
  });
});

it('any other port gets them as they are', () => {
  const { sent, push } = rig(undefined);
  push({}, 1460);
  assert.equal(sent.length, 1);
  assert.ok(sent[0]!.octets > 5000 && sent[0]!.gsoType === Gso.tcp4 && sent[0]!.checksumStart !== 0);
});
