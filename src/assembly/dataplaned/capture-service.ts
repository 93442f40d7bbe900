// Captures for `wideplane tcpdump`: several at once, from one ring that the worker fills.
//
// While anybody captures, the ring is drained every few milliseconds and each record goes to the queues of the captures
// that asked for its point. A queue is bounded: a reader that is slower than the traffic loses frames and is told how
// many. Which rows an object has is looked up again every second, so a capture outlives a change of configuration.

import { DROP_NAMES } from '../../core/drop-reason.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import type { ItemOf, ParamsOf } from '../../ipc/schema.ts';
import { INTEREST_DROPPED, INTEREST_FRAMES, type CaptureReader, type CaptureRecord } from '../../pipeline/capture.ts';
import type { CapturePoint } from './capture-points.ts';
import { withEthernetHeader, withOuterHeaders } from './outer-headers.ts';

export type CaptureSource = {
  /** The points of an object; undefined when nothing has this name. */
  find(name: string): CapturePoint[] | undefined;
  all(): CapturePoint[];
};

type Item = ItemOf<'capture'>;
type CapturedFrame = Item['frames'][number];

const DRAIN_MS = 10;
const DRAINS_PER_LOOK = 100;
/** Characters of encoded frames that may wait for a reader. */
const MAX_QUEUED = 16 << 20;
/** Characters of frames in one message, the last one not counted: with it and the rest, below the limit of a message. */
const MAX_ITEM = 400_000;
/** What a frame costs in a message besides its octets. */
const FRAME_OVERHEAD = 200;

class Capture {
  readonly params: ParamsOf<'capture'>;
  points = new Map<number, CapturePoint>();
  lost = 0;
  #queue: CapturedFrame[] = [];
  #queued = 0;
  #wake: (() => void) | undefined;

  constructor(params: ParamsOf<'capture'>) {
    this.params = params;
  }

  offer(record: CaptureRecord): void {
    const point = this.points.get(record.point);
    if (point === undefined || (record.verdict !== 0) !== this.params.dropped) return;
    if (this.#queued > MAX_QUEUED) {
      this.lost += 1;
      return;
    }
    const isPacket = point.isPackets === true && !record.isCarrier;
    const whole = isPacket ? withEthernetHeader(record) : withOuterHeaders(record, point.socket);
    const octets = whole.octets.subarray(0, this.params.snaplen);
    const frame = {
      point: point.name,
      direction: record.direction,
      drop: record.verdict === 0 ? '' : DROP_NAMES[record.verdict]!,
      timeNs: nanoseconds(record.timeMs).toString(),
      originalOctets: whole.originalOctets,
      octets: Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('base64'),
    };
    this.#queued += cost(frame);
    this.#queue.push(frame);
    this.wake();
  }

  /** The next frames, or undefined when none wait. */
  take(): Item | undefined {
    let characters = 0;
    let count = 0;
    for (; count < this.#queue.length && characters < MAX_ITEM; count++) characters += cost(this.#queue[count]!);
    if (count === 0) return undefined;
    const frames = this.#queue.splice(0, count);
    this.#queued -= characters;
    return { frames, lost: this.lost };
  }

  async waitForFrames(): Promise<void> {
    if (this.#queue.length > 0) return;
    await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

export class CaptureService {
  readonly #reader: CaptureReader;
  readonly #source: CaptureSource;
  readonly #captures = new Set<Capture>();
  #timer: NodeJS.Timeout | undefined;
  #drains = 0;
  #lostBefore = 0;

  constructor(reader: CaptureReader, source: CaptureSource) {
    this.#reader = reader;
    this.#source = source;
  }

  /** The handler of `capture`: ends when the caller goes. The first item is empty and says that capturing has begun. */
  async *capture(params: ParamsOf<'capture'>, { signal }: { signal: AbortSignal }): AsyncGenerator<Item, void> {
    for (const name of params.points) {
      if (this.#source.find(name) === undefined) throw new IpcError('refused', unknownName(name));
    }
    const capture = new Capture(params);
    this.#captures.add(capture);
    const stop = (): void => capture.wake();
    signal.addEventListener('abort', stop);
    try {
      this.#look();
      this.#timer ??= setInterval(() => this.#drain(), DRAIN_MS);
      yield { frames: [], lost: 0 };
      while (!signal.aborted) {
        const item = capture.take();
        if (item === undefined) await capture.waitForFrames();
        else yield item;
      }
    } finally {
      signal.removeEventListener('abort', stop);
      this.#captures.delete(capture);
      this.#look();
      if (this.#captures.size === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
    }
  }

  /** Asks the worker for the union of what the captures want. */
  #look(): void {
    const interest = new Map<number, number>();
    let snaplen = 0;
    for (const capture of this.#captures) {
      const { points, dropped } = capture.params;
      const found = points.length === 0 ? this.#source.all() : points.flatMap((name) => this.#source.find(name) ?? []);
      capture.points = new Map(found.map((point) => [point.row, point]));
      const bit = dropped ? INTEREST_DROPPED : INTEREST_FRAMES;
      for (const { row } of found) interest.set(row, (interest.get(row) ?? 0) | bit);
      snaplen = Math.max(snaplen, capture.params.snaplen);
    }
    this.#reader.want(interest, 0, snaplen);
  }

  #drain(): void {
    this.#reader.drain((record) => {
      for (const capture of this.#captures) capture.offer(record);
    });
    const lost = this.#reader.lost - this.#lostBefore;
    this.#lostBefore += lost;
    for (const capture of this.#captures) capture.lost += lost;
    this.#drains += 1;
    if (this.#drains % DRAINS_PER_LOOK === 0) this.#look();
  }
}

const cost = (frame: CapturedFrame): number => frame.octets.length + FRAME_OVERHEAD;

/** A time of 10^12 ms has a resolution of 0.2 µs as a double: its whole and its fraction are converted apart. */
function nanoseconds(timeMs: number): bigint {
  const whole = Math.trunc(timeMs);
  return BigInt(whole) * 1_000_000n + BigInt(Math.round((timeMs - whole) * 1e6));
}

function unknownName(name: string): string {
  return `-i ${name}: no interface, VLAN, VLAN group or tunnel has this name; "wideplane tmsh -c 'list net'" shows them`;
}
