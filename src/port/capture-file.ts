// Capture files as a port: what a file holds is received, what is sent is recorded.
//
// Replayed are pcap and pcapng, recorded is pcapng. A file that is still being written is followed. The file is opened and
// read through once on the main thread, so that a broken one is known at once; the worker reads it piece by piece. Read
// and write are calls on regular files, which the page cache answers.
//
// Packets are replayed as they were recorded, also with checksums that a sender on the recording host had not finished.
// Lost and counted as overruns: packets of another link type than Ethernet.

import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { Drop, type Verdict } from '../core/drop-reason.ts';
import { errorText } from '../core/errors.ts';
import type { Arena, ArenaAllocator } from '../packet/arena.ts';
import { BURST, Frame, type FrameBatch, HEADROOM_OCTETS, resetMetadata } from '../packet/frame.ts';
import { CaptureParser, CaptureStep, MAX_RECORD_OCTETS } from '../wire/capture-parser.ts';
import { VLAN_TAG_OCTETS } from '../wire/ethernet.ts';
import {
  enhancedPacketOctets,
  LinkType,
  pcapngInterface,
  pcapngSectionHeader,
  writeEnhancedPacket,
} from '../wire/pcapng.ts';
import type { Port, PortCounters } from './port.ts';

export type CaptureFileOptions = {
  /** Position in the worker's table of ports. */
  index: number;
  name: string;
  /** Path of the file to replay. */
  replay?: string | undefined;
  /** Keeps the intervals of the file; otherwise frames come as fast as they are taken. */
  timed: boolean;
  /** How long after its opening the port begins to replay. */
  delayMs: number;
  /** Path of the file to record into: made, or gone on with when it is pcapng. */
  record?: string | undefined;
};

/** All that a worker needs to use the files; plain data, to be posted to it. */
export type CaptureFileDescription = {
  index: number;
  name: string;
  replay: { descriptor: number; timed: boolean; delayMs: number } | undefined;
  record: { descriptor: number; octets: number } | undefined;
  extent: { offset: number; octets: number };
  /** What the user should know about the files. */
  warnings: string[];
};

/** The largest packet of IP and its MAC header. */
const MAX_FRAME_OCTETS = 65_535 + 14;
/** In front of the frame HEADROOM_OCTETS and 2, as everywhere; room behind it for a tag. */
const SLOT_OCTETS = 65 * 1024;
/** Two windows: what is left of one, and the next piece. */
const WINDOW_OCTETS = 2 * MAX_RECORD_OCTETS;
const RECORD_BUFFER_OCTETS = 1 << 20;
/** How often the end of a file is looked at for more. */
const FOLLOW_MS = 100;
const OUTBOUND = 2;

/** Opens the files. Throws an Error that names the path and what is wrong; nothing is held then. */
export function openCaptureFile(allocator: ArenaAllocator, options: CaptureFileOptions): CaptureFileDescription {
  const { index, name, replay, record, timed, delayMs } = options;
  const octets = BURST * SLOT_OCTETS;
  const offset = allocator.allocate(octets);
  if (offset === undefined) throw new Error(`${name}: the arena has no room for ${octets} octets`);
  const opened: number[] = [];
  try {
    const warnings: string[] = [];
    const description: CaptureFileDescription = {
      index,
      name,
      replay: undefined,
      record: undefined,
      extent: { offset, octets },
      warnings,
    };
    if (replay !== undefined) {
      const descriptor = open('replay-file', replay, 'r');
      opened.push(descriptor);
      const problem = examine(descriptor, replay);
      if (problem !== undefined) warnings.push(problem);
      description.replay = { descriptor, timed, delayMs };
    }
    if (record !== undefined) {
      const descriptor = open('record-file', record, 'a+');
      opened.push(descriptor);
      description.record = { descriptor, octets: beginSection(descriptor, name, record) };
    }
    return description;
  } catch (error) {
    for (const descriptor of opened) closeSync(descriptor);
    allocator.release(offset, octets);
    throw error;
  }
}

/** Closes the files of a port that no longer uses them, and gives back its memory. */
export function releaseCaptureFile(allocator: ArenaAllocator, description: CaptureFileDescription): void {
  for (const file of [description.replay, description.record]) if (file !== undefined) closeSync(file.descriptor);
  allocator.release(description.extent.offset, description.extent.octets);
}

function open(property: string, path: string, flags: string): number {
  let descriptor: number;
  try {
    descriptor = openSync(path, flags, 0o640);
  } catch (error) {
    throw new Error(`${property} ${path}: ${errorText(error)}`, { cause: error });
  }
  if (fstatSync(descriptor).isFile()) return descriptor;
  closeSync(descriptor);
  throw new Error(`${property} ${path}: is not a regular file`);
}

/** Reads a file to its end. Throws when nothing can be read from it; otherwise says what cannot. */
function examine(descriptor: number, path: string): string | undefined {
  const reader = new CaptureReader(descriptor);
  let packets = 0;
  let others = 0;
  while (reader.next()) {
    packets += 1;
    if (reader.parser.linkType !== LinkType.ethernet) others += 1;
  }
  const { problem } = reader;
  if (packets === 0 && problem !== undefined) throw new Error(`replay-file ${path}: ${problem}`);
  if (packets > 0 && others === packets) {
    throw new Error(`replay-file ${path}: no packet in it is of link type Ethernet (1)`);
  }
  if (problem !== undefined) return `replay-file ${path}: ${problem}; the ${packets} packets before are replayed`;
  if (others > 0) return `replay-file ${path}: ${others} of ${packets} packets are not Ethernet and are left out`;
  return undefined;
}

/** Describes ourselves and the interface at the end of the file; returns how large it then is. */
function beginSection(descriptor: number, name: string, path: string): number {
  const octets = fstatSync(descriptor).size;
  if (octets > 0) {
    const reader = new CaptureReader(descriptor);
    while (reader.next());
    if (!reader.parser.isPcapng || reader.problem !== undefined) {
      throw new Error(`record-file ${path}: exists, and is no whole pcapng file that could be gone on with`);
    }
  }
  const description = { name, description: '', linkType: LinkType.ethernet, snaplen: 0 };
  const head = Buffer.concat([pcapngSectionHeader('wideplane'), pcapngInterface(description)]);
  writeSync(descriptor, head);
  return octets + head.length;
}

/** Reads the packets of a file one after the other. */
class CaptureReader {
  readonly parser = new CaptureParser();
  readonly window = new Uint8Array(WINDOW_OCTETS);
  readonly #descriptor: number;
  #position = 0;
  #at = 0;
  #end = 0;
  #broken = false;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** Finds the next packet; false at the end of what can be read by now. */
  next(): boolean {
    const { parser, window } = this;
    while (!this.#broken) {
      const step = parser.next(window, this.#at, this.#end);
      this.#at = parser.consumed;
      if (step === CaptureStep.packet) return true;
      if (step === CaptureStep.broken) this.#broken = true;
      else if (!this.#fill()) return false;
    }
    return false;
  }

  /** Why there is nothing after the last packet; undefined where the file simply ends. */
  get problem(): string | undefined {
    const at = `at octet ${this.#position - this.#end + this.#at}`;
    if (this.#broken) return `${at}: ${this.parser.problem}`;
    return this.#at === this.#end && this.parser.isBetweenRecords ? undefined : `${at}: cut short`;
  }

  #fill(): boolean {
    this.window.copyWithin(0, this.#at, this.#end);
    this.#end -= this.#at;
    this.#at = 0;
    const count = readSync(this.#descriptor, this.window, this.#end, WINDOW_OCTETS - this.#end, this.#position);
    this.#position += count;
    this.#end += count;
    return count > 0;
  }
}

/** The clocks of a port of files, both in milliseconds: a monotonic one, and the time since the epoch. */
export type CaptureClocks = { now: () => number; epoch: () => number };

export class CaptureFilePort implements Port {
  readonly name: string;
  readonly medium = 'ethernet';
  readonly index: number;
  readonly maxFrameOctets = MAX_FRAME_OCTETS;
  readonly descriptors: readonly number[] = [];
  readonly needsFinished = true;
  isUp = true;
  readonly counters: PortCounters = { receiveOverruns: 0 };
  readonly #arena: Arena;
  readonly #clocks: CaptureClocks;
  readonly #frames: Frame[] = [];

  readonly #reader: CaptureReader | undefined;
  readonly #timed: boolean;
  /** When the next packet is due, or the file is to be looked at. */
  #dueMs: number;
  /** Whether the reader stands at a packet that was not handed over yet. */
  #hasPacket = false;
  /** When the first packet was replayed, and the time that the file gives it. */
  #startMs: number | undefined;
  #firstSeconds = 0;
  #firstNanoseconds = 0;

  readonly #record: { descriptor: number; octets: number } | undefined;
  readonly #buffer: Uint8Array;
  #buffered = 0;

  constructor(arena: Arena, description: CaptureFileDescription, clocks: CaptureClocks) {
    const { replay, record, extent } = description;
    this.name = description.name;
    this.index = description.index;
    this.#arena = arena;
    this.#clocks = clocks;
    this.#reader = replay === undefined ? undefined : new CaptureReader(replay.descriptor);
    this.#timed = replay?.timed ?? false;
    this.#dueMs = replay === undefined ? Infinity : clocks.now() + replay.delayMs;
    this.#record = record === undefined ? undefined : { ...record };
    this.#buffer = new Uint8Array(record === undefined ? 0 : RECORD_BUFFER_OCTETS);
    for (let index = 0; index < BURST; index++) {
      const frame = new Frame();
      frame.headroomStart = extent.offset + index * SLOT_OCTETS;
      this.#frames.push(frame);
    }
  }

  /** A port that is down neither replays nor records. */
  setUp(isUp: boolean): void {
    this.isUp = isUp;
  }

  dueMs(): number {
    return this.isUp ? Math.max(0, this.#dueMs - this.#clocks.now()) : Infinity;
  }

  receive(into: FrameBatch): number {
    if (this.#reader === undefined || !this.isUp || this.#clocks.now() < this.#dueMs) return 0;
    let count = 0;
    while (count < BURST && this.#isDue(this.#reader)) {
      const { parser } = this.#reader;
      this.#hasPacket = false;
      if (parser.linkType !== LinkType.ethernet) {
        this.counters.receiveOverruns += 1;
        continue;
      }
      const frame = this.#frames[count++]!;
      resetMetadata(frame);
      frame.port = this.index;
      frame.start = frame.headroomStart + HEADROOM_OCTETS + 2;
      const octets = Math.min(parser.octets, MAX_FRAME_OCTETS);
      frame.end = frame.start + octets;
      // An octet at a time for what is small: a view of each packet would be garbage.
      const { bytes } = this.#arena;
      const { window } = this.#reader;
      for (let from = parser.octetsAt, to = frame.start; to < frame.end;) bytes[to++] = window[from++]!;
      if (parser.originalOctets > octets) frame.truncatedFrom = parser.originalOctets;
      into.push(frame);
    }
    return count;
  }

  /** Whether a packet is there whose time has come; otherwise says when to look again. */
  #isDue(reader: CaptureReader): boolean {
    if (!this.#hasPacket && !reader.next()) {
      this.#dueMs = this.#clocks.now() + FOLLOW_MS;
      return false;
    }
    this.#hasPacket = true;
    if (!this.#timed) return true;
    const { seconds, nanoseconds } = reader.parser;
    if (this.#startMs === undefined) {
      this.#startMs = this.#clocks.now();
      this.#firstSeconds = seconds;
      this.#firstNanoseconds = nanoseconds;
    }
    const sinceFirstMs = (seconds - this.#firstSeconds) * 1000 + (nanoseconds - this.#firstNanoseconds) / 1e6;
    this.#dueMs = this.#startMs + sinceFirstMs;
    return this.#clocks.now() >= this.#dueMs;
  }

  transmit(batch: FrameBatch, refuse: (frame: Frame, why: Verdict) => void): void {
    // What is in the buffer is of frames[first...], all or none of which will be in the file.
    let first = 0;
    for (let index = 0; index < batch.length; index++) {
      const frame = batch.frames[index]!;
      const octets = frame.end - frame.start;
      if (octets > MAX_FRAME_OCTETS + VLAN_TAG_OCTETS) continue;
      if (this.#buffered + enhancedPacketOctets(octets) > this.#buffer.length) {
        this.#write(batch, first, index, refuse);
        first = index;
      }
      if (this.#record === undefined || !this.isUp) continue;
      const microseconds = Math.floor(this.#clocks.epoch() * 1000);
      const { bytes } = this.#arena;
      const { start, end } = frame;
      this.#buffered = writeEnhancedPacket(this.#buffer, this.#buffered, microseconds, bytes, start, end, OUTBOUND);
    }
    this.#write(batch, first, batch.length, refuse);
  }

  /** Writes the buffer; frames [from, to) of the batch are in the file, or refused. */
  #write(batch: FrameBatch, from: number, to: number, refuse: (frame: Frame, why: Verdict) => void): void {
    const isOpen = this.isUp && this.#record !== undefined;
    const isWritten = isOpen && this.#append();
    this.#buffered = 0;
    for (let index = from; index < to; index++) {
      const frame = batch.frames[index]!;
      if (!isOpen) refuse(frame, Drop.portDown);
      else if (frame.end - frame.start > MAX_FRAME_OCTETS + VLAN_TAG_OCTETS) refuse(frame, Drop.transmitTooLong);
      else if (!isWritten) refuse(frame, Drop.transmitError);
    }
  }

  #append(): boolean {
    const record = this.#record!;
    try {
      for (let written = 0; written < this.#buffered;) {
        written += writeSync(record.descriptor, this.#buffer, written, this.#buffered - written);
      }
      record.octets += this.#buffered;
      return true;
    } catch {
      // The disk is full: no half of a packet may stay, or nobody can read what comes after it.
      ftruncateSync(record.descriptor, record.octets);
      return false;
    }
  }

  /** The files are closed where they were opened. */
  close(): void {
    this.isUp = false;
  }
}
