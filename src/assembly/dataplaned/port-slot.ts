// A port at its place in the worker: how its frames are classified, and what waits to be sent by it.
//
// Frames leave in batches: `push` only queues, `flush` hands the batch to the port. The queue is flushed at the end of
// every breath, and in between when it is full, which also gives back the pool slots that a segmented super-frame used.

import { Column, ROW_STRIDE } from '../../core/counters.ts';
import { Drop, FORWARD, type Verdict } from '../../core/drop-reason.ts';
import { completeChecksum } from '../../packet/complete-checksum.ts';
import { BURST, type Frame, FrameBatch, Gso } from '../../packet/frame.ts';
import { segment } from '../../packet/segment.ts';
import { Book } from '../../pipeline/books.ts';
import { Direction } from '../../pipeline/tap.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import type { Outlet } from '../../pipeline/node.ts';
import { EtherType, VLAN_TAG_OCTETS } from '../../wire/ethernet.ts';
import type { Port } from '../../port/port.ts';
import type { InterfaceMemberSpec } from './spec.ts';

/** VLAN IDs with 0 for untagged frames. */
const VLAN_IDS = 4096;
const NO_MEMBER = -1;

export class PortSlot implements Outlet {
  readonly port: Port;
  /** Row of the counter table. */
  readonly row: number;
  /** Bridge member by VLAN ID, 0 for untagged; -1: none. */
  readonly memberByVlan = new Int32Array(VLAN_IDS).fill(NO_MEMBER);
  /** Whether a member has a service tag or two tags: then a second look at a frame's tags is due. */
  isStacked = false;
  /** Bridge member by VLAN ID of the inner tag, by that of the outer one; undefined where no member has two. */
  readonly #membersByInner: (Int32Array | undefined)[] = [];
  /** What has been placed, by member. */
  readonly #placed = new Map<number, InterfaceMemberSpec>();
  /** TPIDs of service tags, beside those that IEEE 802.1 knows. */
  readonly #serviceTpids = new Set<number>();
  /** For a port of medium `udp` or `raw-ip`: the tunnel listener that it serves. */
  listener = -1;
  /** The port is closed; endpoints of tunnels may lead here for a moment longer. */
  isClosed = false;
  readonly #disposal: Disposal;
  readonly #queue = new FrameBatch();
  readonly #refuse: (frame: Frame, why: Verdict) => void;
  /** Whether frames are finished here, because neither the port nor anything behind it will. */
  readonly #finishes: boolean;
  readonly #segments = new FrameBatch();
  #refused = 0;
  #refusedOctets = 0;

  constructor(port: Port, row: number, disposal: Disposal) {
    this.port = port;
    this.row = row;
    this.#disposal = disposal;
    this.#finishes = port.needsFinished === true;
    this.#refuse = (frame, why) => {
      this.#refused += 1;
      this.#refusedOctets += frame.end - frame.start;
      disposal.noteDrop(frame, why, row);
    };
  }

  /** Frames with the member's tags belong to it from now on. */
  place(spec: InterfaceMemberSpec): void {
    this.displace(spec.id);
    const { vlan, innerVlan = 0, id } = spec;
    this.#placed.set(id, spec);
    if (innerVlan === 0) {
      this.memberByVlan[vlan] = id;
    } else {
      this.#membersByInner[vlan] ??= new Int32Array(VLAN_IDS).fill(NO_MEMBER);
      this.#membersByInner[vlan][innerVlan] = id;
    }
    this.#settleTags();
  }

  /** Takes `place` back; what another member has been given meanwhile stays with that one. */
  displace(id: number): void {
    const spec = this.#placed.get(id);
    if (spec === undefined) return;
    this.#placed.delete(id);
    const { vlan, innerVlan = 0 } = spec;
    const within = this.#membersByInner[vlan];
    if (innerVlan === 0) {
      if (this.memberByVlan[vlan] === id) this.memberByVlan[vlan] = NO_MEMBER;
    } else if (within?.[innerVlan] === id) {
      within[innerVlan] = NO_MEMBER;
      if (within.every((member) => member === NO_MEMBER)) this.#membersByInner[vlan] = undefined;
    }
    this.#settleTags();
  }

  /** The row of counters of a member that was placed here. */
  rowOf(member: number): number {
    return this.#placed.get(member)?.row ?? this.row;
  }

  #settleTags(): void {
    this.#serviceTpids.clear();
    this.isStacked = false;
    for (const { innerVlan = 0, tpid = EtherType.vlan } of this.#placed.values()) {
      if (innerVlan === 0 && tpid === EtherType.vlan) continue;
      this.isStacked = true;
      this.#serviceTpids.add(tpid);
    }
  }

  /** Whether a TPID starts a tag here, rather than payload: both that IEEE 802.1 knows, and what is configured. */
  isTag(tpid: number): boolean {
    if (tpid === EtherType.vlan) return true;
    return this.isStacked && (tpid === EtherType.serviceVlan || this.#serviceTpids.has(tpid));
  }

  /** Members with this outer tag by their inner one; undefined when there are none. */
  membersWithin(outer: number): Int32Array | undefined {
    return this.#membersByInner[outer];
  }

  push(frame: Frame): void {
    if (this.isClosed) {
      this.#disposal.drop(frame, Drop.portDown, this.row);
      return;
    }
    if (this.#finishes && (frame.checksumStart | frame.gsoType) !== 0) {
      this.#finish(frame);
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

  #finish(frame: Frame): void {
    const disposal = this.#disposal;
    const segments = this.#segments;
    const isSuperFrame = frame.gsoType !== Gso.none;
    const verdict = isSuperFrame
      ? segment(disposal.pool, frame, segments)
      : completeChecksum(disposal.pool.arena, frame);
    if (verdict !== FORWARD) {
      disposal.drop(frame, verdict, this.row);
      return;
    }
    if (!isSuperFrame) {
      this.push(frame);
      return;
    }
    disposal.books[Book.originated]! += segments.length;
    disposal.consume(frame);
    for (let index = 0; index < segments.length; index++) this.push(segments.frames[index]!);
    segments.clear();
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
