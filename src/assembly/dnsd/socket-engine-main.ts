// What the thread of a socket engine runs: no event loop, one native call a batch. Messages are looked for between two batches.

import { workerData } from 'node:worker_threads';
import { Responder } from '../../dns/responder.ts';
import type { ResponderOptions } from '../../dns/responder-options.ts';
import type { Sender } from '../../dns/sender.ts';
import { loadAddon, REPLY_STRIDE } from '../../native/addon.ts';
import { REPLY_ARENA_OCTETS, type ReplyMaker, ReplySlots, ReplySocket } from '../../net/reply-socket.ts';
import { Arena } from '../../packet/arena.ts';
import { collectGarbage } from './collect-garbage.ts';
import { noteDecision, tellDecisions } from './decisions.ts';
import {
  type DeferredQuery,
  type EngineListener,
  type EngineRequest,
  type EngineSetup,
  EngineWord,
  ListenerCount,
} from './engine-protocol.ts';
import { say, takeRequests } from './engine-requests.ts';
import { inlineMore } from './inline-more.ts';
import { QueryLog } from './query-log.ts';
import { Sources } from './source-data.ts';

/** How long several sockets are waited for at once; a single one waits by itself. */
const WAIT_MS = 100;
/** Batches that one socket may have before the others have their turn. */
const ROUNDS = 4;
/** The same for one that is closed: what a full receive buffer holds. */
const LAST_ROUNDS = 1024;

inlineMore();
const setup = workerData as EngineSetup;
const control = new Int32Array(setup.control);
const loaded = loadAddon();
if (loaded.addon === undefined) throw new Error(loaded.reason);
const { addon } = loaded;
const arena = addon.arenaCreate(REPLY_ARENA_OCTETS);
const log = new QueryLog(setup.log);
const slots = new ReplySlots(addon, arena, new Arena(addon.arenaBuffer(arena)), 0);
const sender: Sender = { addresses: new Uint8Array(0), addressAt: 0, addressOctets: 0, isStream: false, now: 0 };

const sources = new Sources(noteDecision);
const listeners: Listener[] = [];
/** Descriptors of all sockets, with a word each that says whether something is there. */
let waited = new Int32Array(0);
let deferred: DeferredQuery[] = [];

class Listener implements ReplyMaker {
  readonly id: number;
  readonly socket: ReplySocket;
  readonly #counts: Float64Array;
  responder: Responder;

  constructor({ id, descriptor, family, counts, answers }: EngineListener) {
    this.id = id;
    this.#counts = counts;
    this.responder = new Responder(sources.current, answers);
    this.socket = new ReplySocket(slots, descriptor, family, WAIT_MS);
  }

  make(
    octets: Uint8Array,
    start: number,
    end: number,
    addresses: Uint8Array,
    addressAt: number,
    addressOctets: number,
  ): number {
    sender.addresses = addresses;
    sender.addressAt = addressAt;
    sender.addressOctets = addressOctets;
    return this.responder.respond(octets, start, end, sender);
  }

  defer(octets: Uint8Array, start: number, end: number, words: Int32Array, at: number): void {
    deferred.push({
      id: this.id,
      words: words.slice(at, at + REPLY_STRIDE),
      octets: octets.slice(start, end),
    });
  }

  change(answers: ResponderOptions): void {
    const { counts } = this.responder;
    this.responder = new Responder(sources.current, answers);
    this.responder.counts.set(counts);
  }

  /** Makes what has been counted visible. */
  publish(): void {
    const counts = this.#counts;
    const { received, sent, oversized } = this.socket;
    counts.set(this.responder.counts);
    counts[ListenerCount.received] = received;
    counts[ListenerCount.sent] = sent;
    counts[ListenerCount.oversized] = oversized;
  }

  publishLosses(): void {
    const { overruns, failed } = this.socket.losses();
    this.#counts[ListenerCount.overruns] = overruns;
    this.#counts[ListenerCount.failed] = failed;
  }
}

/** Returns the handle of a socket that it has opened. */
function fulfil(request: EngineRequest): number | undefined {
  switch (request.kind) {
    case 'sources':
      sources.follow(request.sources);
      for (const { responder } of listeners) responder.setSources(sources.current);
      return undefined;
    case 'collect':
      collectGarbage();
      return undefined;
    case 'open':
      listeners.push(new Listener(request.listener));
      waitFor(listeners);
      return listeners.at(-1)!.socket.handle;
    case 'change': {
      const listener = listeners.find(({ id }) => id === request.id);
      listener?.change(request.answers);
      return undefined;
    }
    case 'close': {
      const index = listeners.findIndex(({ id }) => id === request.id);
      if (index < 0) return undefined;
      const [listener] = listeners.splice(index, 1);
      end(listener!);
      waitFor(listeners);
      return undefined;
    }
  }
}

function waitFor(all: readonly Listener[]): void {
  waited = Int32Array.from(all.flatMap(({ socket }) => [socket.descriptor, 0]));
}

/** What has come is still answered. */
function end(listener: Listener): void {
  for (let round = 0; round < LAST_ROUNDS && listener.socket.take(listener) > 0; round++);
  listener.socket.flush();
  listener.publish();
  listener.socket.close();
}

/** One batch of the only socket, or what there is at several. */
function serve(): void {
  const tap = log.isWanted ? log : undefined;
  for (let index = 0; index < listeners.length; index++) listeners[index]!.responder.tap = tap;
  sender.now = Math.floor(Date.now() / 1000);
  const [first] = listeners;
  if (listeners.length === 1) {
    if (first!.socket.step(first!) > 0) first!.publish();
    else first!.publishLosses();
    return;
  }
  if (addon.wait(waited, listeners.length, WAIT_MS, 0) === 0) {
    for (const listener of listeners) listener.publishLosses();
    return;
  }
  sender.now = Math.floor(Date.now() / 1000);
  for (let index = 0; index < listeners.length; index++) {
    if (waited[2 * index + 1] === 0) continue;
    const listener = listeners[index]!;
    for (let round = 0; round < ROUNDS && listener.socket.take(listener) > 0; round++);
    listener.socket.flush();
    listener.publish();
  }
}

say({ kind: 'ready' });
let seen = 0;
while (Atomics.load(control, EngineWord.stop) === 0) {
  const messages = Atomics.load(control, EngineWord.messages);
  if (messages !== seen) {
    seen = messages;
    // Replies that wait are sent before a socket may go.
    if (listeners.length === 1) listeners[0]!.socket.flush();
    takeRequests(fulfil);
  }
  if (listeners.length === 0) Atomics.wait(control, EngineWord.messages, seen, WAIT_MS);
  else serve();
  tellDecisions();
  if (deferred.length > 0) {
    say({ kind: 'deferred', queries: deferred });
    deferred = [];
  }
}
for (const listener of listeners) end(listener);
