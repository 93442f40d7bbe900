// What every packet I/O adapter has to do (src/port/port.ts), run for each by memory.test.ts, packet-ring.test.ts and
// udp.test.ts. The other side is a kernel socket of another program, save for the memory ports, whose peer is a port too.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { DROP_NAMES } from '../../src/core/drop-reason.ts';
import type { Arena, ArenaAllocator } from '../../src/packet/arena.ts';
import { BURST, Frame, FrameBatch, HEADROOM_OCTETS } from '../../src/packet/frame.ts';
import type { Port } from '../../src/port/port.ts';
import { eventually } from '../lib/namespace.ts';
import { numbered, numberOf } from '../lib/packet-peer.ts';

/** An open port and its other side. */
export type Harness = {
  readonly port: Port;
  readonly arena: Arena;
  readonly allocator: ArenaAllocator;
  /** What each numbered frame starts with: a MAC header, or nothing. */
  readonly prefix: Uint8Array;
  /** Sends numbered frames to the port; resolves when they have left. */
  send(first: number, count: number, octets: number): Promise<void>;
  /** Frames that the other side receives, in order; fewer when they do not come within the seconds. */
  collect(count: number, seconds?: number): Promise<Uint8Array[]>;
  /** Says where a frame shall go; nothing for medium `ethernet`. */
  address(frame: Frame): void;
  /** Takes the link down or up and tells the port. */
  setLink(isUp: boolean): Promise<void>;
  /** Frames that the kernel lost on the way, not at the port, since the harness was made. */
  lostOnTheWay(): number;
  /** Closes the other side; the port has been closed. */
  release(): Promise<void>;
};

export type SuiteOptions = {
  name: string;
  /** Opens everything anew. */
  open: () => Promise<Harness>;
  /** Opens and closes only the port, and releases its memory. */
  cycle: (harness: Harness) => void;
  /** Sizes of frames that must pass, in octets. */
  sizes: readonly number[];
  /** A size that is refused with transmitTooLong. */
  tooLong: number;
  /** Frames of 1000 octets that are more than the port can hold; undefined for a port that cannot lose any. */
  flood: number | undefined;
};

/** Receives until `count` frames came or nothing came for a while; hands each batch over while it is valid. */
export async function receiveAll(
  port: Port,
  count: number,
  visit: (batch: FrameBatch) => void,
  quietMs = 1000,
): Promise<number> {
  const batch = new FrameBatch();
  let total = 0;
  let last = performance.now();
  while (total < count && performance.now() - last < quietMs) {
    batch.clear();
    const received = port.receive(batch);
    assert.equal(batch.length, received);
    assert.ok(received <= BURST);
    if (received === 0) await new Promise((resolve) => setImmediate(resolve));
    else last = performance.now();
    total += received;
    visit(batch);
  }
  return total;
}

/** A frame with these octets, in memory of its own from `at` on. */
export function placeFrame(arena: Arena, at: number, octets: Uint8Array): Frame {
  const frame = new Frame();
  frame.headroomStart = at;
  frame.start = at + HEADROOM_OCTETS + 2;
  frame.end = frame.start + octets.length;
  arena.bytes.set(octets, frame.start);
  return frame;
}

export const octetsOf = (arena: Arena, frame: Frame): Uint8Array => arena.bytes.slice(frame.start, frame.end);

const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

export function portSuite(options: SuiteOptions): void {
  describe(options.name, () => {
    let harness: Harness;
    let scratch: number;
    const SCRATCH_OCTETS = 16 << 20;
    const SCRATCH_STRIDE = 16 << 10;

    before(async () => {
      harness = await options.open();
      const offset = harness.allocator.allocate(SCRATCH_OCTETS);
      assert.ok(offset !== undefined);
      scratch = offset;
    });
    after(async () => {
      harness.port.close();
      await harness.release();
    });

    /** A batch of numbered frames, sent; returns the refusals as [number, reason]. */
    const transmit = (first: number, sizes: readonly number[]): [number, string][] => {
      const { arena, port, prefix } = harness;
      const batch = new FrameBatch();
      for (const [index, octets] of sizes.entries()) {
        const frame = placeFrame(arena, scratch + index * SCRATCH_STRIDE, numbered(prefix, first + index, octets));
        harness.address(frame);
        batch.push(frame);
      }
      const refused: [number, string][] = [];
      port.transmit(batch, (frame, why) => {
        refused.push([numberOf(octetsOf(arena, frame), prefix.length), DROP_NAMES[why]!]);
      });
      return refused;
    };
    const expectNumbered = (received: readonly Uint8Array[], first: number, sizes: readonly number[]): void => {
      assert.equal(received.length, sizes.length);
      for (const [index, octets] of sizes.entries()) {
        assert.deepEqual(received[index], numbered(harness.prefix, first + index, octets), `frame ${first + index}`);
      }
    };
    const receiveNumbered = async (count: number): Promise<Uint8Array[]> => {
      const received: Uint8Array[] = [];
      await receiveAll(harness.port, count, (batch) => {
        for (let index = 0; index < batch.length; index++) {
          const frame = batch.frames[index]!;
          assert.equal(frame.port, harness.port.index);
          assert.equal(frame.slot, -1);
          received.push(octetsOf(harness.arena, frame));
        }
      });
      return received;
    };

    it('has nothing to receive when nothing was sent', () => {
      const batch = new FrameBatch();
      assert.equal(harness.port.receive(batch), 0);
      assert.equal(batch.length, 0);
      assert.equal(harness.port.counters.receiveOverruns, 0);
    });

    it('receives every size with equal octets', async () => {
      for (const [index, octets] of options.sizes.entries()) await harness.send(index, 1, octets);
      expectNumbered(await receiveNumbered(options.sizes.length), 0, options.sizes);
    });

    it('receives more than a burst, in order', async () => {
      const count = 4 * BURST + 7;
      const arrived = receiveNumbered(count);
      for (let first = 0; first < count; first += 100) await harness.send(first, Math.min(100, count - first), 200);
      expectNumbered(await arrived, 0, new Array<number>(count).fill(200));
    });

    it('gives headroom that belongs to the frame alone', async () => {
      await harness.send(0, 100, 300);
      const received: Uint8Array[] = [];
      await receiveAll(harness.port, 100, (batch) => {
        const { arena } = harness;
        for (let index = 0; index < batch.length; index++) {
          const { headroomStart, start } = batch.frames[index]!;
          assert.ok(harness.port.medium === 'udp' || start - headroomStart >= HEADROOM_OCTETS);
          arena.bytes.fill(0xee, headroomStart, start);
        }
        for (let index = 0; index < batch.length; index++) received.push(octetsOf(arena, batch.frames[index]!));
      });
      expectNumbered(received, 0, new Array<number>(100).fill(300));
    });

    it('leaves received octets alone until the next receive', async () => {
      await harness.send(0, 50, 400);
      const { port, arena } = harness;
      const batch = new FrameBatch();
      for (let attempt = 0; attempt < 500 && batch.length === 0; attempt++) {
        port.receive(batch);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      const held = batch.length;
      assert.ok(held > 0);
      await harness.send(50, 450, 400);
      for (let index = 0; index < held; index++) {
        assert.deepEqual(octetsOf(arena, batch.frames[index]!), numbered(harness.prefix, index, 400));
      }
      expectNumbered(await receiveNumbered(500 - held), held, new Array<number>(500 - held).fill(400));
    });

    it('sends every size with equal octets', async () => {
      assert.deepEqual(transmit(0, options.sizes), []);
      expectNumbered(await harness.collect(options.sizes.length), 0, options.sizes);
    });

    it('sends more than a burst, in order', async () => {
      const sizes = Array.from({ length: 3 * BURST + 5 }, (_, index) => 100 + (index % 7));
      assert.deepEqual(transmit(0, sizes), []);
      expectNumbered(await harness.collect(sizes.length), 0, sizes);
      assert.equal(harness.port.receive(new FrameBatch()), 0, 'received what it sent itself');
    });

    it('forwards from where a frame was received', async () => {
      await harness.send(0, 200, 500);
      const { port } = harness;
      await receiveAll(port, 200, (batch) => {
        for (let index = 0; index < batch.length; index++) harness.address(batch.frames[index]!);
        port.transmit(batch, () => assert.fail('refused'));
      });
      expectNumbered(await harness.collect(200), 0, new Array<number>(200).fill(500));
    });

    it('refuses what is too long, names the reason, and sends the rest', async () => {
      assert.deepEqual(transmit(0, [100, options.tooLong, 101, 102, options.tooLong]), [
        [1, 'transmit-too-long'],
        [4, 'transmit-too-long'],
      ]);
      const received = await harness.collect(3);
      assert.deepEqual(
        received.map((frame) => [numberOf(frame, harness.prefix.length), frame.length]),
        [
          [0, 100],
          [2, 101],
          [3, 102],
        ],
      );
    });

    it('refuses everything while the link is down, and works when it is back', async () => {
      await harness.setLink(false);
      assert.equal(harness.port.isUp, false);
      assert.deepEqual(transmit(0, [100, 100, 100]), [
        [0, 'port-down'],
        [1, 'port-down'],
        [2, 'port-down'],
      ]);
      assert.equal(harness.port.receive(new FrameBatch()), 0);
      await harness.setLink(true);
      assert.equal(harness.port.isUp, true);
      assert.deepEqual(transmit(3, [100, 100]), []);
      expectNumbered(await harness.collect(2), 3, [100, 100]);
      await harness.send(0, 10, 200);
      expectNumbered(await receiveNumbered(10), 0, new Array<number>(10).fill(200));
    });

    const { flood } = options;
    const counts = async (flood: number): Promise<void> => {
      const before = harness.port.counters.receiveOverruns;
      const lostBefore = harness.lostOnTheWay();
      await harness.send(0, flood, 1000);
      const numbers: number[] = [];
      await receiveAll(harness.port, flood, (batch) => {
        for (let index = 0; index < batch.length; index++) {
          numbers.push(numberOf(octetsOf(harness.arena, batch.frames[index]!), harness.prefix.length));
        }
      });
      await new Promise((resolve) => setTimeout(resolve, 150));
      const overruns = harness.port.counters.receiveOverruns - before;
      const lost = harness.lostOnTheWay() - lostBefore;
      assert.ok(numbers.length < flood, 'the flood is too small for this test');
      assert.equal(numbers.length + overruns + lost, flood);
      assert.ok(numbers.every((number, index) => index === 0 || number > numbers[index - 1]!));
    };
    if (flood !== undefined) it('counts what it could not hold', () => counts(flood));

    it('releases descriptors and memory when closed, within a moment', async () => {
      const descriptors = openDescriptors();
      for (let round = 0; round < 100; round++) options.cycle(harness);
      await eventually('as many descriptors as before', () => openDescriptors() === descriptors);
    });
  });
}
