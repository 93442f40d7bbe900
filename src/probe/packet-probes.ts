// Probes that are packets: up to so many of each, some time apart, until one is answered or nothing has come for a time.
//
// A probe is a slot of flat arrays, and its number goes along in the packet, so that an answer is found without a search. All
// slots share one list of deadlines and one queue of what is to be sent, which is emptied some at a time on the event loop, so that
// answers are read in between. Whoever sends and reads packets (icmp-prober.ts, half-open-prober.ts) tells what comes of a slot.

import { randomFillSync } from 'node:crypto';
import type { ProbeOutcome, Verdict } from '../health/probe.ts';
import { DeadlineWheel, TICK_MS } from './deadline-wheel.ts';

/** Slots, as a power of two: this many bits say which one. */
export const SLOT_BITS = 14;
export const MAX_PROBES = 1 << SLOT_BITS;
/** Packets that are sent in a row. */
const BURST = 64;

/** Why a packet was not sent. `silent`: there is no way to the target now. `impossible`: by a fault on our side. */
export type SendFailure = { readonly verdict: 'silent' | 'impossible'; readonly reason: string };

export type ProbeTarget = {
  readonly family: 4 | 6;
  readonly address: string;
  /** As in core/address.ts. */
  readonly words: readonly [number, number, number, number];
  readonly port: number;
  /** Of the packets: by which next hop they go (probe-socket.ts); 0: as the routes say. */
  readonly mark: number;
};

export type Attempts = {
  /** Packets at most, milliseconds between two of them, and how long the answer to the last may take. */
  readonly count: number;
  readonly apart: number;
  readonly timeout: number;
};

export type PacketProbesOptions = {
  /** Sends the packet of a slot. */
  readonly send: (slot: number) => SendFailure | undefined;
  /** For a person: `ICMP echo request`. */
  readonly sent: string;
};

export class PacketProbes {
  /** Of each slot that is running. */
  readonly targets: (ProbeTarget | undefined)[] = new Array<undefined>(MAX_PROBES).fill(undefined);
  /** Cannot be guessed; another one for each probe. */
  readonly tokens = new Int32Array(MAX_PROBES);
  readonly #options: PacketProbesOptions;
  readonly #done: (((outcome: ProbeOutcome) => void) | undefined)[] = new Array<undefined>(MAX_PROBES).fill(undefined);
  readonly #attempts: (Attempts | undefined)[] = new Array<undefined>(MAX_PROBES).fill(undefined);
  /** Why the last packet was not sent, and what somebody on the way said. */
  readonly #failures: (SendFailure | undefined)[] = new Array<undefined>(MAX_PROBES).fill(undefined);
  readonly #notes: (string | undefined)[] = new Array<undefined>(MAX_PROBES).fill(undefined);
  readonly #tried = new Int32Array(MAX_PROBES);
  readonly #left = new Int32Array(MAX_PROBES);
  readonly #startMs = new Float64Array(MAX_PROBES);
  readonly #wheel = new DeadlineWheel(MAX_PROBES, performance.now());
  /** Slots that are free: those that have been so for the longest come first. */
  readonly #free = new SlotQueue(MAX_PROBES);
  readonly #toSend = new SlotQueue(MAX_PROBES);
  readonly #isQueued = new Uint8Array(MAX_PROBES);
  readonly #entropy = new Int32Array(1024);
  #entropyUsed = this.#entropy.length;
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #answered = new Map<number, ProbeOutcome>();
  readonly #passed = (slot: number): void => this.#deadline(slot);

  constructor(options: PacketProbesOptions) {
    this.#options = options;
    for (let slot = 0; slot < MAX_PROBES; slot++) this.#free.push(slot);
  }

  /** Starts one; undefined when there are too many. */
  start(target: ProbeTarget, attempts: Attempts, done: (outcome: ProbeOutcome) => void): (() => void) | undefined {
    if (this.#free.size === 0) return undefined;
    const slot = this.#free.shift();
    const token = this.#nextToken();
    this.targets[slot] = target;
    this.tokens[slot] = token;
    this.#done[slot] = done;
    this.#attempts[slot] = attempts;
    this.#failures[slot] = undefined;
    this.#notes[slot] = undefined;
    this.#tried[slot] = 0;
    this.#left[slot] = 0;
    this.#enqueue(slot);
    return () => {
      if (this.#done[slot] === done && this.tokens[slot] === token) this.#release(slot);
    };
  }

  /** Whether a packet of it has been sent. */
  hasLeft(slot: number): boolean {
    return this.#left[slot]! > 0;
  }

  /** Whether a probe runs in it. */
  isRunning(slot: number): boolean {
    return slot >= 0 && slot < MAX_PROBES && this.#done[slot] !== undefined;
  }

  /** The target has answered. */
  succeed(slot: number, received: string): void {
    const took = roundTook(performance.now() - this.#startMs[slot]!);
    this.#finish(slot, this.#outcomeOfAnswer(took, received));
  }

  /** The target says itself that nobody is there. */
  refuse(slot: number, reason: string, received: string): void {
    const took = roundTook(performance.now() - this.#startMs[slot]!);
    this.#finish(slot, { verdict: 'refused', reason, sent: this.#options.sent, received, took });
  }

  /** Somebody on the way says that it does not get there: the reason, if nothing better comes. */
  note(slot: number, reason: string): void {
    this.#notes[slot] = reason;
  }

  close(): void {
    for (let slot = 0; slot < MAX_PROBES; slot++) if (this.#done[slot] !== undefined) this.#release(slot);
    if (this.#immediate !== undefined) clearImmediate(this.#immediate);
    clearTimeout(this.#timer);
    this.#immediate = this.#timer = undefined;
  }

  #enqueue(slot: number): void {
    this.#isQueued[slot] = 1;
    this.#toSend.push(slot);
    this.#immediate ??= setImmediate(() => this.#sendSome());
  }

  #sendSome(): void {
    this.#immediate = undefined;
    for (let sent = 0; sent < BURST && this.#toSend.size > 0; sent++) {
      const slot = this.#toSend.shift();
      this.#isQueued[slot] = 0;
      // One that has ended while it waited here becomes free only now.
      if (this.#done[slot] === undefined) this.#free.push(slot);
      else this.#sendOne(slot);
    }
    if (this.#toSend.size > 0) this.#immediate ??= setImmediate(() => this.#sendSome());
  }

  #sendOne(slot: number): void {
    const attempts = this.#attempts[slot]!;
    const now = performance.now();
    const tried = this.#tried[slot]! + 1;
    this.#tried[slot] = tried;
    if (tried === 1) this.#startMs[slot] = now;
    const failure = this.#options.send(slot);
    if (failure === undefined) this.#left[slot] = this.#left[slot]! + 1;
    else this.#failures[slot] = failure;
    const isLast = tried >= attempts.count;
    // Where nothing has left there is nothing to wait for.
    if (isLast && this.#left[slot] === 0) {
      this.#giveUp(slot);
      return;
    }
    this.#wheel.set(slot, now + (isLast ? attempts.timeout : attempts.apart));
    this.#timer ??= setTimeout(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    this.#wheel.advance(performance.now(), this.#passed);
    if (this.#wheel.size > 0) this.#timer?.refresh();
    else this.#timer = undefined;
  }

  #deadline(slot: number): void {
    if (this.#tried[slot]! < this.#attempts[slot]!.count) this.#enqueue(slot);
    else this.#giveUp(slot);
  }

  #giveUp(slot: number): void {
    const left = this.#left[slot]!;
    const failure = left === 0 ? this.#failures[slot] : undefined;
    const reason = this.#notes[slot] ?? (left === 1 ? 'no answer' : `no answer to ${left} packets`);
    const took = roundTook(performance.now() - this.#startMs[slot]!);
    this.#finish(slot, { ...(failure ?? { verdict: 'silent', reason }), sent: this.#options.sent, took });
  }

  #finish(slot: number, outcome: ProbeOutcome): void {
    const done = this.#done[slot]!;
    this.#release(slot);
    done(outcome);
  }

  #release(slot: number): void {
    this.#wheel.clear(slot);
    this.#done[slot] = undefined;
    this.targets[slot] = undefined;
    if (this.#isQueued[slot] === 0) this.#free.push(slot);
  }

  /** Answers that took as long share one outcome. */
  #outcomeOfAnswer(took: number, received: string): ProbeOutcome {
    const known = this.#answered.get(took);
    if (known?.received === received) return known;
    const outcome = { verdict: 'up' as Verdict, reason: 'answered', sent: this.#options.sent, received, took };
    // Short ones and whole milliseconds of long ones: there are not many.
    if (took < 1000) this.#answered.set(took, outcome);
    return outcome;
  }

  #nextToken(): number {
    if (this.#entropyUsed === this.#entropy.length) {
      randomFillSync(this.#entropy);
      this.#entropyUsed = 0;
    }
    return this.#entropy[this.#entropyUsed++]!;
  }
}

/** Tenths of a millisecond where it is short, else whole ones. */
function roundTook(ms: number): number {
  return ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms);
}

/** First in, first out, without allocating; never more than `capacity`, a power of two. */
class SlotQueue {
  readonly #slots: Int32Array;
  #head = 0;
  size = 0;

  constructor(capacity: number) {
    this.#slots = new Int32Array(capacity);
  }

  push(slot: number): void {
    this.#slots[(this.#head + this.size++) & (this.#slots.length - 1)] = slot;
  }

  /** There must be one. */
  shift(): number {
    const slot = this.#slots[this.#head]!;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.size--;
    return slot;
  }
}
