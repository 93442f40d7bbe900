// Keeps the sockets of listeners: opens what is wanted, closes what is not, and tries again what failed.
//
// A listener whose address and port stay keeps its socket, whatever else of it changes, so that no query is lost. UDP sockets are
// the engine's (socket-engine.ts), connections are served by this thread (stream-engine.ts).

import { isDeepStrictEqual } from 'node:util';
import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import { Responder } from '../../dns/responder.ts';
import type { ResponderOptions } from '../../dns/responder-options.ts';
import type { ApplyFailure } from '../../ipc/schema.ts';
import { createListenerCounts, type EngineListener } from './engine-protocol.ts';
import { type ListenerSpec, placeText } from './listener-spec.ts';
import type { SocketEngine } from './socket-engine.ts';
import type { QueryLog } from './query-log.ts';
import type { RingKeeper } from './ring-keeper.ts';
import { type SourceData, Sources, type VersionedDecision } from './source-data.ts';
import { isCurrent, type OpenedSocket, type SocketSource } from './socket-source.ts';
import { type DeferStream, StreamEngine } from './stream-engine.ts';

/** How often what failed is tried again, and whether namespaces are still the same is looked at. */
const REVIEW_MS = 1000;

export type OpenListener = {
  spec: ListenerSpec;
  readonly id: number;
  readonly socket: OpenedSocket;
  /** What is counted of UDP (`ListenerCount`). */
  readonly counts: EngineListener['counts'];
  /** Set for TCP. */
  stream: StreamEngine | undefined;
  /** By which replies are sent over UDP. */
  handle: number | undefined;
};

export type ListenerKeeperOptions = {
  readonly source: SocketSource;
  readonly rings: RingKeeper;
  /** Where queries over TCP are written down. */
  readonly tap: QueryLog;
  /** The thread that answers UDP, started with the first listener that needs it. */
  readonly engine: () => Promise<SocketEngine>;
  readonly answersOf: (spec: ListenerSpec) => ResponderOptions;
  /** Of connections. */
  readonly decided: (decision: VersionedDecision) => void;
  readonly defer: (listener: { readonly spec: ListenerSpec }) => DeferStream;
  readonly log: Log;
};

export class ListenerKeeper {
  readonly #options: ListenerKeeperOptions;
  readonly #open = new Map<string, OpenListener>();
  readonly #failures = new Map<string, string>();
  #wanted: readonly ListenerSpec[] = [];
  readonly #sources: Sources;
  #nextId = 1;
  #turn: Promise<void> = Promise.resolve();
  #review: NodeJS.Timeout | undefined;

  constructor(options: ListenerKeeperOptions) {
    this.#options = options;
    this.#sources = new Sources(options.decided);
  }

  start(): void {
    this.#review = setInterval(() => {
      const isStale = [...this.#open.values()].some(({ socket }) => !isCurrent(socket));
      if (isStale || this.#failures.size > 0 || this.#options.rings.hasFailures)
        void this.#inTurn(() => this.#settle());
    }, REVIEW_MS);
  }

  /** Goes over to these listeners; resolves when they are open, or have failed. */
  want(specs: readonly ListenerSpec[]): Promise<void> {
    return this.#inTurn(() => {
      this.#wanted = specs;
      return this.#settle();
    });
  }

  /** What connections are answered from; the engine has its own. */
  setSources(data: SourceData): void {
    const current = this.#sources.follow(data);
    for (const { stream } of this.#open.values()) stream?.responder.setSources(current);
  }

  /** Those that are open, by the name of the object. */
  get open(): ReadonlyMap<string, OpenListener> {
    return this.#open;
  }

  byId(id: number): OpenListener | undefined {
    return [...this.#open.values()].find((listener) => listener.id === id);
  }

  failures(): ApplyFailure[] {
    const { rings } = this.#options;
    return this.#wanted.flatMap(({ name }) => {
      const reason = this.#failures.get(name) ?? rings.failureOf(name);
      return reason === undefined ? [] : [{ object: `gtm listener ${name}`, reason }];
    });
  }

  failureOf(name: string): string | undefined {
    return this.#failures.get(name);
  }

  /** Answers what has come, and closes everything. */
  async stop(): Promise<void> {
    clearInterval(this.#review);
    await this.#inTurn(() => {
      this.#wanted = [];
      return this.#settle();
    });
  }

  #inTurn(action: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(action);
    return this.#turn;
  }

  async #settle(): Promise<void> {
    const wanted = new Map(this.#wanted.map((spec) => [spec.name, spec]));
    for (const name of this.#failures.keys()) if (!wanted.has(name)) this.#failures.delete(name);
    const leaving: OpenListener[] = [];
    for (const [name, listener] of this.#open) {
      const spec = wanted.get(name);
      if (spec !== undefined && isSamePlace(spec, listener.spec) && isCurrent(listener.socket)) continue;
      this.#open.delete(name);
      await this.#options.rings.close(name);
      // Another UDP socket of the same address may be opened first, which loses nothing; a TCP socket must go before.
      if (listener.stream === undefined) leaving.push(listener);
      else await this.#close(listener);
    }
    for (const spec of wanted.values()) {
      const listener = this.#open.get(spec.name);
      if (listener === undefined) await this.#openOne(spec, leaving);
      else if (!isDeepStrictEqual(listener.spec, spec)) await this.#change(listener, spec);
      await this.#settleRing(spec);
    }
    for (const listener of leaving) await this.#close(listener);
  }

  async #openOne(spec: ListenerSpec, leaving: readonly OpenListener[]): Promise<void> {
    const { log, source } = this.#options;
    const { name, address, port, routeDomain, isStream } = spec;
    // Those that are to go have their addresses yet.
    const isShared = [...this.#open.values(), ...leaving].some((other) => isOverlapping(other.spec, spec));
    const where = placeText(spec);
    try {
      const socket = await source.open({ address, port, routeDomain, isStream, isShared });
      const id = this.#nextId++;
      const counts = createListenerCounts();
      const listener: OpenListener = { spec, id, socket, counts, stream: undefined, handle: undefined };
      if (isStream) listener.stream = await this.#listen(listener);
      else listener.handle = await this.#serve(spec, { id, descriptor: socket.descriptor, counts });
      this.#open.set(name, listener);
      this.#failures.delete(name);
      logEvent(log, 'listener-open', `listener ${name} answers at ${where}`, { listener: name });
    } catch (error) {
      const reason = errorText(error);
      if (this.#failures.get(name) === reason) return;
      this.#failures.set(name, reason);
      logEvent(log, 'listener-failed', `listener ${name} at ${where}: ${reason}`, { listener: name });
    }
  }

  async #serve(spec: ListenerSpec, listener: Pick<EngineListener, 'id' | 'descriptor' | 'counts'>): Promise<number> {
    const engine = await this.#options.engine();
    return engine.open({ ...listener, family: spec.family, answers: this.#options.answersOf(spec) });
  }

  async #listen(listener: OpenListener): Promise<StreamEngine> {
    const { spec, socket } = listener;
    const { tap } = this.#options;
    const defer = this.#options.defer(listener);
    const stream = new StreamEngine(this.#responder(spec), { descriptor: socket.descriptor, limits: spec, defer, tap });
    await stream.listen();
    return stream;
  }

  #responder(spec: ListenerSpec, before?: Responder): Responder {
    const responder = new Responder(this.#sources.current, this.#options.answersOf(spec));
    if (before !== undefined) responder.counts.set(before.counts);
    return responder;
  }

  async #change(listener: OpenListener, spec: ListenerSpec): Promise<void> {
    const { stream, id } = listener;
    listener.spec = spec;
    if (stream !== undefined) stream.change(this.#responder(spec, stream.responder), spec);
    else await (await this.#options.engine()).change(id, this.#options.answersOf(spec));
    await this.#options.rings.change(spec);
  }

  /** A ring stands beside a socket that is open. */
  async #settleRing(spec: ListenerSpec): Promise<void> {
    const { rings } = this.#options;
    const { name, engine, ringAdapter } = spec;
    const listener = this.#open.get(name);
    const ring = rings.get(name);
    const isWanted = engine === 'ring' && listener !== undefined;
    if (isWanted && ring?.spec.ringAdapter === ringAdapter) return;
    // One that has failed is not forgotten before it is there: it is tried each second, and told once.
    if (ring !== undefined || !isWanted) await rings.close(name);
    if (isWanted) await rings.open(spec, listener.id);
  }

  async #close({ stream, id }: OpenListener): Promise<void> {
    if (stream !== undefined) await stream.close();
    else await (await this.#options.engine()).close(id);
  }
}

/** Whether the sockets of both have an address in common. */
const isOverlapping = (a: ListenerSpec, b: ListenerSpec): boolean =>
  a.routeDomain === b.routeDomain &&
  a.port === b.port &&
  a.isStream === b.isStream &&
  a.family === b.family &&
  (a.address === b.address || isAny(a) || isAny(b));

const isAny = ({ address }: ListenerSpec): boolean => address === '0.0.0.0' || address === '::';

const isSamePlace = (a: ListenerSpec, b: ListenerSpec): boolean =>
  a.address === b.address && a.routeDomain === b.routeDomain && a.port === b.port && a.isStream === b.isStream;
