// A port at its place in the worker: how its frames are classified, and what waits to be sent by it.
//
// Frames leave in batches: `push` only queues, `flush` hands the batch to the port. The queue is flushed at the end of
// every breath, and in between when it is full, which also gives back the pool slots that a segmented super-frame used.

import { Column, ROW_STRIDE } from '../../core/counters.ts';
import { Drop, type Verdict } from '../../core/drop-reason.ts';
import { BURST, type Frame, FrameBatch, Gso } from '../../packet/frame.ts';
import { Book } from '../../pipeline/books.ts';
import { Direction } from '../../pipeline/tap.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import type { Outlet } from '../../pipeline/node.ts';
import { VLAN_TAG_OCTETS } from '../../wire/ethernet.ts';
import type { Port } from '../../port/port.ts';

/** VLAN IDs with 0 for untagged frames. */
const VLAN_IDS = 4096;
const NO_MEMBER = -1;

export class PortSlot implements Outlet {
  readonly port: Port;
  /** Row of the counter table. */
  readonly row: number;
  /** Bridge member by VLAN ID, 0 for untagged; -1: none. */
  readonly memberByVlan = new Int32Array(VLAN_IDS).fill(NO_MEMBER);
  /** For a port of medium `udp`: the tunnel listener that it serves. */
  listener = -1;
  /** The port is closed; endpoints of tunnels may lead here for a moment longer. */
  isClosed = false;
  readonly #disposal: Disposal;
  readonly #queue = new FrameBatch();
  readonly #refuse: (frame: Frame, why: Verdict) => void;
  #refused = 0;
  #refusedOctets = 0;

  constructor(port: Port, row: number, disposal: Disposal) {
    this.port = port;
    this.row = row;
    this.#disposal = disposal;
    this.#refuse = (frame, why) => {
      this.#refused += 1;
      this.#refusedOctets += frame.end - frame.start;
      disposal.noteDrop(frame, why, row);
    };
  }

  push(frame: Frame): void {
    if (this.isClosed) {
      this.#disposal.drop(frame, Drop.portDown, this.row);
      return;
    }
    // A super-frame is as large as it likes: the kernel segments it behind the ring. Of the others a tag on top is
    // allowed; where the device disagrees, it refuses the frame itself.
    const octets = frame.end - frame.start;
    if (octets > this.port.maxFrameOctets + VLAN_TAG_OCTETS && frame.gsoType === Gso.none) {
      this.#disposal.drop(frame, Drop.transmitTooLong, this.row);
      return;
    }
    this.#queue.push(frame);
    if (this.#queue.length >= BURST) this.flush();
  }

  /** Notes what only the adapter knows; a few times a second. */
  noteCounters(): void {
    this.#disposal.counters.cells[this.row * ROW_STRIDE + Column.overruns] = this.port.counters.receiveOverruns;
  }

  /** Sends what is queued. */
  flush(): void {
    const queue = this.#queue;
    const { length } = queue;
    if (length === 0) return;
    const disposal = this.#disposal;
    const { pool, tap } = disposal;
    if (tap.passing) {
      for (let index = 0; index < length; index++) {
        tap.recordPass(queue.frames[index]!, this.row, Direction.outbound);
      }
    }
    let octets = 0;
    for (let index = 0; index < length; index++) {
      const frame = queue.frames[index]!;
      octets += frame.end - frame.start;
    }
    this.#refused = 0;
    this.#refusedOctets = 0;
    this.port.transmit(queue, this.#refuse);
    const sent = length - this.#refused;
    disposal.books[Book.transmitted]! += sent;
    const base = this.row * ROW_STRIDE;
    disposal.counters.cells[base + Column.outFrames]! += sent;
    disposal.counters.cells[base + Column.outOctets]! += octets - this.#refusedOctets;
    for (let index = 0; index < length; index++) pool.release(queue.frames[index]!);
    queue.clear();
  }
}
